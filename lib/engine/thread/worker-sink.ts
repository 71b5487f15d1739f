import type { CopySink, Difference, FailureReason, NotComparedReason, PairLatency } from '../types'
import * as fromThread from './from-thread'

/** Where a thread's operations are collected. */
export interface SinkHost {
  readonly ops: unknown[]
  /** The number of the batch that is being collected. */
  readonly batch: number
  /** The same operations, which go out soon. */
  writable (): unknown[]
  /** All copies of an exchange have been told of. */
  forget (id: number): void
}

/** Tells the other side what becomes of one copy. */
export class RemoteSink implements CopySink {
  readonly #host: SinkHost
  readonly #id: number
  readonly #copy: number
  readonly #exchange: { open: number }
  #state: 'open' | 'answered' | 'ended' = 'open'
  /** The batch in which the answer was told of, and its length then. */
  #answeredIn = -1
  #answeredAt = 0

  constructor (host: SinkHost, id: number, copy: number, exchange: { open: number }) {
    this.#host = host
    this.#id = id
    this.#copy = copy
    this.#exchange = exchange
  }

  onRefused (error: NodeJS.ErrnoException): void {
    fromThread.refused.write(this.#host.writable(), this.#id, this.#copy, error)
    this.#ended()
  }

  onFailed (reason: FailureReason, error: NodeJS.ErrnoException): void {
    if (this.#state !== 'open') return
    fromThread.failed.write(this.#host.writable(), this.#id, this.#copy, reason, error)
    this.#ended()
  }

  onAnswered (status: number, ms: number): void {
    this.#answeredIn = this.#host.batch
    this.#answeredAt = fromThread.answered.write(this.#host.writable(), this.#id, this.#copy, status, ms)
    this.#state = 'answered'
  }

  onCompared (difference: Difference | null, latency: PairLatency | null): void {
    if (this.#state !== 'answered') return
    const { ops, batch } = this.#host
    // Nothing was told since its answer: one operation is for both.
    const isNext = batch === this.#answeredIn && ops.length === this.#answeredAt
    if (difference === null && isNext) fromThread.matched.write(ops, latency)
    else fromThread.compared.write(this.#host.writable(), this.#id, this.#copy, difference, latency)
    this.#ended()
  }

  onNotCompared (reason: NotComparedReason | 'cached'): void {
    if (this.#state !== 'answered') return
    fromThread.notCompared.write(this.#host.writable(), this.#id, this.#copy, reason)
    this.#ended()
  }

  fail (error: unknown): void {
    this.onFailed('error', error as Error)
    this.onNotCompared('error')
  }

  #ended (): void {
    this.#state = 'ended'
    if (--this.#exchange.open === 0) this.#host.forget(this.#id)
  }
}
