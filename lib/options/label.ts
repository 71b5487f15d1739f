import { createHash } from 'node:crypto'

/** The admin routes take a parameter of at most so many UTF-16 units. */
export const MAX_LABEL = 100

// Control characters, lone surrogates (they break encodeURIComponent) and line separators.
const FORBIDDEN = /[\p{Cc}\p{Cs}\u2028\u2029]/gu

/** Whether a text can be a mirror's id or a backend's name. */
export function isLabel (text: string): boolean {
  return text.length > 0 && text.length <= MAX_LABEL && text.search(FORBIDDEN) === -1
}

/**
 * A label made from a text that the user did not choose as one, such as a route's URL. Too long or with odd
 * characters, it is cut, and ends with a hash of the whole, so that two of them stay apart.
 */
export function toLabel (text: string): string {
  if (isLabel(text)) return text
  const mark = createHash('sha256').update(text).digest('hex').slice(0, 8)
  return `${text.slice(0, MAX_LABEL - 9).replace(FORBIDDEN, '?')}~${mark}`
}
