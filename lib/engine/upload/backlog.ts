import { LARGEST_BLOCK } from '../blocks'
import type { Memory } from '../budget'

const SMALLEST_BLOCK = 4 * 1024

interface Block {
  /** Offset in the body of the block's first byte. */
  readonly start: number
  readonly bytes: Buffer
  /** Bytes written; less than `bytes.length` only in the last block. */
  length: number
}

/**
 * A request body on its way to its copies: appended as it comes, read by each copy at its own offset, freed when the
 * slowest has it. What it holds is taken from the budget.
 *
 * Chunks are copied together: whoever reads the same stream may write to them, and a client that sends single bytes
 * would make every byte cost an object and a share of a socket's read buffer. A new block of 64 KiB takes some 15 us
 * for that, and on a busy machine 50, which a proxied upload need not pay: a chunk is kept by reference where it is
 * `fixed`, and most of the memory that it keeps alive.
 */
export class Backlog {
  /** Bytes appended. */
  received = 0
  /** The body is complete. */
  ended = false
  /** Whether nobody writes to what is appended from now on. */
  fixed = false
  readonly #budget: Memory
  #expected: number
  #blocks: Block[] = []
  #open = false

  /** @param expected the body's length as the client declared it; 0: not known */
  constructor (budget: Memory, expected: number) {
    this.#budget = budget
    this.#expected = expected
  }

  /** `false`: the budget does not allow it, and the body is no longer whole. */
  append (chunk: Uint8Array): boolean {
    const fills = chunk.length >= SMALLEST_BLOCK && chunk.length * 2 >= chunk.buffer.byteLength
    if (this.fixed && this.#budget.blocks === null && fills) {
      if (!this.#budget.take(chunk.length)) return false
      const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)
      this.#blocks.push({ start: this.received, bytes, length: chunk.length })
      this.#open = false
      this.received += chunk.length
      return true
    }
    return this.#copy(chunk)
  }

  #copy (chunk: Uint8Array): boolean {
    let from = 0
    while (from < chunk.length) {
      const block = this.#open ? this.#blocks[this.#blocks.length - 1] : this.#allocate(chunk.length - from)
      if (block === null) return false
      const copied = Math.min(chunk.length - from, block.bytes.length - block.length)
      block.bytes.set(chunk.subarray(from, from + copied), block.length)
      block.length += copied
      from += copied
      this.received += copied
      this.#open = block.length < block.bytes.length
    }
    return true
  }

  /**
   * Sizes blocks by what has come and is coming, not by what was announced: a client may announce much and send little.
   */
  #allocate (coming: number): Block | null {
    const missing = this.#expected - this.received
    const wanted = Math.min(Math.max(coming, this.received, SMALLEST_BLOCK), LARGEST_BLOCK)
    const size = missing > 0 ? Math.min(missing, wanted) : wanted
    if (!this.#budget.take(size)) return null
    const block = { start: this.received, bytes: this.#memory(size), length: 0 }
    this.#blocks.push(block)
    return block
  }

  /** The budget has it already; where there is none, it has it back. */
  #memory (size: number): Buffer {
    try {
      return this.#budget.blocks?.take(size) ?? Buffer.allocUnsafeSlow(size)
    } catch (error) {
      this.#budget.free(size)
      throw error
    }
  }

  /** The bytes at hand from `offset` on, as far as they lie together; `null`: none yet. */
  read (offset: number): Buffer | null {
    for (const block of this.#blocks) {
      if (offset < block.start + block.length) {
        return block.bytes.subarray(offset - block.start, block.length)
      }
    }
    return null
  }

  /** All bytes that have not been released, in one piece, as which they are held from now on. */
  whole (): Buffer {
    if (this.#blocks.length !== 1) this.#join()
    const [{ bytes, length }] = this.#blocks
    return bytes.subarray(0, length)
  }

  #join (): void {
    const bytes = Buffer.concat(this.#blocks.map(({ bytes, length }) => bytes.subarray(0, length)))
    const start = this.received - bytes.length
    this.dispose()
    // Never more than what has just been given back.
    this.#budget.take(bytes.length)
    this.#blocks = [{ start, bytes, length: bytes.length }]
  }

  /** Frees what lies before `offset`; what lies before `flushed` no socket reads any more. */
  release (offset: number, flushed: number): void {
    while (this.#blocks.length > 0) {
      const { start, bytes, length } = this.#blocks[0]
      if (start + length > offset || (this.#open && this.#blocks.length === 1)) return
      this.#budget.free(bytes.length)
      this.#blocks.shift()
      if (start + length <= flushed) this.#budget.blocks?.give(bytes)
    }
  }

  /** Frees everything. */
  dispose (): void {
    for (let last = this.#blocks.at(-1); last !== undefined; last = this.#blocks.at(-1)) {
      this.#budget.free(last.bytes.length)
      this.#blocks.pop()
    }
    this.#open = false
  }
}
