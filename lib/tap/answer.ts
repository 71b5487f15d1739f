import type { EventEmitter } from 'node:events'
import type { ServerResponse } from 'node:http'
import { ReadableStream } from 'node:stream/web'
import type { ReadableStreamDefaultReader } from 'node:stream/web'
import { kAnswer } from '../symbols'

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
  /** Of the observed stream: the methods that it had. */
  emit!: Emit
  push!: Push
  readonly #response: ServerResponse
  #watched = false
  #listener: AnswerListener | null
  #heard = 0
  #lastChunkAt = 0
  #heldBack = 0

  constructor (listener: AnswerListener, response: ServerResponse) {
    this.#listener = listener
    this.#response = response
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

  /** A piece has been written to the response: where that is full now, the client's taking it is waited for. */
  written (): void {
    if (!this.#watched && this.#response.writableNeedDrain !== false) this.watchDrain()
  }

  watchDrain (): void {
    this.#watched = true
    ;(this.#response as unknown as Observed)[kAnswer] = this
    this.#response.on('drain', onDrain)
  }

  /** The response was full, and the client has now taken it. */
  drained (): void {
    if (this.#listener !== null) this.#heldBack += performance.now() - this.#lastChunkAt
  }

  detach (): void {
    this.#listener = null
  }
}

type Emit = (event: unknown, value?: unknown) => boolean
type Push = (chunk: unknown, encoding?: BufferEncoding) => boolean

interface Observed {
  [kAnswer]: Answer
}

type Stream = Observed & {
  emit: Emit
  push?: Push
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
  answer.emit = stream.emit
  stream.emit = observedEmit
  if (typeof stream.push !== 'function' || typeof stream.readableLength !== 'number') return
  // What is buffered already is counted in bytes or in objects.
  if (stream.readableLength === 0 || stream.readableObjectMode === false) answer.expected = stream.readableLength
  answer.push = stream.push
  stream.push = observedPush
}

function observedEmit (this: Stream, event: unknown, value?: unknown): boolean {
  const answer = this[kAnswer]
  switch (event) {
    case 'data': {
      answer.data(value)
      const heard = answer.emit.call(this, event, value)
      answer.written()
      return heard
    }
    case 'end':
      answer.end()
      break
    case 'error':
      answer.fail()
      break
    case 'close':
      answer.close()
  }
  // As many arguments as there were: listeners may count them.
  return answer.emit.apply(this, arguments as unknown as Parameters<Emit>)
}

function observedPush (this: Stream, chunk: unknown, encoding?: BufferEncoding): boolean {
  const answer = this[kAnswer]
  if (typeof chunk === 'string') answer.expected += Buffer.byteLength(chunk, encoding)
  else if (chunk instanceof Uint8Array) answer.expected += chunk.length
  return answer.push.call(this, chunk, encoding)
}

function onDrain (this: unknown): void {
  (this as Observed)[kAnswer].drained()
}

/**
 * Observes a web stream by the reader that somebody gets of it, as Fastify's sender and `Readable.fromWeb` do: it reads of a stream between
 * that holds nothing, for what a reader's own `read` gives is not all that is read (`fromWeb` of Node 26). `tee`, `clone` and a second
 * reader would buffer without bound behind a slow client. Whoever pipes it (`pipeTo`, `pipeThrough`) or iterates over it gets no
 * such reader, and is not observed.
 */
export function tapWebStream (stream: ReadableStream, answer: Answer): void {
  answer.watchDrain()
  let between: ReadableStream | null = null
  Object.defineProperty(stream, 'getReader', {
    configurable: true,
    writable: true,
    value: function getReader (this: ReadableStream, options?: { mode?: 'byob' }) {
      const { getReader } = Object.getPrototypeOf(this)
      if (options?.mode === 'byob') return observeReads(getReader.call(this, options), answer)
      between ??= observed(getReader.call(this, options), answer)
      return between.getReader()
    }
  })
}

interface Reads {
  read (...args: unknown[]): Promise<{ done: boolean, value?: unknown }>
}

/** Of a reader into buffers of its user's own: a stream between would have to hold what they do not take. */
function observeReads (reader: Reads, answer: Answer): Reads {
  const { read } = reader
  reader.read = function (...args) {
    const reading = read.apply(this, args)
    reading.then(({ done, value }) => {
      if (done) answer.end()
      else answer.data(value)
    }, () => answer.fail())
    return reading
  }
  return reader
}

/** What a reader gives, and `answer` hears of it. */
function observed (reader: ReadableStreamDefaultReader, answer: Answer): ReadableStream {
  return new ReadableStream({
    async pull (controller) {
      try {
        const { done, value } = await reader.read()
        if (done) {
          answer.end()
          controller.close()
        } else {
          answer.data(value)
          controller.enqueue(value)
        }
      } catch (error) {
        answer.fail()
        controller.error(error)
      }
    },
    cancel (reason) {
      // What is read of a cancelled stream is its end.
      answer.detach()
      return reader.cancel(reason)
    }
  }, { highWaterMark: 0 })
}
