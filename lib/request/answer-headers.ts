import type { OutgoingHttpHeaders } from 'node:http'

const COLON = 58
const SET_COOKIE = 'set-cookie'

/**
 * An answer's headers, names and values in turn, as they go out; those of a `Response` are set over the others, but for
 * cookies.
 */
export function flatHeaders (headers: OutgoingHttpHeaders, response: Response | null = null): string[] {
  const flat: string[] = []
  for (const name of Object.keys(headers)) {
    const value = headers[name]
    // HTTP/2's `:status` is no header (RFC 9113, section 8.3).
    if (value === undefined || name.charCodeAt(0) === COLON) continue
    if (response !== null && name !== SET_COOKIE && response.headers.has(name)) continue
    if (Array.isArray(value)) for (const one of value) flat.push(name, String(one))
    else flat.push(name, String(value))
  }
  if (response !== null) for (const [name, value] of response.headers) flat.push(name, value)
  return flat
}
