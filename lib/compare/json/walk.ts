import { descend, isIgnored } from '../ignored'
import { align } from './arrays/align'
import { Fingerprints } from './arrays/fingerprint'
import { keyAt, keysOf } from './keys'
import { levelOf } from './level'
import { NONE, equalScalars, sameText } from './values'
import type { Steps } from '../../steps'
import type { IgnoredPlaces } from '../ignored'
import type { Tape } from '../tape'
import type { Plan } from './arrays/align'
import type { Level } from './level'
import type { Report } from './report'

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
  readonly #fingerprintsA: () => Fingerprints
  readonly #fingerprintsB: () => Fingerprints
  #pause = PAIRS_A_STEP

  constructor (a: Tape, b: Tape, report: Report) {
    this.#a = a
    this.#b = b
    this.#report = report
    this.#fingerprintsA = once(a)
    this.#fingerprintsB = once(b)
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
      if (level.array) {
        if (level.plan !== null) this.#nextPair(level, level.plan)
        else yield * this.#align(level)
      } else if (level.a === level.endA && level.b === level.endB) {
        levels.pop()
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

  /** Items that stand in another order are a difference of the array itself. */
  * #align (level: Level): Steps<void> {
    const [a, b] = [level.firstA - 1, level.firstB - 1]
    const places = level.ignored
    level.plan = yield * align(
      { tape: this.#a, array: a, places, fingerprints: this.#fingerprintsA },
      { tape: this.#b, array: b, places, fingerprints: this.#fingerprintsB },
      false
    )
    if (level.plan.tooMany) this.#report.byIndex = true
    if (!level.plan.order) return
    this.#levels.pop()
    if (!this.#differ(a, b, true)) this.#levels.push(level)
  }

  #nextPair (level: Level, { nodesA, nodesB, a, b }: Plan): void {
    const pair = ++level.pair
    if (pair === a.length) {
      this.#levels.pop()
      return
    }
    level.segment = String(a[pair] === NONE ? b[pair] : a[pair])
    this.#child(level, a[pair] === NONE ? NONE : nodesA[a[pair]], b[pair] === NONE ? NONE : nodesB[b[pair]])
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
      if (!sameText(this.#a, a, this.#b, b)) this.#levels.push(levelOf(this.#a, a, this.#b, b, kind === '[', ignored))
    } else if (!equalScalars(this.#a, a, this.#b, b)) {
      this.#differ(a, b)
    }
  }

  #differ (a: number, b: number, order = false): boolean {
    this.#pause -= PAIRS_A_DIFFERENCE
    return this.#report.add(this.#levels, a, b, order)
  }
}

/** They take memory for each node, and most documents need none. */
function once (tape: Tape): () => Fingerprints {
  let made: Fingerprints | null = null
  return () => (made ??= new Fingerprints(tape))
}
