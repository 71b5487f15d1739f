import type { FastifyBaseLogger } from 'fastify'
import type { Backend } from '../backend'
import type { Comparison, CopySink, FailureReason, NotComparedReason, PairLatency } from '../engine/types'
import type { BackendBooks } from '../metrics/books'
import type { Mirror } from '../mirror'

/** One copy that was attempted, as its backend's books see it: what the engine tells of it is counted and logged here. */
export class Attempt implements CopySink {
  readonly #mirror: Mirror
  readonly #backend: Backend
  readonly #books: BackendBooks
  readonly #trial: boolean
  /** The request's, where mismatches are logged. */
  readonly #log: FastifyBaseLogger | null

  constructor (mirror: Mirror, backend: Backend, log: FastifyBaseLogger | null) {
    this.#mirror = mirror
    this.#backend = backend
    this.#books = backend.books
    this.#log = log
    this.#trial = backend.gate.enter()
    this.#books.attempt()
  }

  onRefused (error: Error): void {
    this.#backend.left(this.#trial, 'aborted')
    this.#books.refuse()
    this.#warn('the copy can not be sent', 'error', error)
  }

  onFailed (reason: FailureReason, error: Error): void {
    this.#backend.left(this.#trial, reason)
    this.#books.fail(reason)
    if (reason !== 'aborted') this.#warn('the copy failed', reason, error)
  }

  onAnswered (status: number, ms: number): void {
    this.#backend.left(this.#trial, null)
    this.#books.answer(status, ms)
  }

  onNotCompared (reason: NotComparedReason): void {
    this.#books.leaveUncompared(reason)
  }

  onCompared (comparison: Comparison, latency: PairLatency | null): void {
    this.#books.compare(comparison, latency)
    if (comparison.differs.length === 0 || this.#log === null) return
    const { primaryStatus, mirrorStatus, bodyMatch } = comparison
    try {
      this.#log.warn(
        { mirror: this.#mirror.id, backend: this.#backend.name, primaryStatus, mirrorStatus, bodyMatch },
        'mirror mismatch'
      )
    } catch {
      // A logger that throws must not reach the client library, whose callback this is.
    }
  }

  #warn (message: string, reason: string, err: Error): void {
    this.#mirror.log.warn({ mirror: this.#mirror.id, backend: this.#backend.name, reason, err }, message)
  }
}
