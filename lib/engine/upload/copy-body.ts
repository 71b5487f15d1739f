import type { Guard, Holder } from '../../guard'
import type { Backlog } from './backlog'
import { LARGEST_BLOCK } from '../blocks'

/** Whose body it is. */
export interface BodySender extends Holder {
  readonly guard: Guard
  /** The connection has nothing left to write. */
  readonly flushed: boolean
  /** The socket has taken more. */
  advanced (): void
}

const DONE: IteratorResult<Buffer> = Object.freeze({ done: true, value: undefined })

/**
 * One copy's way through a body that is still being received, at the pace of its socket: the client asks for the next
 * piece when the socket has taken the one before.
 */
export class CopyBody implements AsyncIterableIterator<Buffer> {
  /** Bytes that the socket has taken. */
  offset = 0
  /** Bytes that have left the process, as far as is known. */
  flushed = 0
  readonly #backlog: Backlog
  readonly #sender: BodySender
  #given = 0
  #closed = false
  #wake: ((result: IteratorResult<Buffer>) => void) | null = null

  constructor (backlog: Backlog, sender: BodySender) {
    this.#backlog = backlog
    this.#sender = sender
  }

  [Symbol.asyncIterator] (): this {
    return this
  }

  next (): Promise<IteratorResult<Buffer>> {
    // Never the end, which the backend would take for the body's: whoever waits is let go of with its connection.
    return this.#sender.guard.enter(this.#sender, next, this) ?? new Promise(() => {})
  }

  /** @internal The next piece. */
  piece (): Promise<IteratorResult<Buffer>> {
    if (this.#given > 0) {
      this.offset += this.#given
      this.#given = 0
      if (this.#sender.flushed) this.flushed = this.offset
      this.#sender.advanced()
    }
    const result = this.#read()
    if (result !== null) return Promise.resolve(result)
    return new Promise(resolve => { this.#wake = resolve })
  }

  /** Offset of what has not been given to the socket. */
  get given (): number {
    return this.offset + this.#given
  }

  /** The backlog has more, or has ended. */
  wake (): void {
    if (this.#wake === null) return
    const result = this.#read()
    if (result === null) return
    const wake = this.#wake
    this.#wake = null
    wake(result)
  }

  /**
   * Lets go of whoever waits for the next piece. Only for a copy that has ended: a running one would take it for the
   * body's end.
   */
  close (): void {
    this.#closed = true
    this.wake()
  }

  #read (): IteratorResult<Buffer> | null {
    if (this.#closed) return DONE
    // TLS takes more than this only in several turns of the event loop.
    const value = this.#backlog.read(this.offset)?.subarray(0, LARGEST_BLOCK)
    if (value !== undefined) {
      this.#given = value.length
      return { done: false, value }
    }
    return this.#backlog.ended ? DONE : null
  }
}

function next (_: BodySender, body: CopyBody): Promise<IteratorResult<Buffer>> {
  return body.piece()
}
