import { MASK } from '../secrets'
import { cut } from '../compare/cut'
import { beginning } from '../compare/user-info'
import type { Redactor } from '../compare/redact'
import type { MismatchedRequest } from './mismatch'

const A_LINE = 16
/** Lines of headers that are looked at. */
const MAX_LINES = 64
/** Characters of a secret's value from which on it is not kept: nobody will see it. */
const LONG_VALUE = 64
/** Parts of the room for the path, and of the rest for the headers where there is a body. */
const SHARE_OF_PATH = 1 / 3
const SHARE_OF_HEADERS = 0.6
const NO_BODY = new Uint8Array(0)

/** A request in so many bytes. Holds on to nothing else: no longer text, no pooled buffer. */
export function snapshotWithin (
  request: MismatchedRequest, room: number, redactor: Pick<Redactor, 'isSecret'>
): { request: MismatchedRequest, bytes: number } {
  const { method, complete } = request
  const longest = Math.floor(room * SHARE_OF_PATH)
  const path = firstOf(request.path, longest)
  const sentPath = request.sentPath === request.path ? path : firstOf(request.sentPath, longest)
  let left = room - path.length - (sentPath === path ? 0 : sentPath.length)
  const ofHeaders = request.body.length === 0 ? left : left * SHARE_OF_HEADERS
  const headers: string[] = []
  let bytes = 0
  let truncated = path.length < request.path.length || sentPath.length < request.sentPath.length ||
    request.headers.length > MAX_LINES * 2
  const end = Math.min(request.headers.length - 1, MAX_LINES * 2)
  for (let i = 0; i < end; i += 2) {
    const name = request.headers[i]
    let value = request.headers[i + 1]
    if (value.length > LONG_VALUE && redactor.isSecret(name)) value = MASK
    const more = A_LINE + name.length + value.length
    if (bytes + more > ofHeaders) {
      truncated = true
      continue
    }
    bytes += more
    headers.push(name, value)
  }
  left -= bytes
  const fits = request.body.subarray(0, Math.max(0, Math.floor(left)))
  const body = request.body.length === 0 ? NO_BODY : new Uint8Array(fits)
  const isWhole = complete && body.length === request.body.length
  truncated ||= request.body.length > 0 && body.length === 0
  return {
    request: { method, path, sentPath, headers, body, complete: isWhole, truncated },
    bytes: room - left + body.length
  }
}

function firstOf (path: string, most: number): string {
  return path.length <= most ? path : cut(beginning(path, most), Infinity)
}
