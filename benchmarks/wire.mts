const HEAD_END = Buffer.from('\r\n\r\n')
const LENGTH = /\r\ncontent-length: *(\d+)/i
const CHUNKED = /\r\ntransfer-encoding: *chunked/i
const LF = 10

/**
 * Finds the messages in one direction of an HTTP/1.1 connection, and throws their bodies away. It trusts its peer: what
 * stands beside a measured gateway on the same machine must cost as little as can be.
 */
export class MessageReader {
  readonly #onMessage: (head: string) => void
  #head = ''
  /** The beginning of a head, or of a line, whose rest has not come. */
  #partial: Buffer | null = null
  #state: 'head' | 'body' | 'size' | 'chunk' | 'trailer' = 'head'
  #left = 0

  constructor (onMessage: (head: string) => void) {
    this.#onMessage = onMessage
  }

  read (bytes: Buffer): void {
    if (this.#partial !== null) {
      bytes = Buffer.concat([this.#partial, bytes])
      this.#partial = null
    }
    let at = 0
    while (at < bytes.length) {
      const next = this.#step(bytes, at)
      if (next === -1) {
        this.#partial = bytes.subarray(at)
        return
      }
      at = next
    }
  }

  /** Where the next piece begins; -1: this one is not complete. */
  #step (bytes: Buffer, at: number): number {
    if (this.#state === 'head') return this.#readHead(bytes, at)
    if (this.#state === 'size' || this.#state === 'trailer') return this.#readLine(bytes, at)
    const taken = Math.min(this.#left, bytes.length - at)
    this.#left -= taken
    if (this.#left === 0) {
      if (this.#state === 'chunk') this.#state = 'size'
      else this.#complete()
    }
    return at + taken
  }

  #readHead (bytes: Buffer, at: number): number {
    const end = bytes.indexOf(HEAD_END, at)
    if (end === -1) return -1
    this.#head = bytes.toString('latin1', at, end)
    if (CHUNKED.test(this.#head)) {
      this.#state = 'size'
    } else {
      const length = LENGTH.exec(this.#head)
      this.#left = length === null ? 0 : Number(length[1])
      if (this.#left === 0) this.#complete()
      else this.#state = 'body'
    }
    return end + HEAD_END.length
  }

  #readLine (bytes: Buffer, at: number): number {
    const end = bytes.indexOf(LF, at)
    if (end === -1) return -1
    if (this.#state === 'size') {
      const size = parseInt(bytes.toString('latin1', at, end), 16)
      this.#state = size === 0 ? 'trailer' : 'chunk'
      this.#left = size + 2
    } else if (end === at + 1) {
      this.#complete()
    }
    return end + 1
  }

  #complete (): void {
    this.#state = 'head'
    this.#onMessage(this.#head)
  }
}
