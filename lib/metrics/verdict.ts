import type {
  BackendSnapshot, FailureReason, MirrorVerdict, VerdictReason, VerdictWord
} from '../../types/index'
import type { VerdictConfig } from '../options/config'
import { FAILED } from '../reasons'

/** A backend's counters that a verdict rests on. */
export type VerdictCounts =
  Pick<BackendSnapshot, 'name' | 'compared' | 'mismatched' | 'success' | 'failure' | 'dropped'> &
  { latency: Pick<BackendSnapshot['latency'], 'difference'> }

/** Of all backends together: ready when every one is. */
export type Verdict = Pick<MirrorVerdict, 'verdict' | 'backends'>

/** Of the normal distribution, for 95 % on both sides. */
const Z = 1.959964
const Z2 = Z * Z

/**
 * No number of answers proves that none ever differs. So a limit of 0 is kept when there was none, and enough answers to
 * say with 95 % confidence that the rate is below this: 3838.
 */
const AS_GOOD_AS_ZERO = 0.001

/** Fewer samples are too few for a 95th percentile: five of a hundred lie above it. */
const FEWEST_SAMPLES = 100

/** The copies that these end say something of the backend. */
const COUNTED_FAILURES = (Object.keys(FAILED) as FailureReason[]).filter(reason => FAILED[reason].class === 'failure')

/**
 * Judges backends by their counters. A rate is judged by its 95 % Wilson score interval: wholly under the limit is good,
 * wholly over it is bad, across it is not enough data. Any bad reason makes a backend not ready; else any undecided one
 * asks for more data.
 *
 * @see Wilson, E. B. (1927), Probable inference, the law of succession, and statistical inference, JASA 22, 209-212
 * @see Brown, Cai, DasGupta (2001), Interval estimation for a binomial proportion, Statistical Science 16, 101-133
 */
export function verdict (backends: readonly VerdictCounts[], limits: VerdictConfig): Verdict {
  const judged = backends.map((backend) => {
    const reasons = reasonsFor(backend, limits)
    return { name: backend.name, verdict: word(reasons.map(({ state }) => state)), reasons }
  })
  return { verdict: word(judged.map((backend) => STATES[backend.verdict])), backends: judged }
}

const STATES: Readonly<Record<VerdictWord, VerdictReason['state']>> = {
  ready: 'good',
  'not ready': 'bad',
  'not enough data': 'undecided'
}

function word (states: ReadonlyArray<VerdictReason['state']>): VerdictWord {
  if (states.includes('bad')) return 'not ready'
  return states.includes('undecided') ? 'not enough data' : 'ready'
}

function reasonsFor (backend: VerdictCounts, limits: VerdictConfig): VerdictReason[] {
  const failed = COUNTED_FAILURES.reduce((sum, reason) => sum + backend.failure[reason], 0)
  const reasons = [
    judgeRate('mismatches', 'comparisons', backend.mismatched, backend.compared, limits.maxMismatchRate),
    judgeRate('failures', 'copies', failed, backend.success + failed, limits.maxFailureRate)
  ]
  if (limits.maxSlowdown !== null) reasons.push(judgeSlowdown(backend.latency.difference, limits.maxSlowdown))
  const dropped = Object.values(backend.dropped).reduce((sum, number) => sum + number, 0)
  if (dropped > 0) reasons.push(told('dropped', dropped, 'copies dropped unsent'))
  const { aborted } = backend.failure
  if (aborted > 0) reasons.push(told('aborted', aborted, 'copies cut by the client or by this app'))
  return reasons
}

function judgeRate (
  about: 'mismatches' | 'failures', of: string, count: number, total: number, limit: number
): VerdictReason {
  const interval = wilsonInterval(count, total)
  const [low, high] = interval
  const numbers = { count, of: total, rate: total === 0 ? null : count / total, interval, limit }
  const found = total === 0
    ? `${about}: no ${of} yet`
    : `${about}: ${count} of ${total} ${of}, ${percent(count / total)}, with 95 % confidence ${percent(low)} to ${percent(high)}`
  const allowed = `the limit of ${percent(limit)}`

  if (total > 0 && low > limit) return { about, state: 'bad', text: `${found}; over ${allowed}`, ...numbers }
  if (total > 0 && high <= (limit || AS_GOOD_AS_ZERO)) {
    const text = limit === 0
      ? `${found}; none, and enough ${of} to keep ${allowed}`
      : `${found}; within ${allowed}`
    return { about, state: 'good', text, ...numbers }
  }
  const needed = neededToSettle(count, total, limit || AS_GOOD_AS_ZERO)
  const settled = needed === null
    ? 'exactly at it, which no number of them would settle'
    : `${needed} more would settle it ${total === 0 ? 'if none is bad' : 'at this rate'}`
  return { about, state: 'undecided', text: `${found}; not clear of ${allowed}: ${settled}`, ...numbers, needed }
}

function judgeSlowdown ({ count, p95 }: VerdictCounts['latency']['difference'], limit: number): VerdictReason {
  const numbers = { count, p95, limit }
  if (p95 === null || count < FEWEST_SAMPLES) {
    const needed = FEWEST_SAMPLES - count
    const text = `slowdown: ${count} pairs; ${needed} more are needed to judge by the limit of ${limit} ms`
    return { about: 'slowdown', state: 'undecided', text, ...numbers, needed }
  }
  const good = p95 <= limit
  const text = `slowdown: ${p95} ms at p95 of the last ${Math.min(count, 1000)} pairs; ` +
    `${good ? 'within' : 'over'} the limit of ${limit} ms`
  return { about: 'slowdown', state: good ? 'good' : 'bad', text, ...numbers }
}

function told (about: 'dropped' | 'aborted', count: number, what: string): VerdictReason {
  return { about, state: 'told', text: `${what}: ${count}, neither for nor against`, count }
}

/** Where the rate behind `count` of `total` lies with 95 % confidence: the Wilson score interval. Of nothing, anywhere. */
export function wilsonInterval (count: number, total: number): [low: number, high: number] {
  if (total === 0) return [0, 1]
  const rate = count / total
  const centre = rate + Z2 / (2 * total)
  const half = Z * Math.sqrt(rate * (1 - rate) / total + Z2 / (4 * total * total))
  const scale = 1 + Z2 / total
  // Exact at the ends, where rounding would leave a trace.
  return [count === 0 ? 0 : (centre - half) / scale, count === total ? 1 : (centre + half) / scale]
}

/**
 * How many more, at the present rate, take the interval off the limit; `null`: none would. An end of the interval lies on
 * the limit L where (rate - L)² = z² L (1 - L) / n, which is how Wilson defines it.
 */
function neededToSettle (count: number, total: number, limit: number): number | null {
  const distance = (total === 0 ? 0 : count / total) - limit
  const needed = Math.ceil(Z2 * limit * (1 - limit) / (distance * distance)) - total
  return Number.isSafeInteger(needed) ? Math.max(1, needed) : null
}

function percent (rate: number): string {
  return `${Number((rate * 100).toPrecision(3))} %`
}
