import type { ServerResponse } from 'node:http'
import type { Guard, Holder } from '../guard'

/** Hears the primary's answer as it flows. */
export interface AnswerListener extends Holder {
  readonly guard: Guard
  onAnswerData (chunk: Uint8Array): void
  onAnswerEnd (): void
}

/** A client that makes the primary's answer wait longer than this, in milliseconds, makes its time meaningless. */
const NOTICEABLE_MS = 1

/**
 * One streamed answer of the primary under observation: counts how long the client held it back, and hands what flows
 * to `listener` until detached.
 */
export class Answer {
  /** The stream failed before its end. */
  failed = false
  /** The stream was closed before its end. */
  closed = false
  /** Bytes that have to be heard until the end; NaN: not known. */
  expected = NaN
  /** Whether the tap hears what the stream is given, rather than what it gives. */
  atSource = false
  /** An older tap of the same stream, which answers another request, too. */
  older: Answer | null = null
  readonly guard: Guard
  readonly #response: ServerResponse
  #watched = false
  #listener: AnswerListener | null
  #heard = 0
  #lastChunkAt = 0
  #heldBack = 0

  constructor (listener: AnswerListener, response: ServerResponse) {
    this.#listener = listener
    this.#response = response
    this.guard = listener.guard
  }

  get mirrorId (): string | undefined {
    return this.#listener?.mirrorId
  }

  /** Hears no more, and tells its listener why. */
  fail (error: unknown): void {
    const listener = this.#listener
    this.#listener = null
    listener?.fail(error)
  }

  get heldBack (): boolean {
    return this.#heldBack > NOTICEABLE_MS
  }

  /** Anything but bytes and text is the sender's to refuse. */
  data (chunk: unknown): void {
    if (this.#listener === null) return
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    if (!(bytes instanceof Uint8Array)) return
    this.#lastChunkAt = performance.now()
    this.#heard += bytes.length
    this.#listener.onAnswerData(bytes)
  }

  end (): void {
    const listener = this.#listener
    this.#listener = null
    if (Number.isNaN(this.expected) || this.expected === this.#heard) listener?.onAnswerEnd()
  }

  error (): void {
    if (this.#listener !== null) this.failed = true
  }

  close (): void {
    if (this.#listener !== null) this.closed = true
  }

  /** A piece has been written to the response: where that is full now, the client's taking it is waited for. */
  written (): void {
    if (!this.#watched && this.#response.writableNeedDrain !== false) this.watchDrain()
  }

  watchDrain (): void {
    this.#watched = true
    this.#response.on('drain', this.guard.door<Answer, void, void>(this, drained))
  }

  /** The response was full, and the client has now taken it. */
  drained (): void {
    if (this.#listener !== null) this.#heldBack += performance.now() - this.#lastChunkAt
  }

  detach (): void {
    this.#listener = null
  }
}

/** A stream's events, as an answer hears them. */
export function hear (answer: Answer, event: unknown, value: unknown): void {
  switch (event) {
    case 'data':
      answer.data(value)
      break
    case 'end':
      answer.end()
      break
    case 'error':
      answer.error()
      break
    case 'close':
      answer.close()
  }
}

function drained (answer: Answer): void {
  answer.drained()
}
