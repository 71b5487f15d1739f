import type { BreakerState } from './types'

/**
 * Leaves a backend alone that fails again and again: after `failures` in a row it is open for `cooldown` ms, then one
 * attempt is let through (half-open), whose outcome closes it or opens it anew. One that takes longer than `cooldown`,
 * as an upload may, does not keep the backend from being tried again.
 * @see https://martinfowler.com/bliki/CircuitBreaker.html
 */
export class Breaker {
  readonly #failures: number
  readonly #cooldown: number
  #inRow = 0
  #openUntil = 0
  #state: BreakerState = 'closed'
  /** How often it has opened. */
  #openings = 0

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

  /**
   * An attempt that `blocks` let through begins. What it returns, the opening that it tries or 0, belongs into the call
   * of its end.
   */
  begin (now: number): number {
    if (this.#state === 'closed') return 0
    this.#state = 'half-open'
    this.#openUntil = now + this.#cooldown
    return this.#openings
  }

  /** Whether the outcome of what was begun so decides. A try may take long, and end when others have decided. */
  #decides (opening: number): boolean {
    return this.#state !== 'closed' && opening === this.#openings
  }

  succeeded (opening: number): void {
    if (this.#decides(opening)) this.#state = 'closed'
    if (this.#state === 'closed') this.#inRow = 0
  }

  failed (opening: number, now: number): void {
    if (this.#state === 'closed' ? ++this.#inRow >= this.#failures : this.#decides(opening)) {
      if (this.#state === 'closed') this.#openings++
      this.#state = 'open'
      this.#openUntil = now + this.#cooldown
      this.#inRow = 0
    }
  }

  /** Begins anew, as if nothing had failed. */
  forgive (): void {
    this.#state = 'closed'
    this.#inRow = 0
  }

  /** The attempt ended by something that says nothing of the backend; the next one is the trial. */
  undecided (opening: number): void {
    if (!this.#decides(opening)) return
    this.#state = 'open'
    this.#openUntil = 0
  }
}
