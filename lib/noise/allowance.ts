/** Repeats that may be saved up while none can be made. */
const MOST_SAVED = 10

/** The part of the copies that may be asked once more: never more than that, however many have come so far. */
export class Allowance {
  readonly #share: number
  #saved = 0

  /** `percentage`: 0 to 100. */
  constructor (percentage: number) {
    this.#share = percentage / 100
  }

  /** So many copies go out. */
  earn (copies: number): void {
    this.#saved = Math.min(MOST_SAVED, this.#saved + copies * this.#share)
  }

  /** `false`: there is none left. */
  take (): boolean {
    if (this.#saved < 1) return false
    this.#saved--
    return true
  }

  /** One that was taken is not used. */
  giveBack (): void {
    this.#saved++
  }

  /** With what chance one should be taken where none is needed most, so that what is earned is used. */
  get chance (): number {
    return this.#share * 2
  }
}
