import type { Budget } from '../budget'

/** Most bytes on their way; a thread that falls behind further gets no more. */
const MAX_BYTES = 16 * 1024 * 1024
/** Most batches on their way: what at least a second brings. */
const MAX_BATCHES = 1000

/** Bytes on their way to a thread, from when they are collected until it is done with the batch that brought them. */
export class Transit {
  readonly #budget: Budget
  /** Bytes of the batch that is being collected. */
  #collected = 0
  /** Bytes of each batch that the thread is not yet done with. */
  #sent: number[] = []
  #bytes = 0
  #processed = 0

  constructor (budget: Budget) {
    this.#budget = budget
  }

  /** The thread is not yet done with what at least a second brought. */
  get behind (): boolean {
    return this.#sent.length > MAX_BATCHES
  }

  /** Counts so many more bytes as collected; or says what there is too little of. */
  take (bytes: number): 'memory' | 'thread' | null {
    // A single piece is not too much for a thread that has nothing else to do.
    if (this.#bytes > 0 && this.#bytes + bytes > MAX_BYTES) return 'thread'
    if (!this.#budget.take(bytes)) return 'memory'
    this.#collected += bytes
    this.#bytes += bytes
    return null
  }

  /** The batch goes out. */
  send (): void {
    this.#sent.push(this.#collected)
    this.#collected = 0
  }

  /** @param count batches that the thread is done with since it began */
  processed (count: number): void {
    for (const bytes of this.#sent.splice(0, count - this.#processed)) {
      this.#bytes -= bytes
      this.#budget.free(bytes)
    }
    this.#processed = count
  }

  /**
   * The thread is gone, and what was sent with it. The next one counts from 0; what is being collected stays counted.
   */
  clear (): void {
    this.processed(this.#processed + this.#sent.length)
    this.#processed = 0
  }
}
