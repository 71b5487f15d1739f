/** A path that a URL parser leaves as it is: no dot segment, nothing to be escaped, no second slash in front. */
const PLAIN = /^\/(?!\/)[\w\-~!$&'()*+,;=:@%/.]*$/
const DOT_SEGMENT = /\/(?:\.|%2e){1,2}(?:\/|$)/i

/**
 * Path and query that `reply.from(source)` goes to: what @fastify/reply-from makes of source, base URL and request.
 * @param source as given to `reply.from`; empty: the request's own path
 * @param base the upstream that it goes to, where one is set
 * @param query what the `queryString` option made of the query, without a question mark; `undefined` without that
 * option
 * @param url the request's own, in origin form
 * @throws TypeError where the two make no URL; reply-from throws then, too
 */
export function proxiedPath (
  source: string | undefined,
  base: string | undefined,
  query: string | undefined,
  url: string
): string {
  if (!source) source = pathOf(url)
  let path = source
  let search = ''
  if (!PLAIN.test(source) || DOT_SEGMENT.test(source)) {
    const target = new URL(base !== undefined && source.startsWith('//') ? '.' + source : source, base ?? undefined)
    path = target.pathname
    search = target.search
  }
  if (query !== undefined) return query === '' ? path : `${path}?${query}`
  return path + (search === '' ? queryOf(url) : search)
}

function pathOf (url: string): string {
  const at = url.indexOf('?')
  return at === -1 ? url : url.slice(0, at)
}

function queryOf (url: string): string {
  const at = url.indexOf('?')
  return at > 0 ? url.slice(at) : ''
}
