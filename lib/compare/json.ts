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

/** Places (`/prices/*`) at which a document is found to differ, and characters of their names. */
export const MAX_PLACES = 128
const MAX_PLACE_CHARACTERS = 16 * 1024
/** Differences that a report lists: the first at each place, and of others the first few. */
const MAX_LISTED = 100
const MAX_ALIKE = 2
/** Differences that are looked at before the rest of a document is left alone. */
const MAX_FOUND = 5000
/** Characters of a value that a report shows, as long as all of them together are not so many, and of one of the rest. */
const MAX_VALUE = 200
const MANY_CHARACTERS = 8 * 1024
const MAX_LATE_VALUE = 40
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
  /** `truncated`: there are more differences than those listed. */
  | { kind: 'different', differences: JsonDifference[], truncated: boolean, places: JsonPlaces }
  /** One of the texts is not JSON, or they hold an object that repeats a key, so that its value is anybody's guess. */
  | { kind: 'not json' }
  /** Too deep, or too many values. */
  | { kind: 'too complex' }

/** Where two documents differ, in what way. */
export interface JsonPlaces {
  /** The kind and, behind a space, the folded and masked pointer: `changed /prices/*`. */
  readonly keys: string[]
  /** For each of them, its first difference among those listed. */
  readonly firsts: number[]
  /** Whether there may be more of them. */
  more: boolean
}

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
  readonly #places: JsonPlaces = { keys: [], firsts: [], more: false }
  /** How often each was met, by its name before it is masked. */
  readonly #alike = new Map<string, number>()
  #placeCharacters = 0
  #valueCharacters = 0
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
    return { kind: 'different', differences: this.#differences, truncated: this.#truncated, places: this.#places }
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
    if (this.#found === MAX_FOUND) return this.#stop()
    const secret = this.#levels.findIndex((level) => this.#isSecret(level))
    const within = secret !== -1 && secret < this.#levels.length - 1
    const path = this.#levels.slice(0, secret === -1 ? Infinity : secret + 1).map((level) => level.segment)
    const change = within ? 'changed' : this.#change(a, b, secret !== -1)
    const place = `${change} ${foldPointer(toPointer(path))}`
    const alike = this.#alike.get(place) ?? 0
    if (alike === 0 && this.#alike.size === MAX_PLACES) return this.#stop()
    this.#found++
    this.#pause -= PAIRS_A_DIFFERENCE
    this.#alike.set(place, alike + 1)
    if (alike >= MAX_ALIKE || (alike > 0 && this.#differences.length >= MAX_LISTED)) {
      this.#truncated = true
    } else {
      const pointer = toPointer(path.map((segment) => this.#redactor.text(beginning(segment, MAX_SEGMENT))))
      if (alike === 0) this.#addPlace(`${change} ${foldPointer(pointer)}`)
      this.#differences.push(within ? masked(pointer) : this.#difference(pointer, change, a, b, secret !== -1))
    }
    // One difference is all that is said of a secret field.
    if (secret !== -1) this.#levels.length = secret + 1
  }

  #stop (): void {
    this.#truncated = this.#stopped = this.#places.more = true
  }

  /** The place of the difference that is listed next. Masked, several may have one name. */
  #addPlace (key: string): void {
    const { keys, firsts } = this.#places
    if (keys.includes(key)) return
    this.#placeCharacters += key.length
    if (this.#placeCharacters > MAX_PLACE_CHARACTERS) return this.#stop()
    keys.push(key)
    firsts.push(this.#differences.length)
  }

  /** Of a secret it is not said of which type it is. */
  #change (a: number, b: number, secret: boolean): JsonDifference['change'] {
    if (a === NONE) return 'added'
    if (b === NONE) return 'removed'
    return secret || typeOf(this.#a.kind(a)) === typeOf(this.#b.kind(b)) ? 'changed' : 'type'
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

  #difference (pointer: string, change: JsonDifference['change'], a: number, b: number, secret: boolean): JsonDifference {
    const difference: JsonDifference = { pointer, change }
    if (a !== NONE) difference.primary = secret ? MASK : this.#shown(this.#a, a)
    if (b !== NONE) difference.mirror = secret ? MASK : this.#shown(this.#b, b)
    return difference
  }

  #shown (tape: Tape, node: number): string {
    const text = this.#redactor.json(tape, node, this.#valueCharacters > MANY_CHARACTERS ? MAX_LATE_VALUE : MAX_VALUE)
    this.#valueCharacters += text.length
    return text
  }
}

function masked (pointer: string): JsonDifference {
  return { pointer, change: 'changed', primary: MASK, mirror: MASK }
}

/** One for each type of JSON, by the first character of a value. */
function typeOf (kind: string): string {
  if (kind === 'f') return 't'
  return kind === '-' || (kind >= '0' && kind <= '9') ? '0' : kind
}
