import type { Guard } from '../../guard'
import type { Budget } from '../budget'
import type { LoopClock } from '../loop-clock'
import type { CopySink, ExchangeHandle, ExchangeInit, FailureReason, NotComparedReason } from '../types'
import { ToThread, joinHeaders } from './protocol'
import type { OpToThread, Outbox } from './protocol'

/** What an exchange needs of its engine. */
export interface Line {
  readonly guard: Guard
  readonly budget: Budget
  readonly outbox: Outbox
  readonly clock: LoopClock
  /** All copies of the exchange have ended. */
  forget (id: number, exchange: ThreadExchange): void
  /** The outbox has something; it goes out soon. */
  schedule (): void
  /** Counts so many more bytes as on their way to the thread; or says what there is too little of. */
  take (bytes: number): 'memory' | 'thread' | null
}

type CopyState = 'open' | 'answered' | 'ended'

/** The main thread's end of an exchange: what it is told goes out in the next batch, what comes back goes to the sinks. */
export class ThreadExchange implements ExchangeHandle {
  readonly #id: number
  readonly #line: Line
  readonly #sinks: CopySink[]
  readonly #copies: CopyState[]
  #ended = 0
  #primaryOpen: boolean
  #bodyOpen: boolean

  constructor (id: number, line: Line, init: ExchangeInit<number>) {
    this.#id = id
    this.#line = line
    this.#sinks = init.copies.map(copy => copy.sink)
    this.#copies = init.copies.map(() => 'open')
    this.#primaryOpen = init.compare
    this.#bodyOpen = init.backlog !== null
    line.clock.enter()
    // An operation is pushed as a whole or not at all: what may throw comes before.
    const headers = init.copies.map(({ head }) => joinHeaders(head.headers))
    const { ops } = line.outbox
    ops.push(ToThread.Open, id, init.method, init.length, this.#bodyOpen, init.compare, init.copies.length)
    for (const [copy, { target, head }] of init.copies.entries()) ops.push(target, head.path, headers[copy])
    line.schedule()
    if (init.backlog !== null) this.#post(init.backlog)
  }

  #post (backlog: NonNullable<ExchangeInit<number>['backlog']>): void {
    const bytes = backlog.whole()
    backlog.dispose()
    if (bytes.length > 0) this.write(bytes)
    if (backlog.ended) this.end()
  }

  get done (): boolean {
    return this.#ended === this.#sinks.length
  }

  get wantsPrimary (): boolean {
    return this.#primaryOpen && !this.done
  }

  write (chunk: Buffer): void {
    if (this.done || !this.#bodyOpen) return
    const refusal = this.#line.take(chunk.length)
    if (refusal !== null) {
      this.#bodyOpen = false
      this.#say(ToThread.Overflow).push(refusal)
      return
    }
    this.#line.outbox.place(chunk)
    this.#say(ToThread.Body)
    this.#line.outbox.pushPlaced()
  }

  end (): void {
    if (!this.done && this.#bodyOpen) this.#say(ToThread.BodyEnd)
    this.#bodyOpen = false
  }

  cut (): void {
    if (!this.done) this.#say(ToThread.Cut)
    this.#bodyOpen = false
  }

  fail (error: unknown): void {
    if (!this.done) this.#say(ToThread.Fail).push(String(error))
    this.#bodyOpen = this.#primaryOpen = false
  }

  primaryWhole (status: number, encoding: string, headers: string[] | null, body: string | Uint8Array, ms: number): void {
    if (!this.wantsPrimary) return
    const refusal = this.#line.take(typeof body === 'string' ? Buffer.byteLength(body) : body.length)
    if (refusal !== null) {
      this.primaryLost(refusal)
      return
    }
    const joined = headers === null ? null : joinHeaders(headers)
    const text = typeof body === 'string' ? body : null
    if (text === null) this.#line.outbox.place(body as Uint8Array)
    this.#primaryOpen = false
    this.#say(ToThread.PrimaryWhole).push(status, encoding, joined, ms, text)
    if (text === null) this.#line.outbox.pushPlaced()
  }

  primaryStarts (status: number, encoding: string, headers: string[] | null): void {
    if (!this.wantsPrimary) return
    const joined = headers === null ? null : joinHeaders(headers)
    this.#say(ToThread.PrimaryStarts).push(status, encoding, joined)
  }

  primaryData (chunk: Uint8Array): void {
    if (!this.wantsPrimary) return
    const refusal = this.#line.take(chunk.length)
    if (refusal !== null) {
      this.primaryLost(refusal)
      return
    }
    this.#line.outbox.place(chunk)
    this.#say(ToThread.PrimaryData)
    this.#line.outbox.pushPlaced()
  }

  primaryEnds (ms: number): void {
    if (!this.wantsPrimary) return
    this.#primaryOpen = false
    this.#say(ToThread.PrimaryEnds).push(ms)
  }

  primaryLost (reason: NotComparedReason): void {
    if (!this.wantsPrimary) return
    this.#primaryOpen = false
    this.#say(ToThread.PrimaryLost).push(reason)
  }

  /** Begins an operation; its arguments are pushed after it. */
  #say (op: OpToThread): unknown[] {
    const { ops } = this.#line.outbox
    this.#line.schedule()
    ops.push(op, this.#id)
    return ops
  }

  /** The sink of a copy that has been answered, and is not compared yet. */
  answered (copy: number): CopySink {
    this.#copies[copy] = 'answered'
    return this.#sinks[copy]
  }

  /** The sink of a copy that is about to hear its last. */
  ending (copy: number): CopySink {
    this.#copies[copy] = 'ended'
    this.#ended++
    if (this.done) this.#line.clock.leave()
    return this.#sinks[copy]
  }

  /** Something of ours threw when a copy was told of: it has ended. */
  lose (copy: number, error: unknown): void {
    const sink = this.#copies[copy] === 'ended' ? this.#sinks[copy] : this.ending(copy)
    sink.fail(error)
    this.#line.forget(this.#id, this)
  }

  /** The thread is gone, as the app closes or by itself. */
  die (error: Error, closing: boolean): void {
    for (let copy = 0; copy < this.#copies.length; copy++) {
      const was = this.#copies[copy]
      if (was === 'ended') continue
      const sink = this.ending(copy)
      if (was === 'open') this.#line.guard.enter(sink, failedAs, closing ? 'aborted' : 'thread', error)
      else this.#line.guard.enter(sink, notCompared, closing ? 'closing' : 'thread')
    }
  }
}

function failedAs (sink: CopySink, reason: FailureReason, error: Error): void {
  sink.onFailed(reason, error)
}

function notCompared (sink: CopySink, reason: NotComparedReason): void {
  sink.onNotCompared(reason)
}
