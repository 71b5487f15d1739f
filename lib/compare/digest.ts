import { createHash, hash } from 'node:crypto'
import type { Hash } from 'node:crypto'
import { latin1 } from './latin1'

const ALGORITHM = 'sha256'
/** Up to this, a body in one piece is hashed in one shot, which costs a fraction of a `Hash` object. */
const SMALL = 8 * 1024
/** Up to this, a body in one piece is kept until it is compared, and hashed only when it differs. */
const SHORT = 2 * 1024
const EMPTY = hash(ALGORITHM, '')

/** SHA-256 and length of a body, as it flows. */
export class Digest {
  length = 0
  /**
   * All of the body so far, as long as that was one small piece; a byte a character. Text, for bytes would be a piece
   * of a socket's read buffer, or of one that Node shares among many, and keep it alive.
   */
  #text = ''
  #hash: Hash | null = null
  #hex = ''

  /** Of a body that is at hand as a whole. */
  static of (body: string | Uint8Array): Digest {
    const digest = new Digest()
    digest.length = typeof body === 'string' ? Buffer.byteLength(body) : body.length
    if (digest.length > SHORT) digest.#hex = hash(ALGORITHM, body)
    else digest.#text = typeof body === 'string' ? Buffer.from(body).toString('latin1') : latin1(body)
    return digest
  }

  update (chunk: Uint8Array): void {
    if (this.#hash !== null) {
      this.#hash.update(chunk)
    } else if (this.length === 0 && chunk.length <= SMALL) {
      this.#text = latin1(chunk)
    } else {
      this.#hash = createHash(ALGORITHM).update(this.#text, 'latin1').update(chunk)
      this.#text = ''
    }
    this.length += chunk.length
  }

  /** The body is complete. */
  end (): void {
    if (this.#hash !== null) {
      this.#hex = this.#hash.digest('hex')
      this.#hash = null
    } else if (this.length > SHORT) {
      this.seal()
    }
  }

  /** Bytes of a complete body that are kept. */
  get kept (): number {
    return this.#text.length
  }

  /** Keeps nothing of a complete body but its hash. */
  seal (): void {
    this.#hex = this.hex
    this.#text = ''
  }

  /** Whether two complete bodies are the same. */
  equals (other: Digest): boolean {
    if (this.length !== other.length) return false
    return this.#hex === '' && other.#hex === '' ? this.#text === other.#text : this.hex === other.hex
  }

  /** Of a complete body, in hexadecimal. */
  get hex (): string {
    if (this.#hex === '') this.#hex = this.length === 0 ? EMPTY : hashOf(this.#text)
    return this.#hex
  }
}

/** Where nothing is compared. */
export const NO_DIGEST = new Digest()

function hashOf (text: string): string {
  return hash(ALGORITHM, Buffer.from(text, 'latin1'))
}
