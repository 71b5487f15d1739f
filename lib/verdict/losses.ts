import type { VerdictReason } from '../../types/index'
import type { CountedBooks } from '../metrics/books'
import { DROPPED, FAILED, NOT_COMPARED } from '../reasons'
import type { Reason, ReasonClass } from '../reasons'
import { percent } from './words'

/** A reason for which copies were not compared, and how many. */
interface Counted {
  readonly reason: Reason
  readonly count: number
}

type Outcomes = Pick<CountedBooks, 'dropped' | 'failure' | 'notCompared'>

const TABLES = [['dropped', DROPPED], ['failure', FAILED], ['notCompared', NOT_COMPARED]] as const

/** Copies that ended in a way of these classes, most first. */
function counted (books: Outcomes, ...classes: ReasonClass[]): Counted[] {
  const found: Counted[] = []
  for (const [key, table] of TABLES) {
    for (const [name, reason] of Object.entries<Reason>(table)) {
      const count = (books[key] as Record<string, number>)[name]
      if (count > 0 && classes.includes(reason.class)) found.push({ reason, count })
    }
  }
  return found.sort((a, b) => b.count - a.count)
}

function sum (counts: readonly Counted[]): number {
  return counts.reduce((total, { count }) => total + count, 0)
}

function list (counts: readonly Counted[]): string {
  return counts.map(({ reason, count }) => `${count} ${reason.label}`).join(', ')
}

/** Copies that say something against the backend: they failed, or were not sent since others had. */
export function failedCopies (books: Outcomes): number {
  let failed = 0
  for (const [key, table] of TABLES) {
    for (const [name, reason] of Object.entries<Reason>(table)) {
      if (reason.class === 'failure') failed += (books[key] as Record<string, number>)[name]
    }
  }
  return failed
}

/** Whether enough was compared of what should have been. A share, not a sample: no confidence is needed. */
export function judgeCoverage (
  books: Outcomes & Pick<CountedBooks, 'compared'>, minCoverage: number, compares: boolean
): VerdictReason {
  const lost = counted(books, 'lost', 'failure')
  const { compared } = books
  const of = compared + sum(lost)
  const rate = of === 0 ? null : compared / of
  const reason = { about: 'coverage' as const, count: compared, of, rate, limit: minCoverage }
  if (!compares) {
    return {
      ...reason,
      state: 'undecided',
      text: 'coverage: this mirror compares nothing; set compare.enabled to get a verdict'
    }
  }
  if (rate === null) {
    return { ...reason, state: minCoverage === 0 ? 'good' : 'undecided', text: 'coverage: nothing was compared yet' }
  }
  const found = `coverage: ${compared} of ${of} copies were compared, ${percent(rate)}`
  const losses = lost.length === 0 ? '' : `; lost: ${list(lost)}`
  if (rate >= minCoverage) return { ...reason, state: 'good', text: found + losses }
  const most = lost[0].reason
  const text =
    `${found}; at least ${percent(minCoverage)} are needed${losses}. Most of all ${most.label}: ${most.meaning}`
  return { ...reason, state: 'undecided', text }
}

/** A mirror that reaches its limits leaves out just the busiest moments. */
export function tellCapped ({ dropped }: Outcomes): VerdictReason[] {
  const capped: Counted[] = (['inFlight', 'memory', 'thread'] as const)
    .map(name => ({ reason: DROPPED[name], count: dropped[name] }))
    .filter(({ count }) => count > 0)
  const count = sum(capped)
  if (count === 0) return []
  const text = `sample: ${count} copies were dropped at limits of the mirror (${list(capped)}), ` +
    'mostly in busy moments: what was compared is no random sample'
  return [{ about: 'sample', state: 'told', count, text }]
}

/**
 * What says nothing of the backend, by choice or by nature. `unsampled`: requests that were not sent to it by a roll.
 */
export function tellLeftOut (books: Outcomes, unsampled: number): VerdictReason[] {
  const leftOut = counted(books, 'left out')
  const count = sum(leftOut) + unsampled
  if (count === 0) return []
  const all = [...unsampled > 0 ? [`${unsampled} not sampled`] : [], ...leftOut.length > 0 ? [list(leftOut)] : []]
  return [{ about: 'left out', state: 'told', count, text: `left out, neither for nor against: ${all.join(', ')}` }]
}
