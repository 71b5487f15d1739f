import type { VerdictReason } from '../../types/index'
import type { RateTest, Seen } from './sequential'
import { percent, percentBeside, span } from './words'

/** How the reason about a rate is told. */
export interface RateWords {
  readonly about: VerdictReason['about']
  /** The total: `comparisons`. */
  readonly of: string
  /** Words for those that count, behind the total. */
  readonly bad?: string
  /** How the limit is called. */
  readonly limit: string
}

/** Words and limits of a rate's reason. */
export interface RateContext {
  readonly confidence: number
  /** Milliseconds in which the total has come together. */
  readonly age: number
}

/** Judges counts by a test, in words and numbers. */
export function judgeRate (test: RateTest, seen: Seen, words: RateWords, context: RateContext): VerdictReason {
  const { count, total, open = 0, doubtful = 0 } = seen
  const unsure = open + doubtful
  const state = test.judge(seen)
  const [low, high] = test.interval(seen)
  const reason: Omit<VerdictReason, 'text'> = {
    about: words.about,
    state,
    count,
    of: total,
    rate: total === 0 ? null : count / total,
    interval: [low, high],
    limit: test.limit,
    ...unsure > 0 ? { unsure } : {}
  }
  const found = total === 0
    ? `${words.about}: no ${words.of} yet`
    : `${words.about}: ${count} of ${total} ${words.of}${words.bad ?? ''}, ${percent(count / total)}`
  const atLeast = `at least ${percentBeside(low, test.limit)}`
  const atMost = `at most ${percentBeside(high, test.limit)}`
  const sure = `${found}; with ${percent(context.confidence)} confidence`
  if (state === 'bad') {
    return {
      ...reason,
      text: test.limit === 0
        ? `${found}; one is over ${words.limit}`
        : `${sure} ${atLeast}; over ${words.limit}`
    }
  }
  if (state === 'good') {
    return {
      ...reason, text: `${sure} ${atMost}; ${test.limit === 0 ? 'none, and enough to keep' : 'within'} ${words.limit}`
    }
  }
  const { needed, text } = whatSettles(test, seen, words, context.age)
  if (total === 0) return { ...reason, needed, text: `${found}; ${text}` }
  const between = low === 0 ? atMost : `${atLeast} and ${atMost}`
  return { ...reason, needed, text: `${sure} ${between}; not clear of ${words.limit}: ${text}` }
}

function whatSettles (
  test: RateTest, { count, total, open = 0, doubtful = 0 }: Seen, { about, of }: RateWords, age: number
): { needed: number | null, text: string } {
  if (total === 0) {
    const needed = test.decidedAt(0)
    return { needed, text: `${needed} ${of} would settle it if none is bad` }
  }
  const rate = count / total
  // Doubtful ones speak for a rate over the limit as little as the test lets them.
  const decidedAt = test.decidedAt(rate < test.limit ? rate : (count - doubtful) / total)
  const waits = open + doubtful === 0 ? '' : `; ${open + doubtful} answers may yet turn out as ${about} or not`
  if (decidedAt === null) return { needed: null, text: `too close to it for any number of them to settle it${waits}` }
  // Where only the open ones are missing, they are what is needed.
  const needed = Math.max(open, 1, decidedAt - total)
  const pace = age > 0 ? `, in about ${span(needed / total * age)} at the pace so far` : ''
  return { needed, text: `${needed} more would settle it at this rate${pace}${waits}` }
}
