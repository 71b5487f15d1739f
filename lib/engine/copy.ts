import type { Dispatcher } from 'undici'
import type { Guard, Holder } from '../guard'
import type { CapturedBody, ComparedAnswer } from '../compare/answer'
import { Digest, NO_DIGEST } from '../compare/digest'
import { latin1 } from '../compare/latin1'
import { Capture } from './capture'
import { constantError } from './constant-error'
import type { Backlog } from './backlog'
import { CopyBody } from './copy-body'
import type { BodySender } from './copy-body'
import type { Expiring } from './deadlines'
import type { Exchange } from './exchange'
import type { Slot, Target } from './target'
import type { CopyHead, CopySink, FailureReason } from './types'

const TIMED_OUT = constantError('not complete within the mirror\'s timeout')
const FLOODED = constantError('too many interim answers')
/** Interim answers (1xx) of one copy. Each costs as much as an answer. */
const MAX_INTERIM = 256
const NO_HEADERS: readonly string[] = []
const CONTENT_ENCODING = 'content-encoding'
const REFUSALS: ReadonlySet<unknown> =
  new Set(['UND_ERR_INVALID_ARG', 'UND_ERR_NOT_SUPPORTED', 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH'])

/**
 * One copy of a request on its way to one backend: waiting for its first bytes, then the client library's, whose callbacks these
 * are, then answered or failed. It ends once, when the client library has let go of it, and then frees all it held.
 *
 * The callbacks are undici's older set: those of the newer one cost an object and a parsed header record an answer.
 */
export class Copy implements Expiring, ComparedAnswer, BodySender, Holder {
  deadline = 0
  earlier: this | null = null
  later: this | null = null

  readonly exchange: Exchange
  readonly target: Target
  readonly sink: CopySink
  ended = false
  /** Its sink has heard the last. */
  told = false
  /** The final answer's status; 0: no head yet. */
  status = 0
  /** The answer's Content-Encoding in lower case; empty without one. */
  encoding = ''
  /** The answer's headers, names and values in turn, where they are compared. */
  headers: readonly string[] = NO_HEADERS
  /** There was no memory for them. */
  headersLost = false
  /** Of the answer's body, where compared. */
  digest: Digest
  /** The answer's body, where it is looked into. */
  body: CapturedBody = 'memory'
  capture: Capture | null = null
  /** Milliseconds from dispatch on a connection to the answer's end; NaN where the event loop was blocked meanwhile. */
  ms = 0

  readonly #head: CopyHead
  /** Bytes of the digest that are counted. */
  #kept = 0
  #body: CopyBody | null = null
  #slot: Slot | null = null
  #abort: ((error: Error) => void) | null = null
  #reason: FailureReason | null = null
  #dispatchedAt = 0
  #interim = 0
  /** The client library has the request. */
  #given = false
  /** It has let go of it. */
  #released = false
  /** Bytes of the request body that are held for the backend. */
  #held = 0
  /** Bytes by which the backend may lag without being slow: what waited for its connection, as far as it has not caught up. */
  #excused = 0
  /** The clock's, at dispatch. */
  #blocked = 0

  constructor (exchange: Exchange, target: Target, head: CopyHead, sink: CopySink, compare: boolean) {
    this.exchange = exchange
    this.target = target
    this.sink = sink
    this.#head = head
    this.digest = compare ? new Digest() : NO_DIGEST
  }

  /** The request is on a connection, and its answer awaited. */
  get running (): boolean {
    return this.#abort !== null
  }

  /** Bytes of the request body that are the backend's. */
  get sent (): number {
    return this.#body === null ? 0 : this.#body.offset
  }

  /** Bytes of the request body that have left the process, as far as is known. */
  get sentAndFlushed (): number {
    return this.#body === null ? 0 : this.#body.flushed
  }

  get flushed (): boolean {
    return this.#slot !== null && this.#slot.flushed
  }

  advanced (): void {
    const left = (this.exchange.backlog as Backlog).received - this.sent
    if (left < this.#held) this.#letGo(this.#held - left)
    this.exchange.advanced()
  }

  /** More of the request body is kept until the backend has it. `false`: it holds as much as it may. */
  hold (bytes: number): boolean {
    if (this.ended || this.#reason !== null) return true
    if (!this.target.share.hold(bytes)) return false
    this.#held += bytes
    return true
  }

  #letGo (bytes: number): void {
    this.target.share.letGo(bytes)
    this.#held -= bytes
  }

  /**
   * Whether the backend takes the request body more slowly than the client sends it: it has fallen behind by `maxBacklogBytes` since its
   * connection stood. What it is being given now is on its way.
   */
  fellBehind (received: number): boolean {
    if (!this.running || this.#body === null) return false
    const behind = received - this.#body.given
    if (behind < this.#excused) this.#excused = behind
    return behind - this.#excused > this.target.maxBacklogBytes
  }

  dispatch (): void {
    const { exchange, target } = this
    const slot = this.#slot = target.acquire(this)
    slot.client.dispatch({
      origin: target.origin,
      path: this.#head.path,
      method: exchange.method as Dispatcher.HttpMethod,
      headers: this.#framed(),
      body: this.#bodyToSend() as Dispatcher.DispatchOptions['body'],
      servername: target.servername
    } as Dispatcher.DispatchOptions, this)
    this.#given = true
  }

  get guard (): Guard {
    return this.target.guard
  }

  #framed (): string[] {
    const { length } = this.exchange
    if (length > 0) this.#head.headers.push('content-length', String(length))
    return this.#head.headers
  }

  #bodyToSend (): Buffer | CopyBody | null {
    const { backlog } = this.exchange
    if (backlog === null || (backlog.ended && backlog.received === 0)) return null
    if (backlog.ended) {
      const whole = backlog.read(0)
      if (whole !== null && whole.length === backlog.received) return whole
    }
    this.#body = new CopyBody(backlog, this)
    return this.#body
  }

  /** The request body has more bytes, or has ended. */
  wake (): void {
    this.#body?.wake()
  }

  onDeadline (): void {
    this.abort(this.#dispatchedAt === 0 ? 'connect' : 'timeout', TIMED_OUT)
  }

  /** Ends the copy as failed for `reason`. Does nothing when it has ended. */
  abort (reason: FailureReason, error: Error): void {
    if (this.ended || this.#reason !== null) return
    this.#reason = reason
    this.#giveUp(error)
  }

  /** The mirror itself failed: whatever state the copy is in, it ends. */
  fail (error: unknown): void {
    if (this.ended) {
      this.exchange.lose(this, error)
    } else {
      this.#reason ??= 'error'
      this.#giveUp(error as Error)
    }
  }

  #giveUp (error: Error): void {
    if (this.#slot === null || !this.#given || this.#released) this.breaks(error)
    else if (this.#abort === null) this.#slot.kill(error)
    else this.#slot.abandon(this.#abort, error)
  }

  // undici's callbacks.

  onConnect (abort: (error?: Error) => void): void {
    this.guard.enter<Copy, typeof abort, void>(this, connects, abort)
  }

  onHeaders (status: number, headers: Buffer[]): boolean {
    this.guard.enter<Copy, number, Buffer[], void>(this, answers, status, headers)
    return true
  }

  // `false` would pause the answer.
  onData (chunk: Buffer): boolean {
    this.guard.enter<Copy, Buffer, void>(this, adds, chunk)
    return true
  }

  onComplete (): void {
    this.#released = true
    this.guard.enter<Copy, void>(this, completes)
  }

  onError (error: NodeJS.ErrnoException): void {
    this.#released = true
    this.guard.enter<Copy, NodeJS.ErrnoException, void>(this, breaks, error)
  }

  /** @internal The request is about to be written on a connection. */
  connects (abort: (error?: Error) => void): void {
    this.#abort = abort
    if (this.#reason !== null) {
      abort()
      return
    }
    const { backlog, hasAllOfBody } = this.exchange
    if (!hasAllOfBody) this.target.deadlines.stop(this)
    this.#excused = backlog === null ? 0 : backlog.received;
    (this.#slot as Slot).begin()
    this.#blocked = this.target.clock.blocked
    this.#dispatchedAt = performance.now()
  }

  /** @internal A head has come, of a 1xx answer too. */
  answers (status: number, headers: Buffer[]): void {
    if (status < 200) {
      if (++this.#interim > MAX_INTERIM) this.abort('reset', FLOODED)
      return
    }
    this.status = status
    if (this.digest !== NO_DIGEST) this.#keep(headers)
  }

  /** Of the answer, what a comparison may need. */
  #keep (headers: Buffer[]): void {
    const { comparer, share, maxCapture } = this.target
    this.encoding = contentEncoding(headers)
    // As text of ISO 8859-1 (RFC 9110, section 5.5).
    if (comparer.detailed) this.headers = headers.map(latin1)
    // Nobody else has what this connection reads.
    if (comparer.keeps(this.encoding)) this.capture = new Capture(share, maxCapture, true)
  }

  /** @internal */
  adds (chunk: Buffer): void {
    if (this.digest !== NO_DIGEST) this.digest.update(chunk)
    this.capture?.add(chunk)
  }

  /** @internal */
  completes (): void {
    const { broken } = this.#slot as Slot
    if (broken === null) this.#complete()
    else this.breaks(broken)
  }

  #complete (): void {
    (this.#slot as Slot).rest()
    const { clock } = this.target
    clock.check()
    this.ms = clock.since(this.#dispatchedAt, this.#blocked)
    if (this.digest !== NO_DIGEST) this.digest.end()
    this.#end()
    this.exchange.answered(this)
  }

  /** @internal */
  breaks (error: NodeJS.ErrnoException): void {
    if (this.ended) return
    // A 304 may tell the length of what it stands for, and a 204 must not tell any (RFC 9110, section 8.6): neither has a body, which undici
    // takes for one cut short.
    if ((this.status === 304 || this.status === 204) && error.code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH') {
      this.#complete()
      return
    }
    const refused = this.#dispatchedAt === 0 && this.#reason === null && isRefusal(error)
    const reason = this.#reason ?? this.#brokeBy()
    this.freeAnswer()
    this.#end()
    if (refused) this.guard.enter(this.sink, refusedAs, error)
    else this.guard.enter(this.sink, failedAs, reason, error)
    this.exchange.failed(this)
  }

  /** What its connection's end is called, in the state in which the copy is. */
  #brokeBy (): FailureReason {
    if (this.#dispatchedAt === 0) return 'connect'
    if (this.status !== 0) return 'body'
    return (this.#slot as Slot).stale ? 'staleConnection' : 'reset'
  }

  /** The answer has to wait for the primary's, which may take any time: what it keeps is counted. */
  wait (): void {
    const { share } = this.target
    const length = lengthOf(this.headers)
    const kept = this.digest.kept + length
    if (share.take(kept)) {
      this.#kept = kept
      return
    }
    this.digest.seal()
    // Rather its headers than its body.
    this.capture?.dispose()
    if (share.take(length)) {
      this.#kept = length
    } else {
      this.headersLost = this.headers.length > 0
      this.headers = NO_HEADERS
    }
  }

  /** The answer will not be looked into any more. */
  freeAnswer (): void {
    this.capture?.dispose()
    this.body = 'memory'
    this.digest = NO_DIGEST
    this.headers = NO_HEADERS
    this.target.share.free(this.#kept)
    this.#kept = 0
  }

  /** Each step may be taken again where a later one threw. */
  #end (): void {
    this.target.deadlines.stop(this)
    this.#letGo(this.#held)
    if (this.#slot !== null) this.target.release(this.#slot)
    this.#slot = null
    this.#abort = null
    this.#body?.close()
    this.ended = true
    this.exchange.copyEnded()
  }
}

function lengthOf (list: readonly string[]): number {
  let length = 0
  for (const item of list) length += item.length
  return length
}

/** The client library would not send such a request at all. */
function isRefusal (error: NodeJS.ErrnoException): boolean {
  return REFUSALS.has(error.code)
}

/** All Content-Encoding values in lower case, joined as RFC 9110, section 5.3 says; `''` without any. */
function contentEncoding (headers: Buffer[]): string {
  let found = ''
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i].length === CONTENT_ENCODING.length && latin1(headers[i]).toLowerCase() === CONTENT_ENCODING) {
      found = (found === '' ? '' : found + ', ') + latin1(headers[i + 1]).toLowerCase()
    }
  }
  return found
}

function connects (copy: Copy, abort: (error?: Error) => void): void {
  copy.connects(abort)
}

function answers (copy: Copy, status: number, headers: Buffer[]): void {
  copy.answers(status, headers)
}

function adds (copy: Copy, chunk: Buffer): void {
  copy.adds(chunk)
}

function completes (copy: Copy): void {
  copy.completes()
}

function breaks (copy: Copy, error: NodeJS.ErrnoException): void {
  copy.breaks(error)
}

function refusedAs (sink: CopySink, error: Error): void {
  sink.onRefused(error)
}

function failedAs (sink: CopySink, reason: FailureReason, error: Error): void {
  sink.onFailed(reason, error)
}
