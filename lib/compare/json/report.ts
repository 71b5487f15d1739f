import { MASK } from '../../secrets'
import { foldPointer, toPointer } from '../pointer'
import { SHAPE, numberShape, textShape, wider } from '../shape'
import type { Shape } from '../shape'
import { isSecretMember, isSecretText, secretMembers } from '../secrets/pairs'
import { beginning } from '../user-info'
import { typeOf } from '../rules/values'
import { NONE } from './values'
import type { JsonDifference } from '../../../types/index'
import type { Redactor } from '../redact'
import type { SecretMembers } from '../secrets/pairs'
import type { Tape } from '../tape'
import type { Plan } from './arrays/align'
import type { Level } from './level'

export type { JsonDifference }

/** Places (`/prices/*`) at which a document is found to differ, and characters of their names. */
const MAX_PLACES = 128
const MAX_PLACE_CHARACTERS = 16 * 1024
/** Differences that a report lists: the first at each place, and of others the first few. */
const MAX_LISTED = 100
const MAX_ALIKE = 2
/** Differences that are looked at before the rest of a document is left alone. */
const MAX_FOUND = 5000
/** Characters of a value that a report shows, as long as all together are not so many, and of one of the rest. */
const MAX_VALUE = 200
const MANY_CHARACTERS = 8 * 1024
const MAX_LATE_VALUE = 40
/** Differences of which it is told what they look like, and characters of a value. */
const MAX_SHAPES = 500
const MAX_SHAPED = 1024
/** Characters of a key that are looked at, of which a pointer shows fewer. */
const MAX_SEGMENT = 1024

/** What masks what is told. */
export type Masker = Pick<Redactor, 'isSecret' | 'json' | 'text'>

/** Where two documents differ, in what way. */
export interface JsonPlaces {
  /** The kind and, behind a space, the folded and masked pointer: `changed /prices/*`. */
  readonly keys: string[]
  /** For each of them, its first difference among those listed. */
  readonly firsts: number[]
  /** Whether there may be more of them. */
  more: boolean
  /** For each what all differences there look like. Only where somebody asked for that. */
  readonly shapes?: Shape[]
}

/** What is told of the differences of two documents: bounded, and with secrets masked. */
export class Report {
  readonly differences: JsonDifference[] = []
  readonly places: JsonPlaces
  /** There are more differences than those listed. */
  truncated = false
  /** An array had so many items that stand elsewhere or differ that they were compared by index. */
  byIndex = false
  /** No more of them is looked at. */
  full = false
  readonly #a: Tape
  readonly #b: Tape
  readonly #masker: Masker
  /** Of events: levels above their data. */
  readonly #own: number
  /** How often each place was met, by its name before it is masked. */
  readonly #alike = new Map<string, number>()
  #placeCharacters = 0
  #valueCharacters = 0
  #found = 0
  /** Of each place, by its name before it is masked, that among the keys. */
  readonly #indices = new Map<string, number>()

  /** `shapes`: whether it is told what differences look like. */
  constructor (a: Tape, b: Tape, masker: Masker, own: number, shapes = false) {
    this.places = { keys: [], firsts: [], more: false, ...shapes ? { shapes: [] } : {} }
    this.#a = a
    this.#b = b
    this.#masker = masker
    this.#own = own
  }

  /**
   * The child that the last of `levels` is at differs: `a` in the primary's document, `b` in the shadow's. Of a secret
   * field one difference is all that is said: `levels` are cut behind it, and the answer is `true`.
   */
  add (levels: Level[], a: number, b: number, order = false): boolean {
    if (this.#found === MAX_FOUND) return this.#stop()
    const secret = levels.findIndex((level) => this.#isSecret(level))
    const within = secret !== -1 && secret < levels.length - 1
    const path = levels.slice(this.#own, secret === -1 ? Infinity : secret + 1).map((level) => level.segment)
    const moved = order && secret === -1
    const change = within ? 'changed' : moved ? 'order' : this.#change(levels.length, a, b, secret !== -1)
    const place = `${change} ${foldPointer(toPointer(path))}`
    const alike = this.#alike.get(place) ?? 0
    if (alike === 0 && this.#alike.size === MAX_PLACES) return this.#stop()
    this.#found++
    this.#alike.set(place, alike + 1)
    if (alike >= MAX_ALIKE || (alike > 0 && this.differences.length >= MAX_LISTED)) {
      this.truncated = true
    } else {
      const pointer = toPointer(path.map((segment) => this.#masker.text(beginning(segment, MAX_SEGMENT))))
      if (alike === 0) this.#addPlace(`${change} ${foldPointer(pointer)}`, place)
      const difference = within ? masked(pointer) : this.#difference(pointer, change, a, b, secret !== -1)
      if (this.#own > 0 && levels.length > 0) difference.event = Number(levels[0].segment)
      this.differences.push(difference)
    }
    const { shapes } = this.places
    if (shapes !== undefined) {
      this.#addShape(shapes, place, change === 'order' ? SHAPE.order : within ? SHAPE.other : this.#shapeOf(a, b))
    }
    if (secret === -1) return false
    levels.length = secret + 1
    return true
  }

  #stop (): false {
    this.truncated = this.full = this.places.more = true
    return false
  }

  /** The place of the difference that is listed next. Masked, several may have one name. */
  #addPlace (key: string, place: string): void {
    const { keys, firsts } = this.places
    const known = keys.indexOf(key)
    this.#indices.set(place, known === -1 ? keys.length : known)
    if (known !== -1) return
    this.#placeCharacters += key.length
    if (this.#placeCharacters > MAX_PLACE_CHARACTERS) {
      this.#stop()
      return
    }
    keys.push(key)
    firsts.push(this.differences.length)
  }

  /** What one difference more looks like. */
  #addShape (shapes: Shape[], place: string, shape: Shape): void {
    const index = this.#indices.get(place) as number
    if (index < this.places.keys.length) shapes[index] = index < shapes.length ? wider(shapes[index], shape) : shape
  }

  #shapeOf (a: number, b: number): Shape {
    if (a === NONE || b === NONE) return SHAPE.absent
    // Most are alike: what is told of many is told of the first.
    if (this.#found > MAX_SHAPES) return SHAPE.other
    const [one, other] = [this.#a.kind(a), this.#b.kind(b)]
    if (one === 'n' || other === 'n') return SHAPE.absent
    if (typeOf(one) !== typeOf(other)) return SHAPE.other
    const [source, second] = [this.#a.source(a), this.#b.source(b)]
    if (Math.max(source.length, second.length) > MAX_SHAPED) return SHAPE.type
    if (one === '"') return textShape(this.#a.string(a), this.#b.string(b))
    return typeOf(one) === '0' ? numberShape(source, second) : SHAPE.type
  }

  /** Of a secret it is not said of which type it is. */
  #change (depth: number, a: number, b: number, secret: boolean): JsonDifference['change'] {
    if ((a === NONE || b === NONE) && depth <= this.#own) return 'event'
    if (a === NONE) return 'added'
    if (b === NONE) return 'removed'
    return secret || typeOf(this.#a.kind(a)) === typeOf(this.#b.kind(b)) ? 'changed' : 'type'
  }

  /** Whether the child that is being compared is one, by its own name or by what is beside it. */
  #isSecret (level: Level): boolean {
    if (!level.array) {
      if (this.#masker.isSecret(level.segment)) return true
      level.secrets ??= [this.#secretsOf(this.#a, level.firstA), this.#secretsOf(this.#b, level.firstB)]
      return level.secrets.some((members) => isSecretMember(level.segment, members))
    }
    const { nodesA, nodesB, a, b } = level.plan as Plan
    return this.#isBehindSecret(this.#a, nodesA, a[level.pair]) || this.#isBehindSecret(this.#b, nodesB, b[level.pair])
  }

  #isBehindSecret (tape: Tape, items: readonly number[], index: number): boolean {
    return index > 0 && isSecretText(tape, items[index - 1], this.#masker)
  }

  #secretsOf (tape: Tape, first: number): SecretMembers {
    return first === 0 ? 'none' : secretMembers(tape, first - 1, this.#masker)
  }

  #difference (
    pointer: string, change: JsonDifference['change'], a: number, b: number, secret: boolean
  ): JsonDifference {
    const difference: JsonDifference = { pointer, change }
    if (a !== NONE) difference.primary = secret ? MASK : this.#shown(this.#a, a)
    if (b !== NONE) difference.shadow = secret ? MASK : this.#shown(this.#b, b)
    return difference
  }

  #shown (tape: Tape, node: number): string {
    const text = this.#masker.json(tape, node, this.#valueCharacters > MANY_CHARACTERS ? MAX_LATE_VALUE : MAX_VALUE)
    this.#valueCharacters += text.length
    return text
  }
}

function masked (pointer: string): JsonDifference {
  return { pointer, change: 'changed', primary: MASK, shadow: MASK }
}
