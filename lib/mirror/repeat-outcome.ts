import { isQuery } from '../endpoints/graphql'
import type { Entry } from '../endpoints/entry'
import type { CopySink, Difference, ExchangeHandle, FailureReason, NotComparedReason } from '../engine/types'
import type { Holder } from '../guard'
import { FAILED } from '../reasons'
import type { RepeatDropReason } from '../../types/index'
import type { Mirror } from './mirror'
import type { Period } from './period'
import type { RepeatSource } from './repeats'
import { warnOf } from './warn-of'

/** A request's body as far as it is held. */
export interface HeldBody {
  /** All of it has come. */
  readonly ended: boolean
  /** Its first bytes. */
  readonly head: { readonly bytes: Buffer, readonly complete: boolean } | null
}

/** Whoever knows to which endpoint a request belongs. */
interface EndpointNamer {
  nameEndpoint (): void
}

/**
 * What becomes of one repeat: what the engine says of it is counted in books of its own, and what differs is evidence
 * of noise. Nothing of it is told to the books of copies, of endpoints or of the breaker: what the verdict rests on is
 * the same as if nothing were asked twice.
 *
 * | state      | event                                                | next       |
 * |------------|------------------------------------------------------|------------|
 * | `new`      | `begin`: the first answer has come, it goes out      | `open`     |
 * | `new`      | `begin`, and it may not go out; `cancel`             | `ended`    |
 * | `open`     | `onAnswered`                                         | `answered` |
 * | `open`     | `onRefused`, `onFailed`                              | `ended`    |
 * | `answered` | `onCompared`, `onNotCompared`                        | `ended`    |
 *
 * What the engine says of one that is `new` is why it can not go out.
 */
export class RepeatOutcome implements CopySink, Holder {
  #state: 'new' | 'open' | 'answered' | 'ended' = 'new'
  #exchange: ExchangeHandle | null = null
  #impossible: RepeatDropReason | null = null
  #opening = 0
  #inGate = false
  readonly #mirror: Mirror
  readonly #source: RepeatSource
  readonly #period: Period
  readonly #entry: Entry
  readonly #namer: EndpointNamer
  readonly #body: HeldBody | null

  /** `entry`: of a copy of the same request. `body`: `null`, it has none. */
  constructor (
    mirror: Mirror, source: RepeatSource, period: Period, entry: Entry, namer: EndpointNamer, body: HeldBody | null
  ) {
    this.#mirror = mirror
    this.#source = source
    this.#period = period
    this.#entry = entry
    this.#namer = namer
    this.#body = body
  }

  get mirrorId (): string {
    return this.#mirror.id
  }

  get #books () {
    return this.#period.books.repeats
  }

  /** The exchange that the first request has. */
  attach (exchange: ExchangeHandle): void {
    this.#exchange = exchange
  }

  /** The answer that it is to be compared with has come. */
  begin (): void {
    if (this.#state !== 'new') return
    const body = this.#body?.head ?? null
    const isHeld = this.#body === null || (this.#body.ended && body?.complete === true)
    if (isHeld && body !== null && !isQuery(body.bytes)) return this.cancel()
    const refusal = this.#impossible ?? this.#refusal() ?? (isHeld ? null : 'body')
    if (refusal !== null) {
      this.cancel()
      this.#books.drop(refusal)
      return
    }
    this.#opening = this.#source.enter()
    this.#inGate = true
    this.#books.attempt()
    this.#state = 'open'
    this.#exchange?.repeat(true, body === null ? null : body.bytes)
  }

  #refusal (): RepeatDropReason | null {
    if (!this.#mirror.enabled) return 'disabled'
    return this.#source.refusal(performance.now()) ?? this.#mirror.engine.refusal()
  }

  /** The answer does not come, or the repeat is not to go out. */
  cancel (): void {
    if (this.#state !== 'new') return
    this.#state = 'ended'
    this.#source.allowance.giveBack()
    this.#exchange?.repeat(false, null)
  }

  onRefused (error: Error): void {
    if (this.#state !== 'open') return
    this.#leave('aborted')
    this.#books.refuse()
    this.#state = 'ended'
    warnOf(this.#mirror, this.#source.name, 'the repeat can not be sent', 'error', error)
  }

  onFailed (reason: FailureReason, error: Error): void {
    if (this.#state === 'new') this.#impossible = reason === 'memory' ? 'memory' : 'error'
    if (this.#state !== 'open') return
    this.#leave(reason)
    this.#books.fail(reason)
    this.#state = 'ended'
    if (FAILED[reason].class !== 'left out') warnOf(this.#mirror, this.#source.name, 'the repeat failed', reason, error)
  }

  onAnswered (): void {
    if (this.#state !== 'open') return
    this.#leave(null)
    this.#books.answer()
    this.#state = 'answered'
  }

  onCompared (difference: Difference | null): void {
    if (this.#state !== 'answered') return
    this.#books.compare(difference === null)
    this.#state = 'ended'
    this.#namer.nameEndpoint()
    this.#period.evidence?.repeat(this.#entry.endpoint, difference)
    this.#mirror.acceptNoise()
  }

  onNotCompared (reason: NotComparedReason | 'cached'): void {
    if (this.#state !== 'answered') return
    this.#books.leaveUncompared(reason)
    this.#state = 'ended'
    if (reason !== 'cached') return
    this.#namer.nameEndpoint()
    this.#period.evidence?.cached(this.#entry.endpoint)
  }

  fail (error: unknown): void {
    this.cancel()
    this.onFailed('error', error as Error)
    this.onNotCompared('error')
    this.#leave('aborted')
  }

  #leave (failure: FailureReason | null): void {
    if (!this.#inGate) return
    this.#source.leave(this.#opening, failure)
    this.#inGate = false
  }
}
