import { EventEmitter } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { ReadableStream, ReadableStreamDefaultReader, ReadableStreamReadResult } from 'node:stream/web'
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
  #listener: AnswerListener | null
  #lastChunkAt = 0
  #heldBack = 0

  constructor (listener: AnswerListener) {
    this.#listener = listener
  }

  get heldBack (): boolean {
    return this.#heldBack > NOTICEABLE
  }

  data (chunk: Uint8Array | string): void {
    if (this.#listener === null) return
    this.#lastChunkAt = performance.now()
    this.#listener.onAnswerData(typeof chunk === 'string' ? Buffer.from(chunk) : chunk)
  }

  end (): void {
    const listener = this.#listener
    this.#listener = null
    listener?.onAnswerEnd()
  }

  /** The response was full, and the client has now taken it. */
  drained (): void {
    if (this.#listener !== null) this.#heldBack += performance.now() - this.#lastChunkAt
  }

  detach (): void {
    this.#listener = null
  }
}

interface Observed { [kAnswer]?: Answer }

/** Observes a Node stream without starting its flow: `on` of a Readable would, when it hears 'data', and that of undici's bodies, too. */
export function tapNodeStream (stream: EventEmitter, answer: Answer): void {
  (stream as Observed)[kAnswer] = answer
  EventEmitter.prototype.on.call(stream, 'data', onData)
  EventEmitter.prototype.on.call(stream, 'end', onEnd)
}

/** Observes when the client takes what a response holds. */
export function tapDrain (response: ServerResponse, answer: Answer): void {
  (response as Observed)[kAnswer] = answer
  response.on('drain', onDrain)
}

function onData (this: Observed, chunk: Uint8Array | string): void {
  this[kAnswer]?.data(chunk)
}

function onEnd (this: Observed): void {
  this[kAnswer]?.end()
}

function onDrain (this: Observed): void {
  this[kAnswer]?.drained()
}

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
      const reader = Object.getPrototypeOf(this).getReader.apply(this, options) as ReadableStreamDefaultReader
      (reader as Observed)[kAnswer] = answer
      reader.read = observedRead
      return reader
    }
  })
}

function observedRead (this: ReadableStreamDefaultReader & Observed, ...args: []): Promise<ReadableStreamReadResult<unknown>> {
  const reading = Object.getPrototypeOf(this).read.apply(this, args) as Promise<ReadableStreamReadResult<unknown>>
  const answer = this[kAnswer] as Answer
  reading.then(result => {
    if (result.done) answer.end()
    else answer.data(result.value as Uint8Array)
  }, noop)
  return reading
}

function noop (): void {}
