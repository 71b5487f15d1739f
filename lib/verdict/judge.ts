import type { BackendVerdict, BreakerState, CompareRule, VerdictReason, VerdictWord } from '../../types/index'
import type { CountedBooks } from '../metrics/books'
import type { MirrorConfig, VerdictConfig } from '../options/config'
import type { EndpointBooks } from '../endpoints/books'
import { EndpointJudge } from './endpoints'
import type { EndpointFacts } from './endpoints'
import { failedCopies, judgeCoverage, tellCapped, tellLeftOut } from './losses'
import type { OutageSummary } from './outages'
import { judgeRate } from './rate'
import { RateTest } from './sequential'
import { shareErrors } from './shares'
import type { Shares } from './shares'
import { atOnce } from '../steps'
import type { Steps } from '../steps'
import { percent, span, times } from './words'

/** Rules that a reason names. */
const NAMED = 8
/** Share of the pairs that may be slower than the limit: p95 is judged. */
export const MAX_SLOWER = 0.05

/** The facts of a verdict on a backend. */
export interface BackendFacts {
  readonly name: string
  readonly books: CountedBooks
  readonly breaker: BreakerState
  /** When the present outage began; `null`: there is none. */
  readonly since: Date | null
  readonly outages: OutageSummary
  /** Where something is proposed as noise. */
  readonly explained?: ExplainedFacts | null
  /** Endpoints that are judged. */
  readonly endpoints: readonly EndpointFacts[]
}

/** Mismatches since something was proposed as noise, and those of them that differ by what is proposed alone. */
export interface ExplainedFacts {
  readonly since: Date
  readonly mismatches: number
  readonly explained: number
  /** Proposals that explain some. */
  readonly proposals: number
}

/** The facts that all backends of a mirror share. */
export interface MirrorFacts {
  /** Milliseconds since the period began. */
  readonly age: number
  /** Requests that no backend got, by a roll. */
  readonly unsampled: number
  /** Rules in force that were accepted as noise without a person. */
  readonly accepted?: readonly CompareRule[]
}

/** How often the tests of a mirror, and of an endpoint, may err. */
export function sharesOf (
  { verdict, backends, maxEndpoints }: Pick<MirrorConfig, 'verdict' | 'maxEndpoints'> & { backends: readonly unknown[] }
): Shares {
  const tests = (verdict.maxSlowdown === null ? 2 : 3) * backends.length
  // Beside those of the table what came later, and what was not found.
  return shareErrors(verdict.confidence, { own: tests, endpoint: (maxEndpoints + 2) * tests })
}

export type Judged = Pick<BackendVerdict, 'verdict'> & { backends: BackendVerdict[] }

/** Judges the backends of one mirror by their counters. What it may err by is fixed when it is made. */
export class Judge {
  readonly #limits: VerdictConfig
  readonly #compares: boolean
  readonly #mismatches: RateTest
  readonly #failures: RateTest
  readonly #slowdown: RateTest | null
  readonly #endpoints: EndpointJudge

  constructor ({
    verdict, compare, backends, maxEndpoints
  }: Pick<MirrorConfig, 'verdict' | 'compare' | 'backends' | 'maxEndpoints'>) {
    this.#limits = verdict
    this.#compares = compare.enabled
    const { own, endpoint } = sharesOf({ verdict, backends, maxEndpoints })
    this.#mismatches = new RateTest(verdict.maxMismatchRate, own)
    this.#failures = new RateTest(verdict.maxFailureRate, own)
    this.#slowdown = verdict.maxSlowdown === null ? null : new RateTest(MAX_SLOWER, own)
    this.#endpoints = new EndpointJudge(verdict, compare.enabled, endpoint, MAX_SLOWER)
  }

  /** Judges one endpoint of one backend. */
  endpoint (books: EndpointBooks): VerdictWord {
    return word([this.#endpoints.judge(books)])
  }

  /**
   * Any bad reason makes a backend not ready; else any undecided one asks for more data. A mirror is as its worst
   * backend.
   */
  verdict (backends: readonly BackendFacts[], mirror: MirrorFacts): Judged {
    return atOnce(this.steps(backends, mirror))
  }

  /** The same, one backend at a step: a hundred of them take long. */
  * steps (backends: readonly BackendFacts[], mirror: MirrorFacts): Steps<Judged> {
    const judged: BackendVerdict[] = []
    for (const backend of backends) {
      const reasons = this.#reasons(backend, mirror)
      judged.push({ name: backend.name, verdict: word(reasons.map(({ state }) => state)), reasons })
      yield
    }
    return { verdict: worst(judged.map(({ verdict }) => verdict)), backends: judged }
  }

  #reasons (
    { books, breaker, since, outages, explained = null, endpoints }: BackendFacts,
    { age, unsampled, accepted = [] }: MirrorFacts
  ): VerdictReason[] {
    const { confidence, maxSlowdown, minCoverage, minDuration } = this.#limits
    const context = { confidence, age }
    const reasons: VerdictReason[] = []
    if (this.#compares) {
      // What is still being compared, or is known to differ in bytes alone and was not looked into, may be either.
      const open = books.comparing + books.notCompared.busy
      const seen = { count: books.mismatched, total: books.compared, open, doubtful: books.unread }
      const words = {
        about: 'mismatches', of: 'comparisons', limit: `the limit of ${percent(this.#mismatches.limit)}`
      } as const
      reasons.push(judgeRate(this.#mismatches, seen, words, context))
    }
    const failed = failedCopies(books)
    const words = { about: 'failures', of: 'copies', limit: `the limit of ${percent(this.#failures.limit)}` } as const
    reasons.push(judgeRate(this.#failures, { count: failed, total: books.success + failed }, words, context))
    if (this.#slowdown !== null) reasons.push(judgeSlowdown(this.#slowdown, books, maxSlowdown as number, context))
    reasons.push(...this.#endpoints.reasons(endpoints, books.offered, context))
    reasons.push(judgeCoverage(books, minCoverage, this.#compares))
    if (breaker !== 'closed') reasons.push(refuseBreaker(breaker, since))
    if (age < minDuration) reasons.push(awaitDuration(age, minDuration))
    return [
      ...reasons, ...tellExplained(explained), ...tellAccepted(accepted), ...tellOutages(outages), ...tellCapped(books),
      ...tellLeftOut(books, unsampled + books.unsampled)
    ]
  }
}

function judgeSlowdown (
  test: RateTest, books: CountedBooks, limit: number, context: Parameters<typeof judgeRate>[3]
): VerdictReason {
  const { difference } = books.latency
  const seen = { count: books.slower, total: difference.count }
  const words = {
    about: 'slowdown',
    of: 'pairs',
    bad: ` are slower by more than ${limit} ms`,
    limit: `the ${percent(MAX_SLOWER)} that may be`
  } as const
  return { ...judgeRate(test, seen, words, context), p95: difference.summary().p95, limit }
}

function refuseBreaker (breaker: BreakerState, since: Date | null): VerdictReason {
  const ms = since === null ? 0 : Date.now() - since.getTime()
  const began = since === null ? '' : ` since ${since.toISOString()}, for ${span(ms)}`
  return {
    about: 'breaker', state: 'bad', count: ms, text: `breaker: ${breaker}${began}: the backend failed again and again`
  }
}

function awaitDuration (age: number, minDuration: number): VerdictReason {
  const text = `duration: ${span(age)} of the ${span(minDuration)} that are asked for; ${span(minDuration - age)} more`
  return { about: 'duration', state: 'undecided', count: age, limit: minDuration, text }
}

function tellAccepted (rules: readonly CompareRule[]): VerdictReason[] {
  if (rules.length === 0) return []
  const named = rules.slice(0, NAMED).map(({ at, endpoint, ...kind }) => `${endpoint} ${at} (${JSON.stringify(kind)})`)
  const more = rules.length > NAMED ? ` and ${rules.length - NAMED} more` : ''
  const text = `accepted: ${times(rules.length, 'rule')} of noise without a person: ${named.join(', ')}${more}`
  return [{ about: 'accepted', state: 'told', count: rules.length, text }]
}

function tellExplained (facts: ExplainedFacts | null): VerdictReason[] {
  if (facts === null) return []
  const { since, mismatches, explained, proposals } = facts
  const rate = explained / mismatches
  const them = proposals === 1 ? 'it' : 'them'
  const text = `explained: ${percent(rate)} of the mismatches since ${since.toISOString()}, ` +
    `${explained} of ${mismatches}, by ${times(proposals, 'proposal')} of noise; accept or dismiss ${them}`
  return [{ about: 'explained', state: 'told', count: explained, of: mismatches, rate, text }]
}

function tellOutages ({ count, ms, copies }: OutageSummary): VerdictReason[] {
  if (count === 0) return []
  const text = `outages: ${times(count, 'outage')} of ${span(ms)}, ${copies} copies; ` +
    'they count as failures: once it is known why, reset the counters to judge without them'
  return [{ about: 'outages', state: 'told', count, text }]
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

/** The verdict on several together. Of none at all there is not enough data. */
export function worst (words: readonly VerdictWord[]): VerdictWord {
  return words.length === 0 ? 'not enough data' : word(words.map(each => STATES[each]))
}
