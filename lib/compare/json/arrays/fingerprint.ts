import { randomBytes } from 'node:crypto'
import { canonicalNumber } from '../../decimal'
import { standsFor } from '../../rules/values'
import { keyAt } from '../keys'
import type { Steps } from '../../../steps'
import type { Standing } from '../../rules/standing'
import type { Tape } from '../../tape'

/** Nodes between two places where the work can be put off, and characters that are worth one. */
const NODES_A_STEP = 256
const CHARACTERS_A_NODE = 64
/** Characters of a text that count, at its beginning and at its end, besides its length. */
const MAX_ENDS = 4096
const HIGH = 2 ** 32
/** Of what is not compared: all such is alike. */
const IGNORED = 1

/** Nobody outside knows them, so nobody can prepare texts of one fingerprint. */
const SEED = randomBytes(8)
const SEED_LOW = SEED.readInt32LE(0)
const SEED_HIGH = SEED.readInt32LE(4)

/** A container that is being read, and what its children have given so far. */
interface Frame {
  readonly node: number
  readonly end: number
  readonly object: boolean
  readonly at: Standing
  /** The next child; of an object, its key. */
  next: number
  /** Children so far; of an object, without those that are left out. */
  count: number
  /** Of the key whose value is being read. */
  key: number
  low: number
  high: number
}

/**
 * A number of 52 bits for each value of a document, the same for equal values, however they are written: objects in
 * any order of their keys, numbers by value, all without what is ignored, and as alike as rules say. Different values
 * may have one number, such as very long texts of which only the middle differs: what has one number is compared all
 * the same.
 */
export class Fingerprints {
  readonly #tape: Tape
  /** By node. Each is read once, whatever asks for it. */
  readonly #known: Float64Array
  readonly #frames: Frame[] = []
  #pause = NODES_A_STEP

  constructor (tape: Tape) {
    this.#tape = tape
    this.#known = new Float64Array(tape.size)
  }

  of (node: number): number {
    return this.#known[node]
  }

  /**
   * Reads items of an array that is at `array`, the first of them at `index`. Turns once a node and once a character:
   * whoever wrote the document chooses how often, as far as a tape is long.
   */
  * read (items: readonly number[], index: number, array: Standing): Steps<void> {
    for (let at = 0; at < items.length; at++) {
      const item = items[at]
      const place = array.below(String(index + at))
      if (place.skipped) this.#known[item] = IGNORED
      else if (this.#known[item] === 0) this.#enter(item, place)
      while (this.#frames.length > 0) {
        if (this.#turn()) yield
        this.#next(this.#frames[this.#frames.length - 1])
      }
      if (this.#turn()) yield
    }
  }

  #turn (): boolean {
    if (--this.#pause > 0) return false
    this.#pause = NODES_A_STEP
    return true
  }

  #enter (node: number, at: Standing): void {
    const kind = this.#tape.kind(node)
    const common = at.exact ? null : standsFor(at, this.#tape, node)
    if (common !== null) {
      this.#end(node, this.#text(common))
      return
    }
    if (kind !== '{' && kind !== '[') {
      this.#end(node, this.#scalar(node))
      return
    }
    const end = this.#tape.nexts[node]
    const object = kind === '{'
    this.#frames.push({ node, end, object, at, next: node + 1, count: 0, key: 0, low: SEED_LOW, high: SEED_HIGH })
  }

  #next (frame: Frame): void {
    if (frame.next === frame.end) {
      this.#frames.pop()
      this.#end(frame.node, join(frame.low ^ frame.count, frame.high ^ (frame.object ? 1 : 2)))
      return
    }
    const key = frame.object ? keyAt(this.#tape, frame.next) : ''
    const node = frame.object ? frame.next + 1 : frame.next
    const at = frame.at.below(frame.object ? key.slice(1, -1) : String(frame.count))
    frame.next = this.#tape.nexts[node]
    // What may be missing says nothing.
    const ignored = at.skipped || (at.optional && frame.object)
    // What stands behind it in an array has its place all the same.
    if (!ignored || !frame.object) frame.count++
    if (ignored) return
    if (frame.object) frame.key = this.#text(key)
    this.#enter(node, at)
  }

  /** A value is read: it goes into what holds it. */
  #end (node: number, value: number): void {
    this.#known[node] = value
    const { length } = this.#frames
    if (length > 0) add(this.#frames[length - 1], value)
  }

  #scalar (node: number): number {
    const source = this.#tape.source(node)
    if (source[0] === '"') return this.#text(keyAt(this.#tape, node))
    return this.#text(source[0] === '-' || isDigit(source) ? canonicalNumber(source) : source)
  }

  #text (text: string): number {
    const length = Math.min(text.length, MAX_ENDS * 2)
    this.#pause -= length / CHARACTERS_A_NODE
    let low = SEED_LOW ^ text.length
    let high = SEED_HIGH
    for (let at = 0; at < length; at++) {
      const unit = text.charCodeAt(at < MAX_ENDS ? at : text.length - length + at)
      low = Math.imul(low ^ unit, 0x01000193)
      high = Math.imul(high ^ unit, 0x5bd1e995)
      high = (high << 13) | (high >>> 19)
    }
    return join(low, high)
  }
}

function isDigit (source: string): boolean {
  return source[0] >= '0' && source[0] <= '9'
}

/** Of an object the order of its members does not count, of an array that of its items does. */
function add (frame: Frame, value: number): void {
  const low = value | 0
  const high = (value / HIGH) | 0
  if (frame.object || frame.at.unordered !== false) {
    const keyHigh = (frame.key / HIGH) | 0
    frame.low = (frame.low + finish(Math.imul(frame.key | 0, 0x2545f491) ^ low)) | 0
    frame.high = (frame.high + finish(Math.imul(keyHigh, 0x27d4eb2f) ^ high ^ Math.imul(low, 0x165667b1))) | 0
  } else {
    frame.low = (Math.imul(frame.low ^ low, 0x01000193) + high) | 0
    frame.high = Math.imul(frame.high ^ high, 0x5bd1e995)
    frame.high = ((frame.high << 13) | (frame.high >>> 19)) ^ low
  }
}

/** Never 0: that is what is not known yet. */
function join (low: number, high: number): number {
  return (finish(high) & 0x1fffff | 0x100000) * HIGH + (finish(low ^ high) >>> 0)
}

/** Each bit of the result depends on each of the other: the end of MurmurHash3. */
function finish (bits: number): number {
  let mixed = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return mixed ^ (mixed >>> 16)
}
