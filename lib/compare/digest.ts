import { createHash, hash } from 'node:crypto'
import type { Hash } from 'node:crypto'

const ALGORITHM = 'sha256'
/** Up to this, a first piece is kept for a hash in one shot, which costs a fraction of a `Hash` object. */
const SMALL = 8 * 1024
const EMPTY = hash(ALGORITHM, '')

/** SHA-256 and length of a body, as it flows. */
export class Digest {
  length = 0
  #first: Buffer | null = null
  #hash: Hash | null = null

  update (chunk: Uint8Array): void {
    this.length += chunk.length
    if (this.#hash !== null) {
      this.#hash.update(chunk)
    } else if (this.#first !== null) {
      this.#hash = createHash(ALGORITHM).update(this.#first).update(chunk)
      this.#first = null
    } else if (chunk.length <= SMALL) {
      // A copy: the chunk is a piece of a socket's read buffer, which it would keep alive.
      this.#first = Buffer.from(chunk)
    } else {
      this.#hash = createHash(ALGORITHM).update(chunk)
    }
  }

  /** In hexadecimal. Ends the digest. */
  end (): string {
    if (this.#hash !== null) return this.#hash.digest('hex')
    return this.#first === null ? EMPTY : hash(ALGORITHM, this.#first)
  }
}

/** The digest of a body that is at hand as a whole. */
export function digestOf (body: string | Uint8Array): string {
  return body.length === 0 ? EMPTY : hash(ALGORITHM, body)
}
