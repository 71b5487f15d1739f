import type { Guard } from '../../guard'
import type { Budget } from '../budget'
import type { LoopClock } from '../loop-clock'
import type { CopySink, ExchangeHandle, ExchangeInit, FailureReason, NotComparedReason } from '../types'
import type { Outbox } from './outbox'
import * as toThread from './to-thread'

/** The part of the engine that an exchange needs. */
export interface ThreadLink {
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

/**
 * The main thread's end of an exchange: what it is told goes out in the next batch, what comes back goes to the sinks.
 */
export class ThreadExchange implements ExchangeHandle {
  readonly #id: number
  readonly #link: ThreadLink
  readonly #sinks: CopySink[]
  readonly #copies: CopyState[]
  #ended = 0
  #primaryOpen: boolean
  #bodyOpen: boolean

  constructor (id: number, link: ThreadLink, init: ExchangeInit<number>) {
    this.#id = id
    this.#link = link
    this.#sinks = init.copies.map(copy => copy.sink)
    // The repeat counts as the last copy.
    if (init.repeat !== null) this.#sinks.push(init.repeat.sink)
    this.#copies = this.#sinks.map(() => 'open')
    this.#primaryOpen = init.compare
    this.#bodyOpen = init.backlog !== null
    link.clock.enter()
    link.schedule()
    toThread.open.write(link.outbox, id, init)
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
    const refusal = this.#link.take(chunk.length)
    if (refusal === null) {
      toThread.body.write(this.#outbox, this.#id, chunk)
    } else {
      this.#bodyOpen = false
      toThread.overflow.write(this.#outbox, this.#id, refusal)
    }
  }

  end (): void {
    if (!this.done && this.#bodyOpen) toThread.bodyEnd.write(this.#outbox, this.#id)
    this.#bodyOpen = false
  }

  cut (): void {
    if (!this.done) toThread.cut.write(this.#outbox, this.#id)
    this.#bodyOpen = false
  }

  fail (error: unknown): void {
    if (!this.done) toThread.fail.write(this.#outbox, this.#id, String(error))
    this.#bodyOpen = this.#primaryOpen = false
  }

  nameEndpoint (name: string): void {
    if (this.wantsPrimary) toThread.endpoint.write(this.#outbox, this.#id, name)
  }

  primaryWhole (
    status: number, encoding: string, headers: string[] | null, body: string | Uint8Array, ms: number
  ): void {
    if (!this.#takesPrimary(typeof body === 'string' ? Buffer.byteLength(body) : body.length)) return
    toThread.primaryWhole.write(this.#outbox, this.#id, status, encoding, headers, body, ms)
    this.#primaryOpen = false
  }

  primaryStarts (status: number, encoding: string, headers: string[] | null): void {
    if (this.wantsPrimary) toThread.primaryStarts.write(this.#outbox, this.#id, status, encoding, headers)
  }

  primaryData (chunk: Uint8Array): void {
    if (this.#takesPrimary(chunk.length)) toThread.primaryData.write(this.#outbox, this.#id, chunk)
  }

  primaryEnds (ms: number): void {
    if (!this.wantsPrimary) return
    this.#primaryOpen = false
    toThread.primaryEnds.write(this.#outbox, this.#id, ms)
  }

  primaryLost (reason: NotComparedReason): void {
    if (!this.wantsPrimary) return
    this.#primaryOpen = false
    toThread.primaryLost.write(this.#outbox, this.#id, reason)
  }

  repeat (goesOut: boolean, body: Uint8Array | null): void {
    if (this.done) return
    const refusal = body === null ? null : this.#link.take(body.length)
    const sent = refusal === null ? body : null
    toThread.repeat.write(this.#outbox, this.#id, goesOut && refusal === null, sent)
  }

  /** Whether so many bytes of the primary's answer may go out. Where they may not, none of it is compared. */
  #takesPrimary (bytes: number): boolean {
    if (!this.wantsPrimary) return false
    const refusal = this.#link.take(bytes)
    if (refusal !== null) this.primaryLost(refusal)
    return refusal === null
  }

  /** Where an operation is written. It goes out soon. */
  get #outbox (): Outbox {
    this.#link.schedule()
    return this.#link.outbox
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
    if (this.done) this.#link.clock.leave()
    return this.#sinks[copy]
  }

  /** Something of ours threw when a copy was told of: it has ended. */
  lose (copy: number, error: unknown): void {
    const sink = this.#copies[copy] === 'ended' ? this.#sinks[copy] : this.ending(copy)
    sink.fail(error)
    this.#link.forget(this.#id, this)
  }

  /** The thread is gone, as the app closes or by itself. */
  die (error: Error, closing: boolean): void {
    for (let copy = 0; copy < this.#copies.length; copy++) {
      const was = this.#copies[copy]
      if (was === 'ended') continue
      const sink = this.ending(copy)
      if (was === 'open') this.#link.guard.enter(sink, failedAs, closing ? 'aborted' : 'thread', error)
      else this.#link.guard.enter(sink, notCompared, closing ? 'closing' : 'thread')
    }
  }
}

function failedAs (sink: CopySink, reason: FailureReason, error: Error): void {
  sink.onFailed(reason, error)
}

function notCompared (sink: CopySink, reason: NotComparedReason): void {
  sink.onNotCompared(reason)
}
