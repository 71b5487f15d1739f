/** Neither a header nor its name may have it (RFC 9110, section 5.5). */
const SEPARATOR = '\0'

/** Headers as one string. It crosses at a fraction of the cost of many. */
export type JoinedHeaders = string | readonly string[]

/**
 * One that has the separator all the same, from a lenient parser or a handler, must not become several: such a list
 * crosses as it is.
 */
export function joinHeaders (headers: readonly string[]): JoinedHeaders {
  for (const header of headers) if (header.includes(SEPARATOR)) return headers
  return headers.join(SEPARATOR)
}

export function splitHeaders (joined: JoinedHeaders): string[] {
  if (typeof joined !== 'string') return [...joined]
  return joined === '' ? [] : joined.split(SEPARATOR)
}
