import type { EndpointReason, VerdictReason } from '../../types/index'
import type { EndpointBooks } from '../endpoints/books'
import { KIND } from '../endpoints/books'
import type { VerdictConfig } from '../options/config'
import { judgeRate } from './rate'
import type { RateContext } from './rate'
import { RateTest } from './sequential'
import type { Errors, Judgement, Seen } from './sequential'
import { percent, span } from './words'

/** Endpoints that a reason names. */
const NAMED = 8

/** An endpoint as one backend answered it. */
export interface EndpointFacts {
  readonly name: string
  readonly books: EndpointBooks
}

interface Judged extends EndpointFacts {
  readonly state: Judgement
  readonly mirrored: number
}

/** The tests of each endpoint. Many are asked at once: what the counts exclude is not computed. */
export class EndpointJudge {
  readonly #limits: VerdictConfig
  readonly #compares: boolean
  readonly #mismatches: RateTest
  readonly #failures: RateTest
  readonly #slowdown: RateTest
  /** Comparisons that suffice without a mismatch. */
  readonly #enough: number

  /** `maxSlower`: of the pairs, the share that may be slower than the limit. */
  constructor (limits: VerdictConfig, compares: boolean, errors: Errors, maxSlower: number) {
    this.#limits = limits
    this.#compares = compares
    this.#mismatches = new RateTest(limits.maxEndpointMismatchRate, errors)
    this.#failures = new RateTest(limits.maxFailureRate, errors)
    this.#slowdown = new RateTest(maxSlower, errors)
    this.#enough = this.#mismatches.decidedAt(0) as number
  }

  judge (books: EndpointBooks): Judgement {
    const { failed, slower } = books
    if (failed > 0 && this.#failures.judge(failures(books)) === 'bad') return 'bad'
    if (slower > 0 && this.#slowdown.judge(slow(books)) === 'bad') return 'bad'
    if (!this.#compares) return 'undecided'
    const judgement = this.#mismatches.judge(mismatches(books))
    return judgement === 'good' && !this.#isCovered(books) ? 'undecided' : judgement
  }

  #isCovered ({ compared, lost, failed }: EndpointBooks): boolean {
    return compared >= this.#limits.minCoverage * (compared + lost + failed)
  }

  /**
   * What the endpoints of one backend say together; nothing, where they say nothing. `total`: requests of all of them.
   */
  reasons (endpoints: readonly EndpointFacts[], total: number, context: RateContext): VerdictReason[] {
    const judged: Judged[] = []
    let small = 0
    let smallRequests = 0
    for (const { name, books } of endpoints) {
      const { mirrored } = books
      if (mirrored === 0) continue
      const state = this.judge(books)
      // Too small to be waited for; what is proven is proven.
      if (state !== 'bad' && mirrored < this.#limits.minEndpointShare * total) {
        small++
        smallRequests += mirrored
      } else {
        judged.push({ name, books, state, mirrored })
      }
    }
    const bad = judged.filter(({ state }) => state === 'bad')
    const limit = this.#mismatches.limit
    const reason = { about: 'endpoints' as const, of: judged.length, limit }
    if (bad.length > 0) {
      const named = bad.sort(worstFirst).slice(0, NAMED).map(each => this.#accuse(each, total, context))
      const text = `endpoints: ${of(bad, judged)} not fit for release: ${list(named, bad.length)}`
      return [{ ...reason, state: 'bad', count: bad.length, rate: bad.length / judged.length, endpoints: named, text }]
    }
    if (!this.#compares || judged.length + small === 0) return []
    const open = judged.filter(({ state }) => state !== 'good')
    const rate = judged.length === 0 ? null : open.length / judged.length
    if (open.length > 0) {
      const named = open.sort(worstFirst).slice(0, NAMED).map(each => this.#await(each, total, context))
      const found = `${of(open, judged)} not shown to be within the limit of ${percent(limit)} yet`
      const text = `endpoints: ${found}: ${list(named, open.length)}`
      return [{ ...reason, state: 'undecided', count: open.length, rate, endpoints: named, text }]
    }
    const leftOut = small === 0
      ? ''
      : `; left out as too small: ${small} with ${percent(smallRequests / total)} of the requests`
    return [{
      ...reason,
      state: 'good',
      count: 0,
      rate,
      text: `endpoints: ${judged.length} within the limit of ${percent(limit)}${leftOut}`
    }]
  }

  /** Why an endpoint is bad. */
  #accuse ({ name, books, mirrored }: Judged, total: number, context: RateContext): EndpointReason {
    const { maxSlowdown } = this.#limits
    const words = [
      judgeRate(this.#mismatches, mismatches(books), {
        about: 'mismatches',
        of: 'comparisons',
        limit: limitOf(this.#mismatches)
      }, context),
      judgeRate(this.#failures, failures(books), {
        about: 'failures',
        of: 'copies',
        limit: limitOf(this.#failures)
      }, context),
      judgeRate(this.#slowdown, slow(books), {
        about: 'slowdown',
        of: 'pairs',
        bad: ` are slower by more than ${maxSlowdown} ms`,
        limit: `the ${percent(this.#slowdown.limit)} that may be`
      }, context)
    ].filter(({ state }) => state === 'bad').map(({ text }) => text)
    const share = mirrored / total
    return {
      ...numbers(name, share, books),
      needed: null,
      text: `${name} (${percent(share)} of the requests; ${words.join('; ')})`
    }
  }

  /** What an undecided endpoint needs. */
  #await ({ name, books, mirrored }: Judged, total: number, { age }: RateContext): EndpointReason {
    const { compared, mismatched } = books
    const share = mirrored / total
    const rate = mismatched === 0 ? 0 : mismatched / compared
    const decided = mismatched === 0 ? this.#enough : this.#mismatches.decidedAt(rate)
    const needed = decided === null ? null : Math.max(1, Math.ceil(decided - compared))
    const found = mismatched === 0 ? '' : `; ${mismatched} of ${compared} comparisons are mismatches, ${percent(rate)}`
    let text = `${name} (${percent(share)} of the requests${found}; `
    if (compared >= this.#enough && mismatched === 0) text += 'too few of its copies were compared'
    else if (needed === null) text += 'too close to the limit for any number of comparisons to settle it'
    else text += `${needed} more comparisons${age > 0 && compared > 0 ? atPace(needed / compared * age) : ''}`
    return { ...numbers(name, share, books), needed, text: text + ')' }
  }
}

function numbers (name: string, share: number, { compared, mismatched }: EndpointBooks) {
  return { name, share, compared, mismatched }
}

function limitOf ({ limit }: RateTest): string {
  return `the limit of ${percent(limit)}`
}

/** Counts for a test. Counts for a test. What is not known yet may be either, as in the mirror's own test. */
function mismatches ({ counts, compared, mismatched, comparing }: EndpointBooks): Seen {
  return { count: mismatched, total: compared, open: comparing + counts[KIND.busy], doubtful: counts[KIND.unread] }
}

function failures ({ failed, success }: EndpointBooks): Seen {
  return { count: failed, total: success + failed }
}

function slow ({ slower, pairs }: EndpointBooks): Seen {
  return { count: slower, total: pairs }
}

/** Orders endpoints: those that have mismatches by their rate, then those that are asked for most. */
function worstFirst (a: Judged, b: Judged): number {
  return rateOf(b.books) - rateOf(a.books) || b.mirrored - a.mirrored
}

function rateOf ({ mismatched, compared }: EndpointBooks): number {
  return mismatched === 0 ? 0 : mismatched / compared
}

function atPace (ms: number): string {
  return `, in about ${span(ms)} at the pace so far`
}

function of (some: readonly Judged[], all: readonly Judged[]): string {
  if (all.length === 1) return 'the only one is'
  return `${some.length} of ${all.length} ${some.length === 1 ? 'is' : 'are'}`
}

function list (named: readonly EndpointReason[], count: number): string {
  const more = count - named.length
  return named.map(({ text }) => text).join(', ') + (more > 0 ? ` and ${more} more` : '')
}
