import { latin1 } from '../../compare/latin1'
import type { TargetOptions } from '../types'

/**
 * What the two sides say to each other: many operations in one message, as a flat array, for an object an operation would cost the
 * primary's event loop more than what it carries. Bytes lie in slabs, whose memory is handed over, not copied. An exchange's id is a small
 * number, given again when the last of its copies is known to have ended. The thread forgets it before it tells of that, so what is still
 * on its way there for the old one reaches nobody.
 */

/** Operations to the thread; behind each its arguments. `bytes`: Latin-1 text, or three: slab, offset, length. */
export const ToThread = {
  /** id, method, length, has a body, compare, copies; for each copy: target, path, headers joined by NUL */
  Open: 0,
  /** id, bytes */
  Body: 1,
  /** id */
  BodyEnd: 2,
  /** id */
  Cut: 3,
  /** id, reason */
  Overflow: 4,
  /** id, status, encoding, headers joined by NUL or `null`, ms, the body: a string, or `null` and bytes */
  PrimaryWhole: 5,
  /** id, status, encoding, headers joined by NUL or `null` */
  PrimaryStarts: 6,
  /** id, bytes */
  PrimaryData: 7,
  /** id, ms */
  PrimaryEnds: 8,
  /** id, reason */
  PrimaryLost: 9,
  /** id, message */
  Fail: 10
} as const

/** Operations from the thread; behind each: id, copy, its arguments. */
export const FromThread = {
  /** message, code */
  Refused: 0,
  /** reason, message, code */
  Failed: 1,
  /** status, ms */
  Answered: 2,
  /** Difference or `null`, primary's ms or NaN, difference in ms */
  Compared: 3,
  /** reason */
  NotCompared: 4,
  /** Answered and compared at once, and nothing differs: status, ms, primary's ms or NaN, difference in ms */
  Matched: 5,
  /** Not of an exchange: the mirror itself failed. message, stack */
  Fault: 6
} as const

export type OpToThread = typeof ToThread[keyof typeof ToThread]
export type OpFromThread = typeof FromThread[keyof typeof FromThread]

export interface Batch {
  ops: unknown[]
  slabs: Uint8Array[]
}

/** What the thread is started with. */
export interface ThreadData {
  maxBufferedBytes: number
}

/** A message to the thread: a batch, a new target, one whose connections are to be replaced, with other options or the same, or the end. */
export type MessageToThread =
  { batch: Batch } |
  { target: TargetOptions } |
  { retire: number, connect?: TargetOptions['connect'] } |
  { close: number }

/**
 * A message from the thread. `processed`: batches that it is done with since it began. `held`: bytes that it holds now. `slabs`: those of
 * the batches, to be used again.
 */
export interface MessageFromThread {
  ops: unknown[]
  processed: number
  held: number
  slabs: Uint8Array[]
}

/**
 * Milliseconds for which each side collects what it has to say: a message costs as much as what many requests put into it, and wakes
 * the other side's event loop.
 */
export const COLLECTING = 1

/** Neither a header nor its name may have it (RFC 9110, section 5.5). */
const SEPARATOR = '\0'

/** Headers as one string. It crosses at a fraction of the cost of many. */
export type JoinedHeaders = string | readonly string[]

/** One that has the separator all the same, from a lenient parser or a handler, must not become several: such a list crosses as it is. */
export function joinHeaders (headers: readonly string[]): JoinedHeaders {
  for (const header of headers) if (header.includes(SEPARATOR)) return headers
  return headers.join(SEPARATOR)
}

export function splitHeaders (joined: JoinedHeaders): string[] {
  if (typeof joined !== 'string') return [...joined]
  return joined === '' ? [] : joined.split(SEPARATOR)
}

/** Up to this, bytes cross as text of one byte a character: as quick as a slab is for many, and without one. */
const SHORT = 1024
const SMALLEST_SLAB = 4 * 1024
const LARGEST_SLAB = 256 * 1024
/** Most slabs that are kept to be used again. */
const MAX_SPARE = 16

/** Operations and bytes collected for the next message. */
export class Outbox {
  ops: unknown[] = []
  #slabs: Uint8Array[] = []
  #slab: Uint8Array | null = null
  #used = 0
  #text: string | null = null
  #placed = 0
  #nextSize = SMALLEST_SLAB
  readonly #spare: Uint8Array[] = []

  /**
   * Makes room for bytes: short ones become text, others are copied into a slab. Before the operation that they are of, which must be pushed
   * as a whole or not at all.
   */
  place (bytes: Uint8Array): void {
    this.#placed = bytes.length
    this.#text = bytes.length <= SHORT ? latin1(bytes) : null
    if (this.#text !== null) return
    if (this.#slab === null || this.#slab.length - this.#used < bytes.length) this.#newSlab(bytes.length)
    ;(this.#slab as Uint8Array).set(bytes, this.#used)
  }

  /** Pushes what was placed last: the text, or where it lies. */
  pushPlaced (): void {
    if (this.#text !== null) {
      this.ops.push(this.#text)
      return
    }
    this.ops.push(this.#slabs.length - 1, this.#used, this.#placed)
    this.#used += this.#placed
  }

  #newSlab (least: number): void {
    const size = Math.max(this.#nextSize, least)
    const spare = this.#spare.pop()
    // allocUnsafeSlow: a slab is transferred, and must not be a piece of Node's pool.
    this.#slab = spare !== undefined && spare.length >= size ? spare : Buffer.allocUnsafeSlow(size)
    this.#slabs.push(this.#slab)
    this.#used = 0
    this.#nextSize = Math.min(this.#nextSize * 2, LARGEST_SLAB)
  }

  /**
   * Slabs came back, and are written to again: new ones for each batch would be garbage on the thread, which has little else, and so
   * collects it late. Not those that were made for a single long body.
   */
  reuse (slabs: Uint8Array[]): void {
    for (const slab of slabs) if (slab.length <= LARGEST_SLAB && this.#spare.length < MAX_SPARE) this.#spare.push(slab)
  }

  /** What has been collected; the outbox is empty again. */
  take (): Batch {
    // What a time of large bodies needed is let go of when it is over.
    if (this.#slabs.length === 0) this.#spare.pop()
    const batch = { ops: this.ops, slabs: this.#slabs }
    this.#nextSize = Math.min(Math.max(SMALLEST_SLAB, this.#used * 2), LARGEST_SLAB)
    this.ops = []
    this.#slabs = []
    this.#slab = null
    this.#used = 0
    return batch
  }
}
