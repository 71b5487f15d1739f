import type { Blocks } from './blocks'

/** Bytes held in memory for mirrors, over all routes of an app: taken before they are kept, given back once. */
export class Budget {
  used = 0
  readonly limit: number
  /** `null`: what is read is nobody else's, and may be kept as it is. */
  readonly blocks: Blocks | null

  constructor (limit: number, blocks: Blocks | null = null) {
    this.limit = limit
    this.blocks = blocks
  }

  /** `false`: not taken, the limit would be passed. */
  take (bytes: number): boolean {
    if (this.used + bytes > this.limit) return false
    this.used += bytes
    return true
  }

  free (bytes: number): void {
    this.used -= bytes
  }
}
