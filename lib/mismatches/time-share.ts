/**
 * The share of the main thread's time that one kind of work may take. Time that is not used adds up to `most`
 * milliseconds, for what comes at once.
 */
export class TimeShare {
  readonly #share: number
  readonly #most: number
  readonly #clock: () => number
  #left: number
  #at: number

  /** `share`: 0 to 1. `clock`: in milliseconds. */
  constructor (share: number, most: number, clock: () => number = () => performance.now()) {
    this.#share = share
    this.#most = most
    this.#clock = clock
    this.#left = most
    this.#at = clock()
  }

  /**
   * A piece of work begins. What is returned must be given to `end`, whatever happens. `null`: the share is used up,
   * the work must not be done.
   */
  begin (): number | null {
    const now = this.#clock()
    this.#left = Math.min(this.#most, this.#left + (now - this.#at) * this.#share)
    this.#at = now
    return this.#left > 0 ? now : null
  }

  /** `most`: milliseconds that it can have taken itself; while the rest went by, others had the processor. */
  end (begun: number, most = Infinity): void {
    this.#left -= Math.min(most, this.#clock() - begun)
  }

  /** Work that is done in any case. It must not throw. */
  charge (work: () => void): void {
    const begun = this.#clock()
    work()
    this.end(begun)
  }
}
