import type { FastifyBaseLogger } from 'fastify'
import type { AsyncResource } from 'node:async_hooks'
import type { Backend } from './backend'
import { BackendEntry } from './backend-entry'
import type { Endpoint } from '../endpoints/table'
import type { CopySink, Difference, FailureReason, NotComparedReason, PairLatency } from '../engine/types'
import type { Holder } from '../guard'
import type { Places } from '../mismatches/places'
import type { MismatchedRequest } from '../mismatches/mismatch'
import type { Evidence } from '../noise/evidence'
import type { Mirror } from './mirror'
import type { Period } from './period'
import type { RepeatOutcome } from './repeat-outcome'
import { warnOf } from './warn-of'
import { FAILED } from '../reasons'
import type { BodyHead } from '../tap/body-head'

/** The request that a mismatch would be shown with. */
export interface RequestSnapshot {
  method: string
  path: string
  sentPath: string
  headers: readonly string[]
  /** `null`: none. */
  body: BodyHead | null
}

/** Whoever knows to which endpoint a request belongs. */
export interface EndpointNamer {
  /** Its endpoint is known from now on: what is found about the request has to be counted there. */
  nameEndpoint (): void
}

const NO_BODY = Buffer.alloc(0)

/**
 * What became of one copy: what the engine says of it is counted, in its backend's and its endpoint's books, and
 * logged.
 *
 * | state      | event                          | next       |
 * |------------|--------------------------------|------------|
 * | `new`      | `start`                        | `open`     |
 * | `open`     | `onAnswered`                   | `answered` |
 * | `open`     | `onRefused`, `onFailed`        | `ended`    |
 * | `answered` | `onCompared`, `onNotCompared`  | `ended`    |
 *
 * Any other event changes nothing: it came too late, or twice. A state begins when the books have it, so that they
 * close whatever fails on the way.
 */
export class CopyOutcome implements CopySink, Holder {
  #state: 'new' | 'open' | 'answered' | 'ended' = 'new'
  #inGate = false
  readonly #mirror: Mirror
  readonly #backend: Backend
  /** Where it is counted. */
  readonly entry: BackendEntry
  readonly #places: Places
  readonly #evidence: Evidence | null
  /** The backend's place among its mirror's. */
  readonly index: number
  /** The same request once more, when it is answered; `null`: none. */
  repeat: RepeatOutcome | null = null
  readonly #namer: EndpointNamer
  /** The breaker's try that this copy is. 0: none. */
  #opening = 0
  /** `null`: nothing is compared. */
  readonly #request: RequestSnapshot | null
  /** The request's, where mismatches are logged. */
  readonly #log: FastifyBaseLogger | null
  /** The request's, where mismatches are told to somebody. */
  readonly #context: AsyncResource | null

  /**
   * `index`: the backend's, among its mirror's. `period`: that in which the request began. `endpoint`: as far as it is
   * known.
   */
  constructor (
    mirror: Mirror, index: number, period: Period, endpoint: Endpoint, namer: EndpointNamer,
    request: RequestSnapshot | null, log: FastifyBaseLogger | null, context: AsyncResource | null
  ) {
    const backend = mirror.backends[index]
    this.#mirror = mirror
    this.#backend = backend
    this.entry = new BackendEntry(period, endpoint, index)
    this.#places = period.places
    this.#evidence = period.evidence
    this.index = index
    this.#namer = namer
    this.#request = request
    this.#log = log
    this.#context = context
  }

  start (): void {
    this.#opening = this.#backend.gate.enter()
    this.#inGate = true
    this.entry.attempt()
    this.#state = 'open'
  }

  onRefused (error: Error): void {
    if (this.#state !== 'open') return
    this.#leave('aborted')
    this.entry.refuse()
    this.#state = 'ended'
    this.repeat?.cancel()
    this.#warn('the copy can not be sent', 'error', error)
  }

  onFailed (reason: FailureReason, error: Error): void {
    if (this.#state !== 'open') return
    this.#leave(reason)
    this.entry.fail(reason)
    this.#state = 'ended'
    this.repeat?.cancel()
    if (FAILED[reason].class !== 'left out') this.#warn('the copy failed', reason, error)
  }

  onAnswered (status: number, ms: number): void {
    if (this.#state !== 'open') return
    this.#leave(null)
    this.entry.answer(status, ms)
    this.#state = 'answered'
    this.repeat?.begin()
  }

  onNotCompared (reason: NotComparedReason): void {
    if (this.#state !== 'answered') return
    this.entry.leaveUncompared(reason)
    this.#state = 'ended'
  }

  onCompared (difference: Difference | null, latency: PairLatency | null): void {
    if (this.#state !== 'answered') return
    const slower = this.entry.compare(difference, latency)
    this.#state = 'ended'
    if (latency !== null) this.entry.pair(latency.difference, slower)
    if (difference === null || this.#request === null) return
    const { body } = this.#request
    const request = { ...this.#request, body: body?.bytes ?? NO_BODY, complete: body?.complete ?? true }
    if (this.#context === null) this.#report(request, difference)
    else this.#context.runInAsyncScope(this.#report, this, request, difference)
  }

  #report (request: MismatchedRequest, difference: Difference): void {
    this.#namer.nameEndpoint()
    const { entry: { endpoint } } = this
    this.#mirror.mismatches.report({
      places: this.#places,
      endpoint,
      backend: this.index,
      name: this.#backend.name,
      request,
      difference,
      log: this.#log,
      evidence: this.#evidence,
      repeatable: this.#mirror.repeats?.config.methods.has(request.method) === true
    })
  }

  get mirrorId (): string {
    return this.#mirror.id
  }

  fail (error: unknown): void {
    if (this.#state === 'new') this.entry.withdraw()
    this.onFailed('error', error as Error)
    this.onNotCompared('error')
    this.#leave('aborted')
  }

  #leave (failure: FailureReason | null): void {
    if (!this.#inGate) return
    this.#backend.copyEnded(this.#opening, failure)
    this.#inGate = false
  }

  #warn (message: string, reason: string, err: Error): void {
    warnOf(this.#mirror, this.#backend.name, message, reason, err)
  }
}
