import { matches, mayLack } from '../rules/values'
import { align, planOfOne } from './arrays/align'
import { Fingerprints } from './arrays/fingerprint'
import { keyAt, keysOf } from './keys'
import { levelOf, levelOfOne } from './level'
import { NONE, equalScalars, sameText } from './values'
import type { Steps } from '../../steps'
import type { Standing } from '../rules/standing'
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
export function walk (a: Tape, b: Tape, at: Standing, report: Report): Steps<boolean> {
  return new Walk(a, b, report).run(at)
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

  * run (at: Standing): Steps<boolean> {
    const levels = this.#levels
    if (!at.skipped) this.#pair(0, 0, at)
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
    const { at } = level
    if (a === NONE || b === NONE) {
      level.plan = yield * planOfOne(this.#a, a, this.#b, b)
      return
    }
    level.plan = yield * align(
      { tape: this.#a, array: a, at, fingerprints: this.#fingerprintsA },
      { tape: this.#b, array: b, at, fingerprints: this.#fingerprintsB },
      at.unordered
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
    const at = level.at.below(level.segment)
    if (at.skipped) return
    if (a === NONE) this.#lone(level, a, b, 'shadow', at)
    else if (b === NONE) this.#lone(level, a, b, 'primary', at)
    else this.#pair(a, b, at)
  }

  /** One side alone has it. */
  #lone (level: Level, a: number, b: number, side: 'primary' | 'shadow', at: Standing): void {
    if (at.free) this.#open(a, b, at)
    else if (!mayLack(at, side, !level.array)) this.#differ(a, b)
  }

  #pair (a: number, b: number, at: Standing): void {
    const kind = this.#a.kind(a)
    if (isContainer(kind) && kind === this.#b.kind(b)) {
      if ((at.inside || !at.opaque) && !sameText(this.#a, a, this.#b, b)) {
        this.#levels.push(levelOf(this.#a, a, this.#b, b, kind === '[', at))
      }
    } else if (!equalScalars(this.#a, a, this.#b, b)) {
      if (!matches(at, this.#a, a, this.#b, b)) this.#differ(a, b)
      else if (at.inside && at.opaque) this.#open(a, b, at)
    }
  }

  /** What is on one side alone may hold what is to be compared. */
  #open (a: number, b: number, at: Standing): void {
    const ofA = a !== NONE && isContainer(this.#a.kind(a))
    const ofB = b !== NONE && isContainer(this.#b.kind(b))
    // Of an object and an array nothing belongs together.
    if (ofA && ofB) this.#differ(a, b)
    else if (ofA) this.#levels.push(levelOfOne(this.#a, a, 'a', at))
    else if (ofB) this.#levels.push(levelOfOne(this.#b, b, 'b', at))
  }

  #differ (a: number, b: number, order = false): boolean {
    this.#pause -= PAIRS_A_DIFFERENCE
    return this.#report.add(this.#levels, a, b, order)
  }
}

function isContainer (kind: string): boolean {
  return kind === '{' || kind === '['
}

/** They take memory for each node, and most documents need none. */
function once (tape: Tape): () => Fingerprints {
  let made: Fingerprints | null = null
  return () => (made ??= new Fingerprints(tape))
}
