import type { LatencySummary } from '../../types/index'
import type { Histogram } from './histogram'

const SIZE = 1000
const NONE = new Float64Array(0)
const EMPTY: LatencySummary = { count: 0, p50: null, p90: null, p95: null, p99: null, max: null }
/** Limits of the selection: values that are sorted at once, and rounds until then. */
const FEW = 40
const MAX_ROUNDS = 20

/** The last 1000 of the milliseconds given to it, and how many there were in all. */
export class Ring {
  /** All samples ever added. */
  count = 0
  // Made at the first sample: most rings of a backend that is not compared never get one.
  #samples = NONE
  /** The latest that was made. */
  #summary = EMPTY
  readonly #histogram: Histogram | null

  /** `histogram`: hears each sample, too. */
  constructor (histogram: Histogram | null = null) {
    this.#histogram = histogram
  }

  add (ms: number): void {
    if (this.#histogram !== null) this.#histogram.observe(ms)
    if (this.#samples === NONE) this.#samples = new Float64Array(SIZE)
    this.#samples[this.count % SIZE] = ms
    this.count++
  }

  /** Percentiles by nearest rank, in milliseconds rounded to the microsecond; `null` while there is no sample. */
  summary (): LatencySummary {
    if (this.#summary.count !== this.count) this.#summary = this.#summarize()
    return { ...this.#summary }
  }

  #summarize (): LatencySummary {
    const values = this.#samples.slice(0, Math.min(this.count, SIZE))
    let from = 0
    const at = (percent: number): number => {
      const rank = Math.ceil(percent * values.length / 100) - 1
      select(values, rank, from)
      from = rank
      // Adding 0 turns the -0 of a tiny negative difference into 0.
      return Math.round(values[rank] * 1000) / 1000 + 0
    }
    return { count: this.count, p50: at(50), p90: at(90), p95: at(95), p99: at(99), max: at(100) }
  }
}

/**
 * Brings the value of a rank to its place, none behind it smaller and none before it larger, where `from` is such a
 * place already: Hoare's quickselect, half the work of sorting all. It sorts what is left when few are, or after rounds
 * enough for any samples that nobody has made up.
 */
function select (values: Float64Array, rank: number, from: number): void {
  let low = from
  let high = values.length - 1
  for (let round = 0; round < MAX_ROUNDS && high - low > FEW; round++) {
    const pivot = values[(low + high) >> 1]
    let left = low
    let right = high
    while (left <= right) {
      while (values[left] < pivot) left++
      while (values[right] > pivot) right--
      if (left > right) break
      const value = values[left]
      values[left++] = values[right]
      values[right--] = value
    }
    if (rank <= right) high = right
    else if (rank >= left) low = left
    else return
  }
  values.subarray(low, high + 1).sort()
}
