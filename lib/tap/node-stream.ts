import { EventEmitter } from 'node:events'
import { Readable } from 'node:stream'
import { kTap } from '../symbols'
import { hear } from './answer'
import type { Answer } from './answer'

type Emit = (event: unknown, value?: unknown) => boolean
type Push = (chunk: unknown, encoding?: BufferEncoding) => boolean

type Tapped = EventEmitter & {
  [kTap]?: StreamTap
  emit: Emit
  push?: Push
  readableLength?: number
  readableObjectMode?: boolean
}

/** The original methods of a stream, and its taps: it may answer several requests. */
class StreamTap {
  readonly emit: Emit
  readonly push: Push | undefined
  first: Answer | null = null

  constructor (stream: Tapped) {
    this.emit = stream.emit
    this.push = stream.push
  }
}

/**
 * Observes a Node stream by what it emits. A listener of 'data', even one that does not start the flow, would start it,
 * and lose bytes for the primary, when somebody's 'readable' listener is removed.
 *
 * Some readers get bytes that are never emitted (`text()` of undici's bodies), or emitted twice (after `unshift`): only
 * when what was heard is as much as what was pushed was the answer heard.
 *
 * Of a stream that its reader may leave half-read, or read in such a way, `atSource` hears what it is given instead, if
 * it is new.
 *
 * The methods are shadowed once, for all who ever listen: whoever shadowed them meanwhile calls ours, and ours must not
 * call itself.
 */
export function tapNodeStream (emitter: EventEmitter, answer: Answer, atSource = false): void {
  const stream = emitter as Tapped
  const countable = typeof stream.push === 'function' && typeof stream.readableLength === 'number'
  let tap = stream[kTap]
  if (tap === undefined) {
    tap = new StreamTap(stream)
    stream[kTap] = tap
    stream.emit = observedEmit
    if (countable) stream.push = observedPush
  }
  answer.atSource = atSource && countable && stream.readableLength === 0
  // The buffer's length is in bytes or in objects.
  const known = countable && (stream.readableLength === 0 || stream.readableObjectMode === false)
  if (known && !answer.atSource) answer.expected = stream.readableLength as number
  answer.older = tap.first
  tap.first = answer
}

/** Lets `answer` hear no more. */
export function untapNodeStream (emitter: EventEmitter, answer: Answer): void {
  const tap = (emitter as Tapped)[kTap]
  if (tap === undefined) return
  if (tap.first === answer) tap.first = answer.older
  for (let other = tap.first; other !== null; other = other.older) {
    if (other.older === answer) other.older = answer.older
  }
}

function observedEmit (this: Tapped, event: unknown, value?: unknown): boolean {
  const tap = this[kTap]
  // Somebody took the method for another stream.
  if (tap === undefined) {
    return EventEmitter.prototype.emit.apply(this, arguments as unknown as Parameters<EventEmitter['emit']>)
  }
  tell(tap, emitted, event, value)
  if (event === 'data' && arguments.length === 2) {
    const heard = tap.emit.call(this, event, value)
    tell(tap, written, event, value)
    return heard
  }
  // The number of arguments stays: listeners may count them.
  return tap.emit.apply(this, arguments as unknown as Parameters<Emit>)
}

function observedPush (this: Tapped, chunk: unknown, encoding?: BufferEncoding): boolean {
  const tap = this[kTap]
  if (tap === undefined) return Readable.prototype.push.call(this as unknown as Readable, chunk, encoding)
  tell(tap, given, chunk, encoding)
  return (tap.push as Push).call(this, chunk, encoding)
}

/** Tells each tap. A tap may leave because of what it hears. */
function tell<A, B> (tap: StreamTap, run: (answer: Answer, a: A, b: B) => void, a: A, b: B): void {
  let answer = tap.first
  while (answer !== null) {
    const { older }: Answer = answer
    answer.guard.enter(answer, run, a, b)
    answer = older
  }
}

function written (answer: Answer): void {
  answer.written()
}

function emitted (answer: Answer, event: unknown, value: unknown): void {
  if (!answer.atSource || (event !== 'data' && event !== 'end')) hear(answer, event, value)
}

function given (answer: Answer, chunk: unknown, encoding?: BufferEncoding): void {
  if (answer.atSource) {
    if (chunk === null) answer.end()
    else answer.data(typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk)
  } else {
    expect(answer, chunk, encoding)
  }
}

function expect (answer: Answer, chunk: unknown, encoding?: BufferEncoding): void {
  if (typeof chunk === 'string') answer.expected += Buffer.byteLength(chunk, encoding)
  else if (chunk instanceof Uint8Array) answer.expected += chunk.length
}
