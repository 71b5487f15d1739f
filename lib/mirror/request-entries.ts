import type { FastifyBaseLogger } from 'fastify'
import type { AsyncResource } from 'node:async_hooks'
import type { Endpoint } from '../endpoints/table'
import type { DropReason } from '../engine/types'
import type { BackendSkip } from '../metrics/books'
import { BackendEntry } from './backend-entry'
import { CopyOutcome } from './copy-outcome'
import type { EndpointNamer, RequestSnapshot } from './copy-outcome'
import type { Mirror } from './mirror'
import type { Period } from './period'

/**
 * How one request that was chosen is counted, in the books of the period in which it began: its mirror's, each
 * backend's, its endpoint's. Once it is offered, each backend in turn gets one of `skip`, `drop` and `attempt`. From
 * `attempt` on the copy's own outcome counts.
 */
export class RequestEntries {
  readonly period: Period
  readonly #mirror: Mirror
  /** The endpoint, as far as it is known. */
  #endpoint: Endpoint
  /** Where the request is counted until its endpoint is known; `null`: it is known. */
  #unsettled: BackendEntry[] | null = null
  /** Backends that have counted the request. */
  #decided = 0
  /** The next backend's, if something failed while it was written. */
  #begun: BackendEntry | null = null
  /** Copies that are started, and that no exchange has yet. */
  #started: CopyOutcome[] = []

  constructor (mirror: Mirror) {
    this.#mirror = mirror
    this.period = mirror.period
    this.#endpoint = this.period.endpoints.pending
  }

  choose (): void {
    this.period.books.choose()
  }

  abandon (): void {
    this.period.books.abandon()
  }

  /** `endpoint`: as far as it is known. */
  offer (endpoint: Endpoint): void {
    this.#endpoint = endpoint
    if (endpoint === this.period.endpoints.pending) this.#unsettled = []
    this.period.books.offer()
  }

  /** The next backend is not meant. */
  skip (reason: BackendSkip): void {
    const entry = this.#begin()
    entry.skip(reason)
    this.#end(entry)
  }

  /** The next backend gets no copy. */
  drop (reason: DropReason): void {
    const entry = this.#begin()
    entry.drop(reason)
    this.#end(entry)
  }

  /**
   * The next backend gets a copy. `namer`, `request`, `log`, `context`: what a mismatch would be counted, shown and
   * told with.
   */
  attempt (
    namer: EndpointNamer, request: RequestSnapshot | null, log: FastifyBaseLogger | null, context: AsyncResource | null
  ): CopyOutcome {
    const outcome = new CopyOutcome(
      this.#mirror, this.#decided, this.period, this.#endpoint, namer, request, log, context
    )
    this.#started.push(outcome)
    outcome.start()
    this.#end(outcome.entry)
    return outcome
  }

  /** An exchange has the copies: it ends them, whatever happens. */
  handOver (): void {
    this.#started = []
  }

  #begin (): BackendEntry {
    this.#begun ??= new BackendEntry(this.period, this.#endpoint, this.#decided)
    return this.#begun
  }

  #end (entry: BackendEntry): void {
    this.#begun = null
    this.#unsettled?.push(entry)
    this.#decided++
  }

  /** The endpoint, as far as it is known. */
  get endpoint (): Endpoint {
    return this.#endpoint
  }

  /** Whether its endpoint is still to be told. */
  get unsettled (): boolean {
    return this.#unsettled !== null
  }

  /** Moves what was counted as pending to this endpoint. */
  settle (endpoint: Endpoint): void {
    const unsettled = this.#unsettled
    if (unsettled === null) return
    // Each leaves the list when it has moved, for whoever has to go on.
    for (let last = unsettled.at(-1); last !== undefined; last = unsettled.at(-1)) {
      last.moveTo(endpoint)
      unsettled.pop()
    }
    this.#unsettled = null
    this.#endpoint = endpoint
  }

  /** The mirror itself failed after `offer`: what is not counted yet is counted as that. */
  fail (): void {
    const { endpoints } = this.period
    if (this.#endpoint === endpoints.pending) this.#unsettled ??= []
    while (this.#decided < this.#mirror.backends.length) this.drop('error')
    this.settle(endpoints.other)
  }

  /** Ends copies that no exchange has. */
  failStarted (error: unknown): void {
    for (const outcome of this.#started) outcome.fail(error)
    this.#started = []
  }
}
