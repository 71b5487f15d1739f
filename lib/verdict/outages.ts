/** Times in which the breaker left a backend alone, for a verdict. */
export interface OutageSummary {
  readonly count: number
  /** Milliseconds, all together. */
  readonly ms: number
  /** Copies that failed or were dropped in them. */
  readonly copies: number
}

/** A backend's outages of one period: from the breaker's opening until it closes. */
export class Outages {
  /** When the present one began; `null`: there is none. */
  since: Date | null = null
  #count = 0
  #ms = 0
  #copies = 0
  /** Begin of the present one, on a clock that nobody sets. */
  #begunAt = 0
  /** Copies that had failed or been dropped before it. */
  #before = 0

  /** `bad`: copies that failed, or were dropped by the breaker, before the first of those that opened it. */
  begin (bad: number, since = new Date()): void {
    this.since = since
    this.#count++
    this.#begunAt = performance.now()
    this.#before = bad
  }

  /** `bad`: such copies by now. */
  end (bad: number): void {
    const { ms, copies } = this.summary(bad)
    this.since = null
    this.#ms = ms
    this.#copies = copies
  }

  summary (bad: number): OutageSummary {
    const open = this.since !== null
    return {
      count: this.#count,
      ms: this.#ms + (open ? performance.now() - this.#begunAt : 0),
      copies: this.#copies + (open ? bad - this.#before : 0)
    }
  }
}
