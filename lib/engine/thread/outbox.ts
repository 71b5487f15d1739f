import { latin1 } from '../../compare/latin1'
import type { Batch } from './protocol'

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
   * Makes room for bytes: short ones become text, others are copied into a slab. Before the operation that they are of,
   * which must be pushed as a whole or not at all.
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
   * Slabs came back, and are written to again: new ones for each batch would be garbage on the thread, which has little
   * else, and so collects it late. Not those that were made for a single long body.
   */
  reuse (slabs: Uint8Array[]): void {
    for (const slab of slabs) if (slab.length <= LARGEST_SLAB && this.#spare.length < MAX_SPARE) this.#spare.push(slab)
  }

  /** Takes what has been collected. The outbox is empty again. */
  take (): Batch {
    // A large buffer is let go of once bodies are small again.
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
