import type { BreakerState } from './types'

/**
 * Leaves a backend alone that fails again and again: after `failures` in a row it is open for `cooldown` ms, then one attempt is let
 * through (half-open), whose outcome closes it or opens it anew. One that takes longer than `cooldown`, as an upload may, does not keep the
 * backend from being tried again.
 * @see https://martinfowler.com/bliki/CircuitBreaker.html
 */
export class Breaker {
  readonly #failures: number
  readonly #cooldown: number
  #inRow = 0
  #openUntil = 0
  #state: BreakerState = 'closed'

  /** `null`: never opens. */
  constructor (options: { failures: number, cooldown: number } | null) {
    this.#failures = options?.failures ?? Infinity
    this.#cooldown = options?.cooldown ?? 0
  }

  get state (): BreakerState {
    return this.#state
  }

  blocks (now: number): boolean {
    return this.#state !== 'closed' && now < this.#openUntil
  }

  /** An attempt that `blocks` let through begins. Its answer belongs into the call of its end. */
  begin (now: number): boolean {
    if (this.#state === 'closed') return false
    this.#state = 'half-open'
    this.#openUntil = now + this.#cooldown
    return true
  }

  succeeded (trial: boolean): void {
    if (trial) this.#state = 'closed'
    if (this.#state === 'closed') this.#inRow = 0
  }

  failed (trial: boolean, now: number): void {
    if (this.#state === 'closed' ? ++this.#inRow >= this.#failures : trial) {
      this.#state = 'open'
      this.#openUntil = now + this.#cooldown
      this.#inRow = 0
    }
  }

  /** The attempt ended by something that says nothing of the backend; the next one is the trial. */
  undecided (trial: boolean): void {
    if (!trial || this.#state === 'closed') return
    this.#state = 'open'
    this.#openUntil = 0
  }
}
