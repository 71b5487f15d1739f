import type { EventEmitter } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { ReadableStream, ReadableStreamDefaultReader, ReadableStreamReadResult } from 'node:stream/web'
import { kAnswer, kEmit, kPush } from '../symbols'

/** Hears the primary's answer as it flows. */
export interface AnswerListener {
  onAnswerData (chunk: Uint8Array): void
  onAnswerEnd (): void
}

/** A client that makes the primary's answer wait longer than this, in milliseconds, makes its time meaningless. */
const NOTICEABLE = 1

/**
 * One streamed answer of the primary under observation: counts how long the client held it back, and hands what flows to
 * `listener` until detached.
 */
export class Answer {
  /** The stream failed before its end. */
  failed = false
  /** The stream was closed before its end. */
  closed = false
  /** Bytes that have to be heard until the end; NaN: not known. */
  expected = NaN
  #listener: AnswerListener | null
  #heard = 0
  #lastChunkAt = 0
  #heldBack = 0

  constructor (listener: AnswerListener) {
    this.#listener = listener
  }

  get heldBack (): boolean {
    return this.#heldBack > NOTICEABLE
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

  fail (): void {
    if (this.#listener !== null) this.failed = true
  }

  close (): void {
    if (this.#listener !== null) this.closed = true
  }

  /** The response was full, and the client has now taken it. */
  drained (): void {
    if (this.#listener !== null) this.#heldBack += performance.now() - this.#lastChunkAt
  }

  detach (): void {
    this.#listener = null
  }
}

interface Observed {
  [kAnswer]: Answer
  [kEmit]: (...args: unknown[]) => boolean
  [kPush]: (chunk: unknown, encoding?: BufferEncoding) => boolean
}

type Stream = Observed & {
  emit: Observed[typeof kEmit]
  push?: Observed[typeof kPush]
  readableLength?: number
  readableObjectMode?: boolean
}

/**
 * Observes a Node stream by what it emits. A listener of 'data', even one that does not start the flow, would start it, and lose bytes for
 * the primary, when somebody's 'readable' listener is removed.
 *
 * Some readers get bytes that are never emitted (`text()` of undici's bodies), or emitted twice (after `unshift`): only when what was
 * heard is as much as what was pushed was the answer heard.
 */
export function tapNodeStream (emitter: EventEmitter, answer: Answer): void {
  const stream = emitter as unknown as Stream
  stream[kAnswer] = answer
  stream[kEmit] = stream.emit
  stream.emit = observedEmit
  if (typeof stream.push !== 'function' || typeof stream.readableLength !== 'number') return
  // What is buffered already is counted in bytes or in objects.
  if (stream.readableLength === 0 || stream.readableObjectMode === false) answer.expected = stream.readableLength
  stream[kPush] = stream.push
  stream.push = observedPush
}

/** Observes when the client takes what a response holds. */
export function tapDrain (response: ServerResponse, answer: Answer): void {
  (response as unknown as Observed)[kAnswer] = answer
  response.on('drain', onDrain)
}

function observedEmit (this: Stream, ...args: unknown[]): boolean {
  switch (args[0]) {
    case 'data':
      this[kAnswer].data(args[1])
      break
    case 'end':
      this[kAnswer].end()
      break
    case 'error':
      this[kAnswer].fail()
      break
    case 'close':
      this[kAnswer].close()
  }
  return this[kEmit](...args)
}

function observedPush (this: Stream, chunk: unknown, encoding?: BufferEncoding): boolean {
  if (typeof chunk === 'string') this[kAnswer].expected += Buffer.byteLength(chunk, encoding)
  else if (chunk instanceof Uint8Array) this[kAnswer].expected += chunk.length
  return this[kPush](chunk, encoding)
}

function onDrain (this: unknown): void {
  (this as Observed)[kAnswer].drained()
}

type Reader = ReadableStreamDefaultReader & Pick<Observed, typeof kAnswer>

/**
 * Observes a web stream by the reader that somebody gets of it, as Fastify's sender and `Readable.fromWeb` do. `tee`, `clone` and a second
 * reader would buffer without bound behind a slow client. Whoever pipes it (`pipeTo`, `pipeThrough`) gets no such
 * reader, and is not observed.
 */
export function tapWebStream (stream: ReadableStream, answer: Answer): void {
  Object.defineProperty(stream, 'getReader', {
    configurable: true,
    writable: true,
    value: function getReader (this: ReadableStream, ...options: []) {
      const reader = Object.getPrototypeOf(this).getReader.apply(this, options) as Reader
      reader[kAnswer] = answer
      reader.read = observedRead
      reader.cancel = observedCancel
      return reader
    }
  })
}

function observedRead (this: Reader, ...args: []): Promise<ReadableStreamReadResult<unknown>> {
  const reading = Object.getPrototypeOf(this).read.apply(this, args) as Promise<ReadableStreamReadResult<unknown>>
  const answer = this[kAnswer]
  reading.then(result => {
    if (result.done) answer.end()
    else answer.data(result.value)
  }, () => answer.fail())
  return reading
}

/** What is read of a cancelled stream is its end. */
function observedCancel (this: Reader, ...args: []): Promise<void> {
  this[kAnswer].detach()
  return Object.getPrototypeOf(this).cancel.apply(this, args) as Promise<void>
}
