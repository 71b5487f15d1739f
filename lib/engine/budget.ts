import type { Blocks } from './blocks'

/** The memory for bodies. */
export interface Memory {
  /** `null`: what is read is nobody else's, and may be kept as it is. */
  readonly blocks: Blocks | null
  /** `false`: not taken, the limit would be passed. */
  take (bytes: number): boolean
  free (bytes: number): void
}

/** Bytes held in memory for mirrors, over all routes of an app: taken before they are kept, given back once. */
export class Budget implements Memory {
  used = 0
  /** Backends that share it. */
  shares = 0
  readonly limit: number
  readonly blocks: Blocks | null

  constructor (limit: number, blocks: Blocks | null = null) {
    this.limit = limit
    this.blocks = blocks
  }

  take (bytes: number): boolean {
    if (this.used + bytes > this.limit) return false
    this.used += bytes
    return true
  }

  free (bytes: number): void {
    this.used -= bytes
  }
}

/**
 * One backend's part of the budget: it may hold as much as is still free. So one that hangs leaves half to the others,
 * two leave a third, and an only one has all of it.
 * @see https://doi.org/10.1109/90.664262 Dynamic queue length thresholds for shared-memory packet switches
 */
export class Share implements Memory {
  /** Bytes that it holds: of what is its own, and of bodies that several wait for. */
  held = 0
  readonly #budget: Budget

  constructor (budget: Budget) {
    this.#budget = budget
    budget.shares++
  }

  get blocks (): Blocks | null {
    return this.#budget.blocks
  }

  /**
   * So many bytes, which are in the budget already, are held for this backend, too. `false`: it may not hold so many.
   */
  hold (bytes: number): boolean {
    const { limit, used, shares } = this.#budget
    if (shares > 1 && this.held + bytes > limit - used) return false
    this.held += bytes
    return true
  }

  letGo (bytes: number): void {
    this.held -= bytes
  }

  take (bytes: number): boolean {
    if (!this.hold(bytes)) return false
    if (this.#budget.take(bytes)) return true
    this.letGo(bytes)
    return false
  }

  free (bytes: number): void {
    this.letGo(bytes)
    this.#budget.free(bytes)
  }
}
