import { MASK } from '../secrets'

/**
 * User info of a URL (RFC 3986, section 3.2.1), wherever it stands; at a text's end, which may be cut, also what could
 * become one: more behind a colon than a port.
 */
const USER_INFO = /:\/\/(?:[^/?#\s"'<>\\]*@|(?!\[)[^/?#\s"'<>\\:@]*:(?!\d{0,5}$)[^/?#\s"'<>\\@]*$)/g

/** A text whose URLs have lost their user info. In linear time. */
export function withoutUserInfo (text: string): string {
  return text.includes('://') ? text.replace(USER_INFO, `://${MASK}@`) : text
}

/**
 * What begins a URL's authority at the end of a text that is cut: all of it may be user info, whose `@` stood behind.
 */
const CUT_AUTHORITY = /:\/\/[^/?#\s"'<>\\@]*$/

/**
 * The first `length` characters of a text, as `withoutUserInfo` should be given them: what the cut may have made of
 * user info is gone.
 */
export function beginning (text: string, length: number): string {
  return text.length <= length ? text : cutUserInfo(text.slice(0, length))
}

/** A text that goes on, without the beginning of what may be user info at its end. */
export function cutUserInfo (text: string): string {
  return text.replace(CUT_AUTHORITY, `://${MASK}@`)
}
