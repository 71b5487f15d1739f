import { descend, isIgnored } from '../ignored'
import { keyAt, keysOf } from './keys'
import { levelOf } from './level'
import { NONE, equalScalars } from './values'
import type { Steps } from '../../steps'
import type { IgnoredPlaces } from '../ignored'
import type { Tape } from '../tape'
import type { Level } from './level'
import type { Report } from './report'

/** Containers up to this many characters are first compared as text, which is quick and most often enough. */
const MAX_SHORTCUT = 1024
/** Pairs between two places where the work can be put off, and how many of them one difference is worth. */
const PAIRS_A_STEP = 128
const PAIRS_A_DIFFERENCE = 16

/**
 * Compares two documents, and reports each difference until the report is full. `false`: keys are repeated in an
 * object, in another way on each side.
 */
export function walk (a: Tape, b: Tape, ignore: IgnoredPlaces, report: Report): Steps<boolean> {
  return new Walk(a, b, report).run(ignore)
}

class Walk {
  readonly #a: Tape
  readonly #b: Tape
  readonly #report: Report
  readonly #levels: Level[] = []
  #pause = PAIRS_A_STEP

  constructor (a: Tape, b: Tape, report: Report) {
    this.#a = a
    this.#b = b
    this.#report = report
  }

  * run (ignore: IgnoredPlaces): Steps<boolean> {
    const levels = this.#levels
    if (!isIgnored(ignore)) this.#pair(0, 0, ignore)
    while (levels.length > 0 && !this.#report.full) {
      if (--this.#pause <= 0) {
        this.#pause = PAIRS_A_STEP
        yield
      }
      const level = levels[levels.length - 1]
      if (level.a === level.endA && level.b === level.endB) {
        levels.pop()
      } else if (level.index !== -1) {
        this.#nextItem(level)
      } else if (level.unmet !== null) {
        this.#nextByKey(level, level.unmet)
      } else if (!this.#nextInStep(level)) {
        const keys = yield * keysOf(this.#a, level.firstA, level.endA)
        level.unmet = yield * keysOf(this.#b, level.firstB, level.endB)
        if (keys === null || level.unmet === null) return false
      }
    }
    return true
  }

  #nextItem (level: Level): void {
    const { a, b, endA, endB } = level
    level.segment = String(level.index++)
    level.beforeA = level.itemA
    level.beforeB = level.itemB
    level.itemA = a === endA ? NONE : a
    level.itemB = b === endB ? NONE : b
    if (a !== endA) level.a = this.#a.nexts[a]
    if (b !== endB) level.b = this.#b.nexts[b]
    this.#child(level, level.itemA, level.itemB)
  }

  /** The usual case: both have the same keys in the same order. */
  #nextInStep (level: Level): boolean {
    const { a, b } = level
    if (a === level.endA || b === level.endB) return false
    const key = keyAt(this.#a, a)
    if (key !== keyAt(this.#b, b)) return false
    level.a = this.#a.nexts[a + 1]
    level.b = this.#b.nexts[b + 1]
    level.segment = key.slice(1, -1)
    this.#child(level, a + 1, b + 1)
    return true
  }

  #nextByKey (level: Level, unmet: Map<string, number>): void {
    const { a } = level
    if (a !== level.endA) {
      const key = keyAt(this.#a, a)
      const b = unmet.get(key)
      unmet.delete(key)
      level.a = this.#a.nexts[a + 1]
      level.segment = key.slice(1, -1)
      this.#child(level, a + 1, b === undefined ? NONE : b + 1)
      return
    }
    level.added ??= unmet.entries()
    const { done, value } = level.added.next()
    if (done === true) {
      level.b = level.endB
    } else if (value[1] >= level.b) {
      level.segment = value[0].slice(1, -1)
      this.#child(level, NONE, value[1] + 1)
    }
  }

  #child (level: Level, a: number, b: number): void {
    const ignored = descend(level.ignored, level.segment)
    if (isIgnored(ignored)) return
    if (a === NONE || b === NONE) this.#differ(a, b)
    else this.#pair(a, b, ignored)
  }

  #pair (a: number, b: number, ignored: IgnoredPlaces): void {
    const kind = this.#a.kind(a)
    if ((kind === '{' || kind === '[') && kind === this.#b.kind(b)) {
      if (!this.#sameText(a, b)) this.#levels.push(levelOf(this.#a, a, this.#b, b, kind === '[', ignored))
    } else if (!equalScalars(this.#a, a, this.#b, b)) {
      this.#differ(a, b)
    }
  }

  #sameText (a: number, b: number): boolean {
    const length = this.#a.ends[a] - this.#a.starts[a]
    return length <= MAX_SHORTCUT && length === this.#b.ends[b] - this.#b.starts[b] &&
      this.#a.source(a) === this.#b.source(b)
  }

  #differ (a: number, b: number): void {
    this.#pause -= PAIRS_A_DIFFERENCE
    this.#report.add(this.#levels, a, b)
  }
}
