import { RateTest } from '../verdict/sequential'
import type { Seen } from '../verdict/sequential'

/** Of each end of an interval. */
const ERROR = 0.05
/** What is so much more often is clearly more often. */
const CLEARLY = 1.5

/** Its limit is of no matter: only intervals are asked for. */
const test = new RateTest(0.5, { good: ERROR, bad: ERROR })

/** Whether the first rate is clearly more than the second. */
export function isClearlyMore (first: Seen, second: Seen): boolean {
  // The counts alone say no: most often.
  if (first.count * second.total <= second.count * first.total * CLEARLY) return false
  return test.interval(first)[0] > test.interval(second)[1] * CLEARLY
}

/** Whether the first rate is surely not clearly more than the second. */
export function isSurelyNoMore (first: Seen, second: Seen): boolean {
  return test.interval(first)[1] <= test.interval(second)[0] * CLEARLY
}
