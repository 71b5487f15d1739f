/** Bytes held in memory for mirrors, over all routes of an app: taken before they are kept, given back once. */
export class Budget {
  used = 0
  readonly limit: number

  constructor (limit: number) {
    this.limit = limit
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
