import type { Memory } from '../compare/bodies'

/** Share of `maxBufferedBytes` that the examples of all mirrors may hold. The rest is for bodies. */
const SHARE = 1 / 4

/** The memory of an app's examples, which is part of what it may hold for mirrors. */
export class ExampleMemory implements Memory {
  readonly #budget: Memory
  readonly #limit: number
  #held = 0

  constructor (budget: Memory & { readonly limit: number }) {
    this.#budget = budget
    this.#limit = budget.limit * SHARE
  }

  take (bytes: number): boolean {
    if (this.#held + bytes > this.#limit || !this.#budget.take(bytes)) return false
    this.#held += bytes
    return true
  }

  free (bytes: number): void {
    this.#held -= bytes
    this.#budget.free(bytes)
  }
}
