/** Upper bounds in seconds, of what takes time. They are fixed, so that the buckets of several instances add up. */
const DURATION = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
/** Upper bounds in seconds, of a difference: the shadow may be the faster one. */
const DIFFERENCE = [
  -5, -1, -0.5, -0.25, -0.1, -0.05, -0.025, -0.01, -0.005, -0.0025, -0.001, 0,
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5
]

/** Counts of samples by size, of all that were ever observed. */
export class Histogram {
  /** Upper bounds of the buckets but the last, which has none. */
  readonly bounds: readonly number[]
  /** Samples in each bucket alone. */
  readonly counts: Float64Array
  /** Sum in seconds. */
  sum = 0

  constructor (bounds: readonly number[]) {
    this.bounds = bounds
    this.counts = new Float64Array(bounds.length + 1)
  }

  observe (ms: number): void {
    const seconds = ms / 1000
    const { bounds } = this
    let bucket = 0
    while (bucket < bounds.length && seconds > bounds[bucket]) bucket++
    this.counts[bucket]++
    this.sum += seconds
  }
}

/** A backend's latencies since the app began, whatever is reset. */
export class LatencyHistograms {
  readonly shadow = new Histogram(DURATION)
  readonly primary = new Histogram(DURATION)
  readonly difference = new Histogram(DIFFERENCE)
}
