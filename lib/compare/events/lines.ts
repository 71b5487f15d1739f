const CR = 13

/** The lines of a text, that end with LF, CR or both. Turns once a line, and looks at each character once. */
export class Lines {
  readonly #text: string
  #at: number
  #lf = -1
  #cr = -1

  /** `from`: where the first line begins. */
  constructor (text: string, from: number) {
    this.#text = text
    this.#at = from
  }

  /** `null`: there are no more. What follows the last end of a line is one, unless it is empty. */
  next (): string | null {
    const { length } = this.#text
    if (this.#at >= length) return null
    if (this.#lf < this.#at) this.#lf = this.#find('\n')
    if (this.#cr < this.#at) this.#cr = this.#find('\r')
    const end = Math.min(this.#lf, this.#cr, length)
    const line = this.#text.slice(this.#at, end)
    this.#at = this.#text.charCodeAt(end) === CR && this.#lf === end + 1 ? end + 2 : end + 1
    return line
  }

  #find (end: string): number {
    const found = this.#text.indexOf(end, this.#at)
    return found === -1 ? Infinity : found
  }
}
