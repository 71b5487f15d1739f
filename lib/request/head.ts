import type { IncomingHttpHeaders } from 'node:http'

/** The header that marks a copy; its value is the Host that the client asked for. */
export const MARK = 'x-mirrored-from'

/**
 * Never copied: hop-by-hop (RFC 9110, section 7.6.1; RFC 9113, section 3.1), framing, which is computed anew, what is meant for
 * this proxy alone, and what is added afterwards.
 */
const NEVER_COPIED = [
  'connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'http2-settings',
  'content-length', 'expect', 'proxy-authorization', 'proxy-authenticate', 'host', MARK
]

const COLON = 58

/** A request's head as Node gives it. */
export interface RawHead {
  rawHeaders: readonly string[]
  headers: IncomingHttpHeaders
}

/** Which headers a mirror's copies carry. */
export class HeadRules {
  readonly #dropped: ReadonlySet<string>
  /** Lengths that a dropped name can have, so that most names need no look in the set. */
  readonly #lengths: Uint8Array

  /** @param removed names in lower case */
  constructor (removed: readonly string[]) {
    this.#dropped = new Set([...NEVER_COPIED, ...removed])
    this.#lengths = new Uint8Array(256)
    for (const name of this.#dropped) this.#lengths[name.length & 255] = 1
  }

  #drops (name: string, nominated: ReadonlySet<string>): boolean {
    if (name.charCodeAt(0) === COLON) return true
    if (this.#lengths[name.length & 255] === 0 && nominated.size === 0) return false
    const lower = name.toLowerCase()
    return this.#dropped.has(lower) || nominated.has(lower)
  }

  /** The end-to-end headers of a request, in order, repeated ones kept; cookie crumbs joined (RFC 9113, section 8.2.3). */
  endToEnd (head: RawHead, http2: boolean): string[] {
    const { rawHeaders } = head
    const nominated = nominatedBy(head.headers.connection)
    const kept: string[] = []
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

  /** The same of headers that a user's function returned. Throws a TypeError for what is none. */
  ofRewritten (headers: IncomingHttpHeaders, connection: string | undefined): string[] {
    if (headers === null || typeof headers !== 'object' || typeof (headers as { then?: unknown }).then === 'function') {
      throw new TypeError('rewriteRequestHeaders must return an object of headers, synchronously')
    }
    const nominated = nominatedBy(connection)
    const kept: string[] = []
    for (const name of Object.keys(headers)) {
      const value = headers[name]
      if (value === undefined || this.#drops(name, nominated)) continue
      if (Array.isArray(value)) for (const one of value) kept.push(name, one)
      else kept.push(name, value)
    }
    return kept
  }
}

const NONE: ReadonlySet<string> = new Set()

/** Names that a Connection header makes hop-by-hop, in lower case. */
function nominatedBy (connection: string | undefined): ReadonlySet<string> {
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return NONE
  return new Set(connection.toLowerCase().split(',').map(name => name.trim()))
}

/** What the client asked for: its Host, or HTTP/2's `:authority`; `undefined` when it said neither. */
export function clientHost (headers: IncomingHttpHeaders): string | undefined {
  return headers.host ?? headers[':authority'] as string | undefined
}
