import { Breaker } from './breaker'
import type { BreakerState, DropReason, FailureReason } from './types'

/** Failures that open the breaker. A slow reader is none: it may be slow for good reason. */
const OPENS_BREAKER: Readonly<Partial<Record<FailureReason, boolean>>> = {
  timeout: true, connect: true, reset: true, body: true
}

/** Admission to one backend: how many copies are in flight, and whether it is left alone. */
export class Gate {
  inFlight = 0
  readonly #maxInFlight: number
  readonly #breaker: Breaker

  constructor (maxInFlight: number, breaker: { failures: number, cooldown: number } | null) {
    this.#maxInFlight = maxInFlight
    this.#breaker = new Breaker(breaker)
  }

  get breaker (): BreakerState {
    return this.#breaker.state
  }

  /** Another version may have come: what failed so far does not keep copies from it. */
  forgive (): void {
    this.#breaker.forgive()
  }

  /** Why no copy may start now, or `null`. `noMemory`: the budget could not hold the request's body. */
  refusal (noMemory: boolean, now: number): DropReason | null {
    if (this.inFlight >= this.#maxInFlight) return 'inFlight'
    if (noMemory) return 'memory'
    if (this.#breaker.state !== 'closed' && this.#breaker.blocks(now)) return 'breaker'
    return null
  }

  /**
   * Why nothing but copies may be sent now, or `null`: half of the places is left to them, and the breaker is theirs.
   */
  refusalAside (): 'inFlight' | 'breaker' | null {
    if (this.inFlight >= Math.ceil(this.#maxInFlight / 2)) return 'inFlight'
    return this.#breaker.state === 'closed' ? null : 'breaker'
  }

  /** Something else than a copy starts. What becomes of it the breaker does not hear. */
  enterAside (): void {
    this.inFlight++
  }

  leaveAside (): void {
    this.inFlight--
  }

  /** A copy starts. Returns what `leave` must be told: the breaker's opening that it tries, or 0. */
  enter (): number {
    this.inFlight++
    return this.#breaker.state === 'closed' ? 0 : this.#breaker.begin(performance.now())
  }

  /** A copy has ended, and the client library has let go of it. `null`: it was answered. */
  leave (opening: number, failure: FailureReason | null): void {
    this.inFlight--
    if (failure === null) {
      this.#breaker.succeeded(opening)
    } else if (OPENS_BREAKER[failure]) {
      this.#breaker.failed(opening, performance.now())
    } else {
      this.#breaker.undecided(opening)
    }
  }
}
