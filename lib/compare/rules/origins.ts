/** Goes on with the name of a host, or with a port. */
const HOST_GOES_ON = '(?![\\w@-]|\\.\\w|:\\d|%3a\\d)'
/** Goes before a scheme. */
const NO_SCHEME = '(?<![\\w+.-])'
const SPECIAL = /[.*+?^${}()|[\]\\]/g
/** Characters of a text, past which it has no links. */
const MAX_TEXT = 8 * 1024 * 1024

/** Links that are equal but for their origin: those of the shadow stand for those of the primary. */
export class Origins {
  readonly #found: RegExp
  readonly #primaries = new Map<string, string>()

  /** The primary's, each with the shadow's. */
  constructor (pairs: ReadonlyArray<readonly [primary: string, shadow: string]>) {
    for (const [primary, shadow] of pairs) {
      this.#primaries.set(shadow.toLowerCase(), primary)
      // In a parameter of another link.
      this.#primaries.set(encodeURIComponent(shadow).toLowerCase(), encodeURIComponent(primary))
    }
    const shadows = [...this.#primaries.keys()].map(origin => origin.replace(SPECIAL, '\\$&'))
    this.#found = new RegExp(`${NO_SCHEME}(?:${shadows.join('|')})${HOST_GOES_ON}`, 'gi')
  }

  /** Whether two texts are equal, their origins apart. */
  areAlike (a: string, b: string): boolean {
    return Math.max(a.length, b.length) <= MAX_TEXT && this.plain(a) === this.plain(b)
  }

  /** With the primary's origins alone. */
  plain (text: string): string {
    return text.replace(this.#found, shadow => this.#primaries.get(shadow.toLowerCase()) as string)
  }
}
