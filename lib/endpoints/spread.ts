/** Buckets for a doubling: a percentile is off by at most 5 %. */
const PER_DOUBLING = 8
/** Milliseconds: what is less is 0, what is more is as good as that. */
const LEAST = 2 ** -4
const DOUBLINGS = 20
const SIDE = PER_DOUBLING * DOUBLINGS

/**
 * How differences of milliseconds are spread, negative ones too: counts by size, which can be taken back and added up.
 */
export class Spread {
  /** From the most negative to the largest; 0 is in the middle. */
  readonly #counts = new Uint32Array(2 * SIDE + 1)
  total = 0

  /** `sign`: 1, or -1 for one that is taken back. */
  add (ms: number, sign: 1 | -1): void {
    this.#counts[bucketOf(ms)] += sign
    this.total += sign
  }

  /** Percentiles by nearest rank, in ascending order of `percents`. `null`: there is none. */
  percentiles (percents: readonly number[]): Array<number | null> {
    let bucket = 0
    let below = this.#counts[0]
    return percents.map(percent => {
      if (this.total === 0) return null
      const rank = Math.ceil(percent * this.total / 100)
      while (below < rank) below += this.#counts[++bucket]
      return middleOf(bucket)
    })
  }
}

function bucketOf (ms: number): number {
  const size = Math.abs(ms)
  if (size < LEAST) return SIDE
  const step = Math.min(SIDE, 1 + Math.floor(Math.log2(size / LEAST) * PER_DOUBLING))
  return ms < 0 ? SIDE - step : SIDE + step
}

function middleOf (bucket: number): number {
  const step = Math.abs(bucket - SIDE)
  if (step === 0) return 0
  const size = LEAST * 2 ** ((step - 0.5) / PER_DOUBLING)
  return Number((bucket < SIDE ? -size : size).toPrecision(3))
}
