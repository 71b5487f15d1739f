const SLASH = 47

// RFC 3986 section 3: scheme and authority, up to the first character that can end them.
const SCHEME_AND_AUTHORITY = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i

/**
 * A request target as path and query, byte for byte: absolute-form becomes origin form (RFC 9112 section 3.2.2), the
 * fragment that some clients send is dropped, and a missing slash is put in front. Only `*` stays without one.
 */
export function originForm (url: string): string {
  const end = url.indexOf('#')
  const target = end === -1 ? url : url.slice(0, end)
  if (target.charCodeAt(0) === SLASH || target === '*') return target
  const rest = target.replace(SCHEME_AND_AUTHORITY, '')
  return rest.charCodeAt(0) === SLASH ? rest : `/${rest}`
}

/** The path of a request target in origin form, not decoded, without its query. */
export function routedPath (url: string): string {
  const target = originForm(url)
  const end = target.indexOf('?')
  return end === -1 ? target : target.slice(0, end)
}
