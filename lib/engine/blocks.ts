import type { OnReadOpts } from 'node:net'
import { readInto } from './http/reads'

/** Bytes of a block that is kept to be used again. */
export const LARGEST_BLOCK = 64 * 1024
/** Blocks that are kept. */
const MAX_SPARE = 32

/**
 * Memory that is used again: on a thread that has little other garbage, what was used once would wait long to be
 * collected. For an engine that reads into memory that is written to again, so that whatever is kept has to be copied.
 */
export class Blocks {
  /** The block that all connections read into: as much as Node reads at once. */
  readonly onread: OnReadOpts = readInto(Buffer.allocUnsafeSlow(64 * 1024))
  readonly #spare: Buffer[] = []

  take (size: number): Buffer {
    return (size === LARGEST_BLOCK ? this.#spare.pop() : undefined) ?? Buffer.allocUnsafeSlow(size)
  }

  /** Nobody reads the block any more, nor does a socket. */
  give (block: Buffer): void {
    if (block.length === LARGEST_BLOCK && this.#spare.length < MAX_SPARE) this.#spare.push(block)
  }
}
