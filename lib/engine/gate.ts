import { Breaker } from './breaker'
import type { BreakerState, DropReason, FailureReason } from './types'

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

  /** Why no copy may start now, or `null`. `noMemory`: the budget could not hold the request's body. */
  refusal (noMemory: boolean, now: number): DropReason | null {
    if (this.inFlight >= this.#maxInFlight) return 'inFlight'
    if (noMemory) return 'memory'
    if (this.#breaker.state !== 'closed' && this.#breaker.blocks(now)) return 'breaker'
    return null
  }

  /** A copy starts. Returns whether it is the breaker's trial; `leave` must be told. */
  enter (): boolean {
    this.inFlight++
    return this.#breaker.state !== 'closed' && this.#breaker.begin(performance.now())
  }

  /** A copy has ended, and the client library has let go of it. `null`: it was answered. */
  leave (trial: boolean, failure: FailureReason | null): void {
    this.inFlight--
    if (failure === null) {
      this.#breaker.succeeded(trial)
    } else if (failure === 'aborted' || failure === 'overflow') {
      this.#breaker.undecided(trial)
    } else {
      this.#breaker.failed(trial, performance.now())
    }
  }
}
