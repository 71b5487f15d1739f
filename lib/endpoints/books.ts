import { DROPPED, FAILED, NOT_COMPARED } from '../reasons'
import type { Reason, ReasonClass } from '../reasons'
import type { DropReason, FailureReason, NotComparedReason } from '../../types/index'
import type { Spread } from './spread'

/** States of a request at a backend, one at a time. The numbers are indices of an array. */
export const KIND = {
  inFlight: 0,
  comparing: 1,
  matched: 2,
  mismatched: 3,
  /** A mismatch whose bodies were too long, or too complex, to be looked into. */
  unread: 4,
  failed: 5,
  /** No answer, by no fault of the backend's. */
  lost: 6,
  /** No answer, by choice or by nature. */
  leftOut: 7,
  /** Answered, known to differ in bytes, and not looked into. */
  busy: 8,
  /** Answered, and lost. */
  uncompared: 9,
  /** Answered, and left out. */
  aside: 10
} as const
export type Kind = typeof KIND[keyof typeof KIND]

const KINDS = 11

const UNANSWERED: Readonly<Record<ReasonClass, Kind>> = {
  failure: KIND.failed, lost: KIND.lost, 'left out': KIND.leftOut
}
const ANSWERED: Readonly<Record<ReasonClass, Kind>> = {
  failure: KIND.uncompared, lost: KIND.uncompared, 'left out': KIND.aside
}

/** The kind of each reason of a backend's books. */
export const KIND_OF_DROP: Readonly<Record<DropReason, Kind>> = kindsOf(DROPPED, UNANSWERED)
export const KIND_OF_FAILURE: Readonly<Record<FailureReason, Kind>> = kindsOf(FAILED, UNANSWERED)
export const KIND_OF_UNCOMPARED: Readonly<Record<NotComparedReason, Kind>> = {
  ...kindsOf(NOT_COMPARED, ANSWERED), busy: KIND.busy
}

function kindsOf<R extends string> (
  reasons: Readonly<Record<R, Reason>>, kinds: Readonly<Record<ReasonClass, Kind>>
): Record<R, Kind> {
  return Object.fromEntries(
    Object.entries<Reason>(reasons).map(([name, reason]) => [name, kinds[reason.class]])
  ) as Record<R, Kind>
}

/** Counts of one moment. */
export interface EndpointMark {
  readonly counts: Float64Array
  readonly slower: number
  readonly pairs: number
}

/**
 * One endpoint's counters of one backend. Each request is in one of them, whatever moves: so their sums are the
 * backend's books.
 */
export class EndpointBooks {
  readonly counts = new Float64Array(KINDS)
  /** Pairs that were slower than the limit. */
  slower = 0
  /** `null`: there was no pair yet. */
  differences: Spread | null = null
  /** Of those, pairs that are not counted. */
  pairsBefore = 0
  /** Time in milliseconds since 1970. 0: none. */
  latestMismatch = 0

  get mirrored (): number {
    let sum = 0
    for (let kind = 0; kind < KINDS; kind++) sum += this.counts[kind]
    return sum
  }

  get inFlight (): number { return this.counts[KIND.inFlight] }
  get comparing (): number { return this.counts[KIND.comparing] }
  get matched (): number { return this.counts[KIND.matched] }
  get mismatched (): number { return this.counts[KIND.mismatched] + this.counts[KIND.unread] }
  get compared (): number { return this.matched + this.mismatched }
  get failed (): number { return this.counts[KIND.failed] }
  get lost (): number { return this.counts[KIND.lost] + this.counts[KIND.busy] + this.counts[KIND.uncompared] }
  get leftOut (): number { return this.counts[KIND.leftOut] + this.counts[KIND.aside] }
  get pairs (): number { return (this.differences?.total ?? 0) - this.pairsBefore }

  /** What has been counted since these books were as `before` says; of what was under way then, once it ends. */
  since (before: EndpointMark): EndpointBooks {
    const books = new EndpointBooks()
    for (let kind = 0; kind < KINDS; kind++) books.counts[kind] = Math.max(0, this.counts[kind] - before.counts[kind])
    books.slower = Math.max(0, this.slower - before.slower)
    books.pairsBefore = before.pairs
    books.differences = this.differences
    return books
  }

  /** As they are now. */
  mark (): EndpointMark {
    return { counts: this.counts.slice(), slower: this.slower, pairs: this.pairs }
  }

  get success (): number {
    const { counts } = this
    return this.comparing + this.compared + counts[KIND.busy] + counts[KIND.uncompared] + counts[KIND.aside]
  }
}
