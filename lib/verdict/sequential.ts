/**
 * A sequential test of a rate against a limit, which may be looked at as often as one likes.
 *
 * Each of n outcomes is bad (k of them) or not. For a limit L and an alternative whose odds are s times those of L, the
 * likelihood ratio of the outcomes is `sᵏ / (1 + (s - 1) L)ⁿ`. At a true rate of L it is a martingale that begins with
 * 1. With s < 1 it is a supermartingale for every true rate over L as well, with s > 1 for every one under it; so is a
 * mixture of such ratios with weights that add up to 1. By Ville's inequality it *ever* reaches 1/α with a probability
 * of at most α. So "the rate is under L" may be said as soon as the mixture over s < 1 reaches 1/α, and "over L" as
 * soon as that over s > 1 does; no look makes either wrong more often.
 *
 * The limits that are not refuted so make a confidence sequence. For each s the ratio is monotone in L, so these limits
 * are an interval, and L lies outside of it just when the test decides: number and word can not disagree. State is k
 * and n alone.
 *
 * @see Ville (1939), Étude critique de la notion de collectif
 * @see Robbins (1970), Statistical methods related to the law of the iterated logarithm, Ann. Math. Statist. 41,
 * 1397-1409
 * @see Howard, Ramdas, McAuliffe, Sekhon (2021), Time-uniform, nonparametric, nonasymptotic confidence sequences, Ann.
 * Statist. 49, 1055-1080
 * @see Waudby-Smith, Ramdas (2024), Estimating means of bounded random variables by betting, J. R. Stat. Soc. B 86,
 * 1-27
 */
export class Mixture {
  readonly #odds: Float64Array
  readonly #logOdds: Float64Array
  readonly #logWeights: Float64Array
  readonly #terms: Float64Array

  /** `points`: of each alternative how many times the limit's odds it has, and its weight. */
  constructor (points: ReadonlyArray<readonly [odds: number, weight: number]>) {
    const sum = points.reduce((total, [, weight]) => total + weight, 0)
    this.#odds = Float64Array.from(points, ([odds]) => odds)
    this.#logOdds = this.#odds.map(Math.log)
    this.#logWeights = Float64Array.from(points, ([, weight]) => Math.log(weight / sum))
    this.#terms = new Float64Array(points.length)
  }

  /** The logarithm of the mixture of ratios for `count` of `total`, against `limit`. Whole numbers or not. */
  log (count: number, total: number, limit: number): number {
    const terms = this.#terms
    let largest = -Infinity
    for (let i = 0; i < terms.length; i++) {
      // 0 times an infinite logarithm would be no number.
      const seen = count === 0 ? 0 : count * this.#logOdds[i]
      const term = terms[i] = this.#logWeights[i] + seen - total * Math.log1p((this.#odds[i] - 1) * limit)
      if (term > largest) largest = term
    }
    if (!Number.isFinite(largest)) return largest
    let sum = 0
    for (let i = 0; i < terms.length; i++) sum += Math.exp(terms[i] - largest)
    return largest + Math.log(sum)
  }
}

/**
 * Of what is under its limit. Much weight on none at all, which is what is hoped for; some close to the limit, which is
 * what many comparisons are needed for.
 */
const UNDER = new Mixture([
  [0, 0.4], [0.5, 0.16], [0.7, 0.12], [0.82, 0.1], [0.9, 0.08], [0.95, 0.06], [0.98, 0.05], [0.99, 0.03]
])

/**
 * Of what is over its limit. A single one among the first never suffices: the highest odds times their weight is too
 * little.
 */
const OVER = new Mixture([
  [1.02, 0.02], [1.05, 0.02], [1.1, 0.03], [1.2, 0.06], [1.4, 0.1], [1.7, 0.15], [2, 0.2], [3, 0.2], [6, 0.1],
  [15, 0.07], [50, 0.05]
])

/** Weight on none at all alone: for a limit of 0, where the first one decides anyway. */
const NONE = new Mixture([[0, 1]])

/**
 * No number of outcomes proves that none is ever bad. A limit of 0 is kept when there was none, and enough to refute
 * this rate: 2995.
 */
const AS_GOOD_AS_ZERO = 0.001

/** No more outcomes than these are foretold. */
const MOST = 2 ** 40
/** Precision of the ends of an interval, relative to them. */
const PRECISION = 1e-7
const TINY = 1e-15

export type Judgement = 'good' | 'bad' | 'undecided'

/**
 * How often a test may err, in one period, however often it is asked: by finding good what is not, and bad what is not.
 */
export interface Errors {
  readonly good: number
  readonly bad: number
}

/** Outcomes so far: `count` of `total` are bad. */
export interface Seen {
  readonly count: number
  readonly total: number
  /**
   * Others, of which it is not known yet whether they are: they count as bad against good, and as none of it against
   * bad.
   */
  readonly open?: number
  /** Those of `count` that may be none: likewise. */
  readonly doubtful?: number
}

/** Judges a rate by a limit. It has no state: what it says depends on the counts alone. */
export class RateTest {
  readonly limit: number
  readonly #good: number
  readonly #bad: number
  readonly #under: Mixture
  /** The rates to be refuted for `good`. */
  readonly #goal: number

  constructor (limit: number, errors: Errors) {
    this.limit = limit
    this.#good = -Math.log(errors.good)
    this.#bad = -Math.log(errors.bad)
    this.#under = limit === 0 ? NONE : UNDER
    this.#goal = limit || AS_GOOD_AS_ZERO
  }

  judge ({ count, total, open = 0, doubtful = 0 }: Seen): Judgement {
    if (this.#isOver(count - doubtful, total + open)) return 'bad'
    return this.#isUnder(count + open, total + open) ? 'good' : 'undecided'
  }

  /** No rate is over 1, and every rate is at or over 0. */
  #isOver (count: number, total: number): boolean {
    return this.limit === 0 ? count > 0 : this.limit < 1 && OVER.log(count, total, this.limit) >= this.#bad
  }

  #isUnder (count: number, total: number): boolean {
    return this.limit === 1 ? total > 0 : this.#under.log(count, total, this.#goal) >= this.#good
  }

  /** The rates that are not refuted, each side at its own error. The limit is outside just when it is decided. */
  interval (seen: Seen): [low: number, high: number] {
    const { count, total, open = 0, doubtful = 0 } = seen
    if (total + open === 0) return [0, 1]
    const low = this.#lowest(count - doubtful, total + open)
    const high = this.#highest(count + open, total + open)
    // An end is found only as well as the search for it; the judgement stands.
    const judgement = this.judge(seen)
    return [
      judgement === 'bad' ? Math.max(low, this.limit) : low, judgement === 'good' ? Math.min(high, this.#goal) : high
    ]
  }

  #lowest (count: number, total: number): number {
    if (count === 0) return 0
    const refuted = (rate: number) => OVER.log(count, total, rate) >= this.#bad
    let high = count / total
    let low = high / 2
    while (!refuted(low)) {
      if (low < TINY) return 0
      high = low
      low /= 2
    }
    return between(low, high, refuted)
  }

  #highest (count: number, total: number): number {
    const under = count === 0 ? this.#under : UNDER
    const refuted = (rate: number) => under.log(count, total, rate) >= this.#good
    let low = count / total
    let high = Math.max(low, 1 / total)
    while (!refuted(high)) {
      if (high >= 1) return 1
      low = high
      high = Math.min(1, high * 2)
    }
    return between(high, low, refuted)
  }

  /**
   * The total at which it is decided, if `rate` of all are bad; `null`: it never is, or not within any sensible number.
   * The mixture is convex in the total, so it is over its goal from there on.
   */
  decidedAt (rate: number): number | null {
    const decides = (total: number) => this.judge({ count: rate * total, total }) !== 'undecided'
    let high = 1
    while (!decides(high)) {
      if (high >= MOST) return null
      high *= 2
    }
    let low = Math.floor(high / 2)
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2)
      if (decides(middle)) high = middle
      else low = middle
    }
    return high
  }
}

/** Where it ends that rates are refuted: the last that is. */
function between (refutedRate: number, other: number, refuted: (rate: number) => boolean): number {
  while (Math.abs(refutedRate - other) > PRECISION * refutedRate) {
    const middle = (refutedRate + other) / 2
    if (refuted(middle)) refutedRate = middle
    else other = middle
  }
  return refutedRate
}
