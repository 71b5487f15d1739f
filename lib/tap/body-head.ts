import { MAX_BODY } from '../mismatches/mismatch'

const NOTHING = Buffer.alloc(0)

/** The first bytes of a request's body, to be shown with a mismatch. */
export class BodyHead {
  bytes: Buffer = NOTHING
  #length = 0

  add (chunk: Buffer): void {
    const room = MAX_BODY - this.bytes.length
    // Copies: a piece of a chunk would keep all of it in memory.
    if (room > 0) this.bytes = Buffer.concat([this.bytes, chunk.subarray(0, room)])
    this.#length += chunk.length
  }

  /** Whether the bytes are all that have come. */
  get complete (): boolean {
    return this.#length === this.bytes.length
  }
}
