/** What the origin of a link must be. */
export const ORIGIN = 'an origin such as "https://api.example.com" or "http://v2.internal:8080", without a path'

/** An origin in its one spelling; `null`: it is none. */
export function originOf (text: string): string | null {
  if (!/^https?:\/\/[^/?#@\s\\]+\/?$/i.test(text) || !URL.canParse(text)) return null
  return new URL(text).origin
}
