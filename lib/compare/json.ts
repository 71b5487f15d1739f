import { MASK } from '../secrets'
import { descend, isIgnored } from './ignored'
import { foldPointer, toPointer } from './pointer'
import { isSecretMember, isSecretText, secretMembers } from './secrets/pairs'
import { readTape } from './tape'
import { equalScalars, keyAt, keysOf } from './values'
import type { JsonDifference } from '../../types/index'
import type { IgnoredPlaces } from './ignored'
import { beginning } from './user-info'
import type { Redactor } from './redact'
import type { SecretMembers } from './secrets/pairs'
import type { Steps, Tape } from './tape'

export type { JsonDifference }

/** Differences that a report lists; of those at alike places (`/items/0/price`, `/items/1/price`) the first few. */
const MAX_LISTED = 100
const MAX_ALIKE = 2
/** Differences that are looked at before the rest of a document is left alone. */
const MAX_FOUND = 5000
/** Characters of a value that a report shows. */
const MAX_VALUE = 200
/** Containers up to this many characters are first compared as text, which is quick and most often enough. */
const MAX_SHORTCUT = 1024
/** Characters of a key that are looked at, of which a pointer shows fewer. */
const MAX_SEGMENT = 1024
/** In place of a node: that side has none. */
const NONE = -1
/** Pairs between two places where the work can be put off, and how many of them one difference is worth. */
const PAIRS_A_STEP = 128
const PAIRS_A_DIFFERENCE = 16

export type JsonOutcome =
  | { kind: 'equal' }
  /** `truncated`: there are more than those listed. */
  | { kind: 'different', differences: JsonDifference[], truncated: boolean }
  /** One of the texts is not JSON, or they hold an object that repeats a key, so that its value is anybody's guess. */
  | { kind: 'not json' }
  /** Too deep, or too many values. */
  | { kind: 'too complex' }

export interface JsonDiffOptions {
  ignore: IgnoredPlaces
  redactor: Pick<Redactor, 'isSecret' | 'json' | 'text'>
}

/**
 * Compares two JSON texts as values, in steps. Objects are compared by key, arrays by index, numbers by their exact
 * decimal value. Keys that are repeated alike on both sides are compared in the order in which they stand; where they
 * are not, the texts are taken for something else than JSON. Throws nothing.
 */
export function * diffJson (primary: string, mirror: string, options: JsonDiffOptions): Steps<JsonOutcome> {
  const a = yield * readTape(primary)
  if (a.state === 'partial') return { kind: 'not json' }
  const b = yield * readTape(mirror)
  if (b.state === 'partial') return { kind: 'not json' }
  if (a.state === 'too complex' || b.state === 'too complex') return { kind: 'too complex' }
  return yield * new Walk(a, b, options).run()
}

/** Two containers whose children are being compared. */
interface Level {
  readonly ignored: IgnoredPlaces
  /** The first child of each; of an object, the first key. */
  readonly firstA: number
  readonly firstB: number
  /** The next child of each, and where they end. */
  a: number
  readonly endA: number
  b: number
  readonly endB: number
  /** Index of the next item; -1 for objects. */
  index: number
  /** The key or index of the child that is being compared. */
  segment: string
  /** Of an array: the items that are being compared, and those before them; at first none. */
  itemA: number
  itemB: number
  beforeA: number
  beforeB: number
  /** Of an object that differs: which members are secret because another one says so, on either side. */
  secrets: [SecretMembers, SecretMembers] | null
  /** Once the keys are out of step: the mirror's keys with their places. Those that were met are taken out. */
  unmet: Map<string, number> | null
  /** Those that are left once all of the primary's keys were met. */
  added: Iterator<[string, number]> | null
}

class Walk {
  readonly #a: Tape
  readonly #b: Tape
  readonly #ignore: IgnoredPlaces
  readonly #redactor: JsonDiffOptions['redactor']
  readonly #levels: Level[] = []
  readonly #differences: JsonDifference[] = []
  readonly #alike = new Map<string, number>()
  #found = 0
  #truncated = false
  #stopped = false
  #pause = PAIRS_A_STEP

  constructor (a: Tape, b: Tape, { ignore, redactor }: JsonDiffOptions) {
    this.#a = a
    this.#b = b
    this.#ignore = ignore
    this.#redactor = redactor
  }

  * run (): Steps<JsonOutcome> {
    const levels = this.#levels
    if (!isIgnored(this.#ignore)) this.#pair(0, 0, this.#ignore)
    while (levels.length > 0 && !this.#stopped) {
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
        if (keys === null || level.unmet === null) return { kind: 'not json' }
      }
    }
    if (this.#found === 0) return { kind: 'equal' }
    return { kind: 'different', differences: this.#differences, truncated: this.#truncated }
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
      if (!this.#sameText(a, b)) this.#levels.push(this.#level(a, b, kind === '[' ? 0 : -1, ignored))
    } else if (!equalScalars(this.#a, a, this.#b, b)) {
      this.#differ(a, b)
    }
  }

  #sameText (a: number, b: number): boolean {
    const length = this.#a.ends[a] - this.#a.starts[a]
    return length <= MAX_SHORTCUT && length === this.#b.ends[b] - this.#b.starts[b] &&
      this.#a.source(a) === this.#b.source(b)
  }

  #level (a: number, b: number, index: number, ignored: IgnoredPlaces): Level {
    return {
      ignored,
      firstA: a + 1,
      firstB: b + 1,
      a: a + 1,
      endA: this.#a.nexts[a],
      b: b + 1,
      endB: this.#b.nexts[b],
      index,
      segment: '',
      itemA: NONE,
      itemB: NONE,
      beforeA: NONE,
      beforeB: NONE,
      secrets: null,
      unmet: null,
      added: null
    }
  }

  #differ (a: number, b: number): void {
    if (this.#differences.length === MAX_LISTED || this.#found === MAX_FOUND) {
      this.#truncated = this.#stopped = true
      return
    }
    this.#found++
    this.#pause -= PAIRS_A_DIFFERENCE
    const secret = this.#levels.findIndex((level) => this.#isSecret(level))
    const path = this.#levels.slice(0, secret === -1 ? Infinity : secret + 1).map((level) => level.segment)
    const pointer = toPointer(path)
    const shape = foldPointer(pointer)
    const alike = this.#alike.get(shape) ?? 0
    if (alike === MAX_ALIKE) {
      this.#truncated = true
    } else {
      this.#alike.set(shape, alike + 1)
      const within = secret !== -1 && secret < this.#levels.length - 1
      const shown = toPointer(path.map((segment) => this.#redactor.text(beginning(segment, MAX_SEGMENT))))
      this.#differences.push(within ? masked(shown) : this.#difference(shown, a, b, secret !== -1))
    }
    // One difference is all that is said of a secret field.
    if (secret !== -1) this.#levels.length = secret + 1
  }

  /** Whether the child that is being compared is one, by its own name or by what is beside it. */
  #isSecret (level: Level): boolean {
    if (level.index === -1) {
      if (this.#redactor.isSecret(level.segment)) return true
      level.secrets ??= [secretMembers(this.#a, level.firstA - 1, this.#redactor), secretMembers(this.#b, level.firstB - 1, this.#redactor)]
      return level.secrets.some((members) => isSecretMember(level.segment, members))
    }
    const { beforeA, beforeB } = level
    return (beforeA !== NONE && isSecretText(this.#a, beforeA, this.#redactor)) || (beforeB !== NONE && isSecretText(this.#b, beforeB, this.#redactor))
  }

  #difference (pointer: string, a: number, b: number, secret: boolean): JsonDifference {
    const primary = a === NONE ? undefined : secret ? MASK : this.#redactor.json(this.#a, a, MAX_VALUE)
    const mirror = b === NONE ? undefined : secret ? MASK : this.#redactor.json(this.#b, b, MAX_VALUE)
    if (primary === undefined) return { pointer, change: 'added', mirror }
    if (mirror === undefined) return { pointer, change: 'removed', primary }
    return { pointer, change: 'changed', primary, mirror }
  }
}

function masked (pointer: string): JsonDifference {
  return { pointer, change: 'changed', primary: MASK, mirror: MASK }
}
