/** `HTTP/1.1 100`: so much of a status line says whether an answer is an interim one. */
const STATUS_AT = 9
const STATUS_END = 12
const LF = 0x0a
const CR = 0x0d
const ZERO = 0x30
const ONE = 0x31
const TWO = 0x32

/**
 * Lets the client library skip a `100 Continue` that nobody asked for, as it skips every other interim answer (RFC
 * 9110, section 15.2): undici takes it for a fault of the connection, so it is shown `102 Processing`, which means no
 * more than that the final answer is still to come.
 *
 * It follows an answer's bytes, in pieces of any size, up to the status of the final head, and keeps none of them.
 */
export class Interim {
  /** Characters of the status line that have passed; past its status: the rest of an interim head. */
  #at = 0
  /** The status so far is that of `100 Continue`. */
  #hundred = true
  /** The line that passes is empty so far: the head's last. */
  #lineEmpty = false
  #done = true

  /** A request is about to be written: what comes next is the first byte of its answer. */
  begin (): void {
    this.#at = 0
    this.#hundred = true
    this.#done = false
  }

  /** Bytes on their way to the client library, which has not seen them yet. */
  pass (bytes: Buffer): void {
    for (let i = 0; i < bytes.length && !this.#done; i++) {
      if (this.#at < STATUS_END) this.#statusLine(bytes, i)
      else i = this.#head(bytes, i)
    }
  }

  #statusLine (bytes: Buffer, i: number): void {
    const byte = bytes[i]
    // Empty lines may come before it.
    if (this.#at === 0 && (byte === CR || byte === LF)) return
    if (this.#at === STATUS_AT) this.#done = byte !== ONE
    else if (this.#at > STATUS_AT && byte !== ZERO) this.#hundred = false
    if (++this.#at < STATUS_END) return
    if (this.#hundred) bytes[i] = TWO
    this.#lineEmpty = false
  }

  /** Up to the head's end, or as far as it has come. Returns where the next line begins, less one. */
  #head (bytes: Buffer, i: number): number {
    const end = bytes.indexOf(LF, i)
    const last = end === -1 ? bytes.length : end
    for (let at = i; at < last && this.#lineEmpty; at++) this.#lineEmpty = bytes[at] === CR
    if (end === -1) return last
    if (this.#lineEmpty) this.begin()
    this.#lineEmpty = true
    return end
  }
}
