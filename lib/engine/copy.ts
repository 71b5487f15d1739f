import type { Guard } from '../guard'
import type { ComparableCopy } from './comparison/comparison'
import { CopyAnswer } from './comparison/copy-answer'
import { constantError } from './constant-error'
import type { Expiring } from './deadlines'
import type { Connection, ResponseHandler } from './http/connection'
import type { Target } from './target'
import type { CopyHead, CopySink, FailureReason } from './types'
import { CopyUpload } from './upload/copy-upload'
import type { UploadingCopy } from './upload/copy-upload'
import type { Upload } from './upload/upload'

const TIMED_OUT = constantError('not complete within the mirror\'s timeout')
const FLOODED = constantError('too many interim answers')
/** Interim answers (1xx) of one copy. Each costs as much as an answer. */
const MAX_INTERIM = 256
const REFUSALS: ReadonlySet<unknown> =
  new Set(['UND_ERR_INVALID_ARG', 'UND_ERR_NOT_SUPPORTED', 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH'])

/** Whose copy it is. */
export interface CopyOwner {
  readonly method: string
  readonly compare: boolean
  /** `null`: the request has no body. */
  readonly upload: Upload | null
  /** The body's length as the client declared it; 0: none, or not known. */
  readonly length: number
  /** It has let go of its connection. */
  copyEnded (): void
  answered (copy: Copy): void
  failed (copy: Copy): void
  /** Something of ours threw when it had ended: whatever was not done, is. */
  lose (copy: Copy, error: unknown): void
}

/** A copy that no connection has yet, or any more. */
interface Unconnected {
  readonly name: 'new' | 'answered' | 'failed' | 'settled'
  readonly connection: null
}

/** A copy whose request a connection has. */
interface Connected {
  name: 'connecting' | 'running' | 'aborting'
  readonly connection: Connection
  /** When the request was about to be written; 0: no connection stands yet. */
  startedAt: number
  /** The clock's, then. */
  blocked: number
  /** Why it is aborted; `null`: it is not. */
  reason: FailureReason | null
}

const NEW: Unconnected = { name: 'new', connection: null }
const ANSWERED: Unconnected = { name: 'answered', connection: null }
const FAILED: Unconnected = { name: 'failed', connection: null }
const SETTLED: Unconnected = { name: 'settled', connection: null }

/**
 * One copy of a request on its way to one backend.
 *
 * | state        | event                                     | next         |
 * |--------------|-------------------------------------------|--------------|
 * | `new`        | `dispatch`: a connection has the request  | `connecting` |
 * | `new`        | `abort`, `fail`                           | `failed`     |
 * | `connecting` | `onStart`: it is about to be written      | `running`    |
 * | `connecting` | `abort`, `onDeadline`, `fail`             | `aborting`   |
 * | `running`    | `abort`, `onDeadline`, `fail`             | `aborting`   |
 * | `running`    | `onEnd`: the answer is complete           | `answered`   |
 * | `aborting`   | `onEnd`: it was complete by then          | `answered`   |
 * | these three  | `onError`: the connection has let go      | `failed`     |
 * | `answered`   | `settle`: its sink has heard the last     | `settled`    |
 * | `failed`     | `settle`                                  | `settled`    |
 *
 * It ends once, in `answered` or `failed`, when its connection has let go of it, and then frees all that it held. Any
 * other event changes nothing, but for a failure of the mirror's own in a state after its end: what was not done then,
 * is.
 */
export class Copy implements ComparableCopy, UploadingCopy, ResponseHandler, Expiring {
  deadline = 0
  earlier: this | null = null
  later: this | null = null
  readonly keeper: Target
  readonly sink: CopySink
  readonly answer: CopyAnswer
  readonly upload: CopyUpload | null
  readonly #owner: CopyOwner
  readonly #head: CopyHead
  #state: Unconnected | Connected = NEW
  #interim = 0

  constructor (owner: CopyOwner, target: Target, head: CopyHead, sink: CopySink) {
    this.#owner = owner
    this.keeper = target
    this.#head = head
    this.sink = sink
    this.answer = new CopyAnswer(target, owner.compare)
    const { upload } = owner
    this.upload = upload === null ? null : new CopyUpload(this, upload, target.share, target.maxBacklogBytes)
  }

  get guard (): Guard {
    return this.keeper.guard
  }

  get ended (): boolean {
    return this.#state.connection === null && this.#state !== NEW
  }

  get asked (): readonly string[] {
    return this.#head.headers
  }

  get goesOn (): boolean {
    return this.#state === NEW || this.#state.name === 'connecting' || this.#state.name === 'running'
  }

  get running (): boolean {
    return this.#state.name === 'running'
  }

  get flushed (): boolean {
    return this.#state.connection !== null && this.#state.connection.flushed
  }

  get settled (): boolean {
    return this.#state === SETTLED
  }

  settle (): void {
    this.#state = SETTLED
  }

  dispatch (): void {
    const { deadlines, connections } = this.keeper
    // Before the body is complete: for the connection alone.
    deadlines.start(this)
    const connection = connections.acquire()
    this.#state = { name: 'connecting', connection, startedAt: 0, blocked: 0, reason: null }
    const { method } = this.#owner
    const body = this.upload === null ? null : this.upload.toSend()
    connection.send({ method, path: this.#head.path, headers: this.#framed(), body }, this)
  }

  #framed (): string[] {
    const { length } = this.#owner
    if (length > 0) this.#head.headers.push('content-length', String(length))
    return this.#head.headers
  }

  onBodyEnd (): void {
    this.keeper.deadlines.restart(this)
  }

  onDeadline (): void {
    const { connection } = this.#state
    this.abort(connection === null || (this.#state as Connected).startedAt === 0 ? 'connect' : 'timeout', TIMED_OUT)
  }

  /** Ends the copy as failed for `reason`. Does nothing when it has ended, or is being aborted. */
  abort (reason: FailureReason, error: Error): void {
    const state = this.#state
    if (state === NEW) this.#fail(reason, error)
    else if (state.connection !== null && state.reason === null) this.#abandon(state, reason, error)
  }

  onClose (error: Error): void {
    this.abort('aborted', error)
  }

  /** The mirror itself failed: whatever state the copy is in, it ends. */
  fail (error: unknown): void {
    const state = this.#state
    if (state.connection !== null) this.#abandon(state, state.reason ?? 'error', error as Error)
    else if (state === NEW) this.#fail('error', error as Error)
    else this.#owner.lose(this, error)
  }

  #abandon (state: Connected, reason: FailureReason, error: Error): void {
    state.name = 'aborting'
    state.reason = reason
    if (!state.connection.abort(error)) this.#fail(reason, error)
  }

  onStart (): void {
    const { upload, keeper: { deadlines, clock } } = this
    const state = this.#state as Connected
    if (upload !== null) {
      if (!upload.complete) deadlines.stop(this)
      upload.onStart()
    }
    state.name = 'running'
    state.blocked = clock.blocked
    state.startedAt = performance.now()
  }

  onHead (status: number, headers: Buffer[]): void {
    if (status >= 200) this.answer.start(status, headers, this.asked)
    else if (++this.#interim > MAX_INTERIM) this.abort('reset', FLOODED)
  }

  onData (chunk: Buffer): void {
    this.answer.add(chunk)
  }

  onEnd (): void {
    const state = this.#state as Connected
    const { broken } = state.connection
    if (broken === null) this.#complete(state)
    else this.#break(state, broken)
  }

  onError (error: NodeJS.ErrnoException): void {
    const { status } = this.answer
    const hasNoBody = status === 304 || status === 204
    const state = this.#state as Connected
    // A 304 may tell the length of what it stands for, and a 204 must not tell any (RFC 9110, section 8.6): neither has
    // a body, which undici takes for one cut short.
    if (hasNoBody && error.code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH') this.#complete(state)
    else this.#break(state, error)
  }

  #complete ({ connection, startedAt, blocked }: Connected): void {
    const { clock } = this.keeper
    connection.rest()
    clock.check()
    this.answer.complete(clock.since(startedAt, blocked, connection.heldMs))
    this.#end(ANSWERED)
    this.#owner.answered(this)
  }

  #break (state: Connected, error: Error): void {
    if (state.startedAt === 0 && state.reason === null && isRefusal(error)) this.#refuse(error)
    else this.#fail(state.reason ?? this.#brokeBy(state), error)
  }

  /** Names the end of its connection, by the state of the copy. */
  #brokeBy ({ connection, startedAt }: Connected): FailureReason {
    if (startedAt === 0) return 'connect'
    if (this.answer.status !== 0) return 'body'
    return connection.stale ? 'staleConnection' : 'reset'
  }

  #refuse (error: Error): void {
    this.answer.free()
    this.#end(FAILED)
    this.guard.enter(this.sink, refusedAs, error)
    this.#owner.failed(this)
  }

  #fail (reason: FailureReason, error: Error): void {
    this.answer.free()
    this.#end(FAILED)
    this.guard.enter(this.sink, failedAs, reason, error)
    this.#owner.failed(this)
  }

  /** Each step may be taken again where a later one threw. */
  #end (state: Unconnected): void {
    const { connection } = this.#state
    this.keeper.deadlines.stop(this)
    this.upload?.end()
    if (connection !== null) this.keeper.connections.release(connection)
    this.#state = state
    this.#owner.copyEnded()
  }
}

/** The client library would not send such a request at all. */
function isRefusal (error: NodeJS.ErrnoException): boolean {
  return REFUSALS.has(error.code)
}

function refusedAs (sink: CopySink, error: Error): void {
  sink.onRefused(error)
}

function failedAs (sink: CopySink, reason: FailureReason, error: Error): void {
  sink.onFailed(reason, error)
}
