import type { RateTest } from '../../lib/verdict/sequential'

/** What became of many runs of a test at one true rate. */
export interface Outcome {
  /** Shares of the runs that were ever found so. */
  readonly good: number
  readonly bad: number
  /** Comparisons after which half of the runs were; `null`: fewer ever were. */
  readonly goodAt: number | null
  readonly badAt: number | null
}

/** Numbers from 0 to 1, always the same for a seed: mulberry32. */
export function seeded (seed: number): () => number {
  return () => {
    seed = seed + 0x6D2B79F5 | 0
    let mixed = Math.imul(seed ^ seed >>> 15, 1 | seed)
    mixed = mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed) ^ mixed
    return ((mixed ^ mixed >>> 14) >>> 0) / 4294967296
  }
}

/**
 * Looks at runs of independent outcomes, each bad with a probability of `rate`, after every one of `length`. Not every
 * look is taken, but none is missed: with no further bad one a test can only become good, and having become so stays,
 * until the next; only a bad one can make it bad. So it is looked at after each bad one and before it, and where it
 * became good between is searched for.
 */
export function simulate (test: RateTest, rate: number, runs: number, length: number, random: () => number): Outcome {
  const good: number[] = []
  const bad: number[] = []
  for (let run = 0; run < runs; run++) {
    const { goodAt, badAt } = runOnce(test, rate, length, random)
    if (goodAt !== null) good.push(goodAt)
    if (badAt !== null) bad.push(badAt)
  }
  return { good: good.length / runs, bad: bad.length / runs, goodAt: median(good, runs), badAt: median(bad, runs) }
}

function runOnce (test: RateTest, rate: number, length: number, random: () => number) {
  let goodAt: number | null = null
  let badAt: number | null = null
  let count = 0
  let total = 0
  while (total < length && (goodAt === null || badAt === null)) {
    const next = total + gap(rate, random)
    const before = Math.min(length, next - 1)
    if (goodAt === null && before > total && test.judge({ count, total: before }) === 'good') {
      goodAt = firstGood(test, count, total, before)
    }
    if (next > length) break
    total = next
    count++
    if (badAt === null && test.judge({ count, total }) === 'bad') badAt = total
  }
  return { goodAt, badAt }
}

/** Outcomes up to the next bad one, which is the last of them. */
function gap (rate: number, random: () => number): number {
  if (rate === 0) return Infinity
  return rate === 1 ? 1 : 1 + Math.floor(Math.log(1 - random()) / Math.log1p(-rate))
}

function firstGood (test: RateTest, count: number, low: number, high: number): number {
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (test.judge({ count, total: middle }) === 'good') high = middle
    else low = middle
  }
  return high
}

function median (values: number[], of: number): number | null {
  values.sort((a, b) => a - b)
  return values[Math.ceil(of / 2) - 1] ?? null
}
