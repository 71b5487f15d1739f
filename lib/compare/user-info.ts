/** Stands where a secret stood. */
export const MASK = '[redacted]'

/**
 * User info of a URL (RFC 3986, section 3.2.1), wherever it stands; at a text's end, which may be cut, also what could become one: more
 * behind a colon than a port.
 */
const USER_INFO = /:\/\/(?:[^/?#\s"'<>\\]*@|(?!\[)[^/?#\s"'<>\\:@]*:(?!\d{0,5}$)[^/?#\s"'<>\\@]*$)/g

/** A text whose URLs have lost their user info. In linear time. */
export function withoutUserInfo (text: string): string {
  return text.includes('://') ? text.replace(USER_INFO, `://${MASK}@`) : text
}
