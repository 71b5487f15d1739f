import type { LatencySummary } from '../../types/index'
import type { Histogram } from './histogram'

const SIZE = 1000
const NONE = new Float64Array(0)

/** The last 1000 of the milliseconds given to it, and how many there were in all. */
export class Ring {
  /** All samples ever added. */
  count = 0
  // Made at the first sample: most rings of a backend that is not compared never get one.
  #samples = NONE
  readonly #histogram: Histogram | null

  /** `histogram`: hears each sample, too. */
  constructor (histogram: Histogram | null = null) {
    this.#histogram = histogram
  }

  add (ms: number): void {
    if (this.#samples === NONE) this.#samples = new Float64Array(SIZE)
    this.#samples[this.count % SIZE] = ms
    this.count++
    if (this.#histogram !== null) this.#histogram.observe(ms)
  }

  /** Percentiles by nearest rank, in milliseconds rounded to the microsecond; `null` while there is no sample. */
  summary (): LatencySummary {
    if (this.count === 0) return { count: 0, p50: null, p90: null, p95: null, p99: null, max: null }
    const sorted = this.#samples.slice(0, Math.min(this.count, SIZE)).sort()
    return {
      count: this.count,
      p50: nearestRank(sorted, 50),
      p90: nearestRank(sorted, 90),
      p95: nearestRank(sorted, 95),
      p99: nearestRank(sorted, 99),
      max: nearestRank(sorted, 100)
    }
  }
}

function nearestRank (sorted: Float64Array, percent: number): number {
  const rank = Math.ceil(percent * sorted.length / 100)
  // Adding 0 turns the -0 of a tiny negative difference into 0.
  return Math.round(sorted[rank - 1] * 1000) / 1000 + 0
}
