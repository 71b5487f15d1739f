/** Reads operations, and what belongs to each, in the order in which they were pushed. */
export class OpReader {
  readonly #ops: readonly unknown[]
  readonly #slabs: readonly Uint8Array[]
  #at = 0

  /** `slabs`: where the bytes lie that did not come as text. */
  constructor (ops: readonly unknown[], slabs: readonly Uint8Array[]) {
    this.#ops = ops
    this.#slabs = slabs
  }

  get more (): boolean {
    return this.#at < this.#ops.length
  }

  next<T> (): T {
    return this.#ops[this.#at++] as T
  }

  /** Reads what `Outbox.pushPlaced` wrote. */
  bytes (): Buffer {
    const first = this.next<string | number>()
    if (typeof first === 'string') return Buffer.from(first, 'latin1')
    const slab = this.#slabs[first]
    const offset = this.next<number>()
    return Buffer.from(slab.buffer, slab.byteOffset + offset, this.next<number>())
  }
}
