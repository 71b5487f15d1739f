import type { RE2JS } from 're2js'
import type { Steps } from '../../steps'
import type { Origins } from './origins'
import { MAX_TEXT } from './pattern'
import type { Rule } from './rule'

/** Characters between two places where the work can be put off; what a line is worth, and what is found in it. */
const CHARACTERS_A_STEP = 4096
const CHARACTERS_A_LINE = 32
const CHARACTERS_A_MATCH = 128

/** The rules for text that is no JSON. */
export class TextRules {
  readonly #patterns: readonly RE2JS[]
  readonly #origins: Origins | null

  constructor (rules: readonly Rule[], origins: Origins | null) {
    this.#patterns = rules.flatMap(({ at }) => at.on === 'text' ? [at.pattern] : [])
    this.#origins = origins
  }

  /** Whether they can have any effect. */
  get any (): boolean {
    return this.#patterns.length > 0 || this.#origins !== null
  }

  /**
   * Where two texts differ but for what is left out: at which character of the first, or behind its end; -1: nowhere. A
   * line of which nothing is left is left out as a whole.
   */
  * differ (a: string, b: string): Steps<number> {
    const [one, other] = [new Lines(a), new Lines(b)]
    for (;;) {
      const line = yield * this.#next(one)
      const against = yield * this.#next(other)
      if (line !== against) return one.begin
      if (line === null) return -1
    }
  }

  /** What is left of the next line of which something is left; `null`: there is none. */
  * #next (lines: Lines): Steps<string | null> {
    for (;;) {
      const line = lines.next()
      if (line === null) return null
      lines.pause -= line.length + CHARACTERS_A_LINE
      if (lines.pause <= 0) yield * rest(lines)
      const left = line.length > MAX_TEXT ? line : yield * this.#left(line, lines)
      if (left !== '' || line === '') return this.#origins === null ? left : this.#origins.plain(left)
    }
  }

  * #left (line: string, lines: Lines): Steps<string> {
    let left = line
    for (const pattern of this.#patterns) {
      const matcher = pattern.matcher(left)
      let kept = ''
      let from = 0
      while (matcher.find()) {
        kept += left.slice(from, matcher.start())
        from = matcher.end()
        lines.pause -= CHARACTERS_A_MATCH
        if (lines.pause <= 0) yield * rest(lines)
      }
      left = kept + left.slice(from)
      lines.pause -= left.length
    }
    return left
  }
}

function * rest (lines: Lines): Steps<void> {
  lines.pause = CHARACTERS_A_STEP
  yield
}

/** The lines of a text, one after the other. */
class Lines {
  /** Where the last one begins. */
  begin = 0
  /** Characters that may be looked at before the work is put off. */
  pause = CHARACTERS_A_STEP
  readonly #text: string
  #next = 0

  constructor (text: string) {
    this.#text = text
  }

  /** Without its end; `null`: there is none. */
  next (): string | null {
    this.begin = Math.min(this.#next, this.#text.length)
    if (this.#next > this.#text.length) return null
    const found = this.#text.indexOf('\n', this.#next)
    const end = found === -1 ? this.#text.length : found
    this.#next = end + 1
    return this.#text.slice(this.begin, end)
  }
}
