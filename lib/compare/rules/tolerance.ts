import { MAX_DURATION, readDuration } from '../../duration'
import { MAX_VALUE } from './formats'
import { instantOf } from './instant'
import { isWithin, isWithinPercent } from './within'

/** How far two values may be apart. */
export type Tolerance = (primary: string, shadow: string) => boolean

const PERCENT = /^(\d{1,9}(?:\.\d{1,9})?) ?%$/
/** A number as JSON has it: in headers, and in text, too. */
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/

export const TOLERANCES =
  `a number over 0, a share such as "1%", or a time such as "2s" or "5m", at most ${MAX_DURATION / 86_400_000} days`

/**
 * What is meant by a tolerance; `null`: it is none. Of numbers, also of those that are text, or of date-times: of
 * anything else two values are never near.
 */
export function readTolerance (given: number | string): Tolerance | null {
  if (typeof given === 'number') {
    return given > 0 && given < Infinity ? numbers((a, b) => isWithin(a, b, String(given))) : null
  }
  const percent = PERCENT.exec(given.trim())
  if (percent !== null) return Number(percent[1]) > 0 ? numbers((a, b) => isWithinPercent(a, b, percent[1])) : null
  const ms = readDuration(given)
  return typeof ms === 'number' && ms > 0 ? times(`${ms}e-3`) : null
}

function numbers (near: Tolerance): Tolerance {
  return (a, b) => NUMBER.test(a) && NUMBER.test(b) && near(a, b)
}

function times (most: string): Tolerance {
  return (a, b) => {
    if (Math.max(a.length, b.length) > MAX_VALUE) return false
    const [one, other] = [instantOf(a), instantOf(b)]
    return one !== null && other !== null && isWithin(one, other, most)
  }
}
