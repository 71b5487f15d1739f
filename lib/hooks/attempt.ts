import type { FastifyBaseLogger } from 'fastify'
import type { Backend } from '../backend'
import type { CopySink, Difference, FailureReason, NotComparedReason, PairLatency } from '../engine/types'
import type { BackendBooks } from '../metrics/books'
import type { MismatchGroups } from '../mismatches/groups'
import type { Mirror, Period } from '../mirror'
import { FAILED } from '../reasons'
import type { BodyHead } from '../tap/body-head'

/** What a mismatch would be shown with. */
export interface RequestSnapshot {
  method: string
  path: string
  sentPath: string
  headers: readonly string[]
  /** `null`: none. */
  body: BodyHead | null
}

const NO_BODY = Buffer.alloc(0)

/** One copy that was attempted, as its backend's books see it: what the engine tells of it is counted and logged here. */
export class Attempt implements CopySink {
  readonly #mirror: Mirror
  readonly #backend: Backend
  readonly #books: BackendBooks
  readonly #groups: MismatchGroups
  /** Of the breaker, that it tries; 0: none. */
  readonly #opening: number
  /** `null`: nothing is compared. */
  readonly #request: RequestSnapshot | null
  /** The request's, where mismatches are logged. */
  readonly #log: FastifyBaseLogger | null

  /** `index`: the backend's, among its mirror's. `period`: that in which the request began. */
  constructor (
    mirror: Mirror, index: number, period: Period, request: RequestSnapshot | null, log: FastifyBaseLogger | null
  ) {
    const backend = mirror.backends[index]
    this.#mirror = mirror
    this.#backend = backend
    this.#books = period.backends[index]
    this.#groups = period.groups
    this.#request = request
    this.#log = log
    this.#opening = backend.gate.enter()
    this.#books.attempt()
  }

  onRefused (error: Error): void {
    this.#backend.left(this.#opening, 'aborted')
    this.#books.refuse()
    this.#warn('the copy can not be sent', 'error', error)
  }

  onFailed (reason: FailureReason, error: Error): void {
    this.#backend.left(this.#opening, reason)
    this.#books.fail(reason)
    if (FAILED[reason].class !== 'left out') this.#warn('the copy failed', reason, error)
  }

  onAnswered (status: number, ms: number): void {
    this.#backend.left(this.#opening, null)
    this.#books.answer(status, ms)
  }

  onNotCompared (reason: NotComparedReason): void {
    this.#books.leaveUncompared(reason)
  }

  onCompared (difference: Difference | null, latency: PairLatency | null): void {
    this.#books.compare(difference, latency)
    if (difference === null || this.#request === null) return
    const { body } = this.#request
    const request = { ...this.#request, body: body?.bytes ?? NO_BODY, complete: body?.complete ?? true }
    this.#mirror.mismatches.report(this.#groups, this.#backend.name, request, difference, this.#log)
  }

  #warn (message: string, reason: string, err: Error & { data?: string }): void {
    // Of an answer that could not be parsed undici gives the raw text, with whatever secret is in it.
    if (err.data !== undefined) err.data = undefined
    this.#mirror.log.warn({ mirror: this.#mirror.id, backend: this.#backend.name, reason, err }, message)
  }
}
