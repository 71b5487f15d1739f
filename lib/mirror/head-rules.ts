import type { IncomingHttpHeaders } from 'node:http'
import { isPromise } from 'node:util/types'
import { HOP_BY_HOP, TOKEN } from '../http'

/** The header that marks a copy; its value is the Host that the client asked for. */
export const MARK = 'x-mirrored-from'
/** Behind the mark of a request that is sent once more. */
export const REPEATED = ';repeat'

/**
 * Never copied: hop-by-hop (RFC 9110, section 7.6.1; RFC 9113, section 3.1), framing, which is computed anew, what is
 * meant for this proxy alone, and what is added afterwards.
 */
const NEVER_COPIED = [
  ...HOP_BY_HOP, 'http2-settings', 'content-length', 'expect', 'proxy-authorization', 'proxy-authenticate', 'host', MARK
]

const COLON = 58

/** RFC 9110, section 5.5: what no value may have in it. */
const NO_VALUE = /[^\t\x20-\x7e\x80-\xff]/

/** A request's head as Node gives it. */
export interface RawHead {
  rawHeaders: readonly string[]
  headers: IncomingHttpHeaders
}

/** Which headers a mirror's copies carry. */
export class HeadRules {
  readonly #dropped: ReadonlySet<string>
  /** Of the hints that names give, those of dropped ones: most names need no look in the set. */
  readonly #hints = new Uint8Array(HINTS)

  /** @param removed names in lower case */
  constructor (removed: readonly string[]) {
    this.#dropped = new Set([...NEVER_COPIED, ...removed])
    for (const name of this.#dropped) this.#hints[hintOf(name)] = 1
  }

  #drops (name: string, nominated: ReadonlySet<string>): boolean {
    if (name.charCodeAt(0) === COLON) return true
    if (nominated.size === 0 && this.#hints[hintOf(name)] === 0) return false
    const lower = name.toLowerCase()
    return this.#dropped.has(lower) || nominated.has(lower)
  }

  /**
   * The end-to-end headers of a request, in order, repeated ones kept; cookie crumbs joined (RFC 9113, section 8.2.3).
   * @param kept what they are added to
   */
  endToEnd (head: RawHead, http2: boolean, kept: string[] = []): string[] {
    const { rawHeaders } = head
    const nominated = nominatedBy(head.headers.connection)
    let cookieAt = -1
    for (let i = 0; i < rawHeaders.length; i += 2) {
      const name = rawHeaders[i]
      if (this.#drops(name, nominated)) continue
      if (http2 && name === 'cookie') {
        if (cookieAt !== -1) {
          kept[cookieAt] += '; ' + rawHeaders[i + 1]
          continue
        }
        cookieAt = kept.length + 1
      }
      kept.push(name, rawHeaders[i + 1])
    }
    return kept
  }

  /** The same of what a user's function returned. Throws a TypeError where that is anything but headers. */
  ofRewritten (headers: unknown, connection: string | undefined): string[] {
    // Nobody else would handle the rejection of an async function.
    if (isPromise(headers)) headers.catch(noop)
    if (headers === null || typeof headers !== 'object' || Array.isArray(headers) || isPromise(headers)) {
      throw new TypeError('rewriteRequestHeaders must return an object of headers, synchronously')
    }
    const nominated = nominatedBy(connection)
    const kept: string[] = []
    for (const [name, value] of Object.entries(headers)) {
      if (value === undefined || this.#drops(name, nominated)) continue
      if (!TOKEN.test(name)) {
        throw new TypeError(`rewriteRequestHeaders must return names of headers, not ${JSON.stringify(name)}`)
      }
      for (const one of Array.isArray(value) ? value : [value]) kept.push(name, headerText(name, one))
    }
    return kept
  }
}

const HINTS = 1024

/** A name's length and its first letter, in whichever case. */
function hintOf (name: string): number {
  return (name.length << 5 | name.charCodeAt(0) & 31) & (HINTS - 1)
}

function noop (): void {}

/**
 * A header's value as it is sent. Throws a TypeError for what is none, so that it is not found out on the way to a
 * backend.
 */
function headerText (name: string, value: unknown): string {
  const text = typeof value === 'number' ? String(value) : value
  if (typeof text === 'string' && !NO_VALUE.test(text)) return text
  throw new TypeError(`rewriteRequestHeaders must return a header's text, or a list of them, as ${name}`)
}

const NONE: ReadonlySet<string> = new Set()

/** Names that a Connection header makes hop-by-hop, in lower case. */
function nominatedBy (connection: string | undefined): ReadonlySet<string> {
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return NONE
  return new Set(connection.toLowerCase().split(',').map(name => name.trim()))
}

/** The host that the client asked for: its Host, or HTTP/2's `:authority`. `undefined`: it said neither. */
export function clientHost (headers: IncomingHttpHeaders): string | undefined {
  return headers.host ?? headers[':authority'] as string | undefined
}
