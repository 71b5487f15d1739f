import { cut } from '../compare/cut'
import { codingsOf } from '../compare/decode'
import { firstHeaders, valueOf } from '../compare/headers'
import { beginning } from '../compare/user-info'
import { markOf } from './mark'
import type { BodyDifference, HeaderDifference, Mismatch, MismatchRequest } from '../../types/index'
import type { HeaderList } from '../compare/headers'
import type { KeptBody, Redactor } from '../compare/redact'

/** Headers, and JSON differences, that one mismatch is shown with. */
const MAX_HEADERS = 32
const MAX_DIFFERENCES = 32
/** Characters of a shown header value that differs. */
const MAX_VALUE = 200
/** Lines of the request's headers, characters of its path, and of all its headers. */
const MAX_REQUEST_LINES = 128
const MAX_PATH = 4096
const MAX_REQUEST_HEADERS = 16 * 1024
/** Bytes of the request's body. */
export const MAX_BODY = 2048
/** Characters of a name. */
const MAX_NAME = 100

/** A request that was mirrored, as it came: what a mismatch is shown with. */
export interface MismatchedRequest {
  method: string
  /** The client's, with query. */
  path: string
  /** The copy's, with query: it goes behind a backend's URL. */
  sentPath: string
  headers: HeaderList
  /** The body's first bytes, 2 KiB of them or more if there are so many. */
  body: Uint8Array
  /** Whether that is all of it. */
  complete: boolean
  /** Something is left out already. */
  truncated?: boolean
}

/** Two answers that differ, and the request that they answer, as they came. */
export interface MismatchInput {
  /** Name of the backend. */
  backend: string
  /** Milliseconds since the epoch. */
  time: number
  request: MismatchedRequest
  primaryStatus: number
  shadowStatus: number
  /** SHA-256 in hexadecimal. */
  primaryHash: string
  shadowHash: string
  headers: readonly HeaderDifference[]
  /** `null`: the bodies match. */
  body: BodyDifference | null
}

/** Where those headers end that are kept. */
function endOfHeaders (list: HeaderList): number {
  let length = 0
  let end = 0
  while (end < Math.min(list.length, MAX_REQUEST_LINES * 2) &&
    (length += list[end].length + list[end + 1].length) <= MAX_REQUEST_HEADERS) end += 2
  return end
}

/**
 * The one place in which a mismatch loses its secrets and its excess; nothing else of it is to be kept, logged or
 * handed on. Values of JSON differences come masked and cut already. Throws nothing.
 */
export function createMismatch (input: MismatchInput, redactor: Redactor): Mismatch {
  redactor.begin()
  return {
    backend: input.backend,
    time: new Date(input.time).toISOString(),
    request: requestOf(input.request, redactor),
    primaryStatus: input.primaryStatus,
    shadowStatus: input.shadowStatus,
    primaryHash: markOf(input.primaryHash),
    shadowHash: markOf(input.shadowHash),
    headers: firstHeaders(input.headers.slice(0, MAX_HEADERS)).map((header) => headerOf(header, redactor)),
    body: input.body === null ? null : firstDifferences(input.body)
  }
}

/** The part of a body's difference that is told. A copy: the original may be kept. */
function firstDifferences (body: BodyDifference): BodyDifference {
  if (body.kind !== 'json') return { ...body }
  const { differences, truncated } = body
  return {
    ...body,
    differences: differences.slice(0, MAX_DIFFERENCES).map(difference => ({ ...difference })),
    truncated: truncated || differences.length > MAX_DIFFERENCES
  }
}

function requestOf (request: MismatchedRequest, redactor: Redactor): MismatchRequest {
  // Cut, then masked: what masks a value stands before it. What tells most comes first, before the redactor has had
  // enough.
  const path = redactor.path(beginning(request.path, MAX_PATH))
  const sentPath = request.sentPath === request.path ? path : redactor.path(beginning(request.sentPath, MAX_PATH))
  const body = requestBody(request, redactor)
  const headers = requestHeaders(request.headers, redactor)
  return {
    method: request.method,
    path,
    sentPath,
    headers,
    body: body === null ? null : body.text,
    truncated: request.truncated === true || Math.max(request.path.length, request.sentPath.length) > MAX_PATH ||
      headers.length < request.headers.length || body?.truncated === true
  }
}

function requestHeaders (list: HeaderList, redactor: Redactor): string[] {
  return redactor.headers(list.slice(0, endOfHeaders(list)))
}

function requestBody ({ headers, body, complete }: MismatchedRequest, redactor: Redactor): KeptBody | null {
  if (body.length === 0 || codingsOf(valueOf(headers, 'content-encoding')).length > 0) return null
  return redactor.body(body, valueOf(headers, 'content-type'), complete, MAX_BODY)
}

function headerOf ({ name, primary, shadow }: HeaderDifference, redactor: Redactor): HeaderDifference {
  const shown = (value: string): string => {
    return cut(isAttribute(name) ? redactor.text(value) : redactor.header(name, value), MAX_VALUE)
  }
  return {
    name: cut(name, MAX_NAME),
    primary: primary.map(shown),
    shadow: shadow.map(shown)
  }
}

/** Of a cookie: what is no secret, though the cookie is one. */
function isAttribute (name: string): boolean {
  return name.startsWith('set-cookie/') && name.split('/').length > 2 && !name.endsWith('/value')
}
