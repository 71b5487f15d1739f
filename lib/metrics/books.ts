import type { DropReason, FailureReason, MismatchPart, NotComparedReason, StatusClass } from '../../types/index'
import type { Difference, PairLatency } from '../engine/types'
import type { LatencyHistograms } from './histogram'
import { DROPPED, FAILED, NOT_COMPARED, zeroOf } from '../reasons'
import { RepeatBooks } from './repeat-books'
import { Ring } from './ring'

/** Why a mirror leaves a request alone, in the order in which it is tested. */
export type MirrorSkip = 'disabled' | 'filtered' | 'looped' | 'upgraded' | 'unsampled'

/** Why a backend does not get a mirrored request that it could have had. */
export type BackendSkip = 'disabled' | 'unsampled'

/**
 * A mirror's counters since they were started. Each method is an event and moves them from one closed state to
 * another: `seen = disabled + filtered + looped + upgraded + unsampled + pending + unhandled + mirrored`.
 *
 * A set of counters knows nothing of its mirror, so that a mirror can begin a new set while requests under way go
 * on reporting to the one in which they began.
 */
export class MirrorBooks {
  seen = 0
  disabled = 0
  filtered = 0
  looped = 0
  upgraded = 0
  unsampled = 0
  pending = 0
  unhandled = 0
  mirrored = 0
  /** They are no requests of clients, and in none of the other counters. */
  readonly repeats = new RepeatBooks()

  /** A request reached the mirror and is not mirrored. */
  skip (reason: MirrorSkip): void {
    this.seen++
    this[reason]++
  }

  /** A request reached the mirror and will be mirrored, unless it ends before. */
  choose (): void {
    this.seen++
    this.pending++
  }

  /** A chosen request ended before it was sent. */
  abandon (): void {
    this.pending--
    this.unhandled++
  }

  /** A chosen request is offered to every backend. */
  offer (): void {
    this.pending--
    this.mirrored++
  }

  /** Whether nothing is under way that will be told of here. */
  get settled (): boolean {
    return this.pending === 0 && this.repeats.settled
  }

  /** Counts what another set has counted, too. */
  add (other: MirrorBooks): void {
    addCounts(this, other)
  }
}

/** The part of a difference that is counted. */
type Compared = Pick<Difference, 'differs'> & Partial<Pick<Difference, 'body'>>

/**
 * A backend's counters since they were started. Each method is an event and moves them from one closed state to
 * another:
 * `offered = disabled + unsampled + dropped + total`, `total = inFlight + success + failure`,
 * `success = comparing + compared + notCompared`, `compared = matched + mismatched`.
 */
export class BackendBooks {
  offered = 0
  disabled = 0
  unsampled = 0
  readonly dropped: Record<DropReason, number> = zeroOf(DROPPED)

  total = 0
  inFlight = 0
  success = 0
  readonly failure: Record<FailureReason, number> = zeroOf(FAILED)

  readonly status: Record<StatusClass, number> = { '2xx': 0, '3xx': 0, '4xx': 0, '5xx': 0 }
  comparing = 0
  compared = 0
  matched = 0
  mismatched = 0
  /**
   * Of `mismatched`, those whose bodies alone differ in their bytes, and were too long or too complex to be looked
   * into.
   */
  unread = 0
  /** Pairs that were slower than the limit. */
  slower = 0
  readonly notCompared: Record<NotComparedReason, number> = zeroOf(NOT_COMPARED)

  readonly mismatches: Record<MismatchPart, number> = { status: 0, headers: 0, body: 0 }
  readonly latency: Readonly<Record<keyof LatencyHistograms, Ring>>

  readonly #maxSlowdown: number

  /** `histograms`: hear each latency, too. `maxSlowdown`: milliseconds past which a pair is slower than it may be. */
  constructor (histograms: LatencyHistograms | null = null, maxSlowdown = Infinity) {
    this.#maxSlowdown = maxSlowdown
    this.latency = {
      shadow: new Ring(histograms?.shadow),
      primary: new Ring(histograms?.primary),
      difference: new Ring(histograms?.difference)
    }
  }

  /** A mirrored request is not for this backend. */
  skip (reason: BackendSkip): void {
    this.offered++
    this[reason]++
  }

  /** A mirrored request is not attempted. */
  drop (reason: DropReason): void {
    this.offered++
    this.dropped[reason]++
  }

  /** A copy is handed to the client library. */
  attempt (): void {
    this.offered++
    this.total++
    this.inFlight++
  }

  /** The client library refused an attempted copy, which therefore never was an attempt. */
  refuse (): void {
    this.total--
    this.inFlight--
    this.dropped.error++
  }

  /** An attempted copy ended without a complete answer. */
  fail (reason: FailureReason): void {
    this.inFlight--
    this.failure[reason]++
  }

  /**
   * An attempted copy got a complete answer, after so many milliseconds (NaN: it gives no sample); whether it is
   * compared is told next.
   */
  answer (status: number, ms: number): void {
    // The part that may throw comes first, so that an event is counted as a whole or not at all.
    if (!Number.isNaN(ms)) this.latency.shadow.add(ms)
    this.inFlight--
    this.success++
    this.comparing++
    this.status[statusClass(status)]++
  }

  /**
   * An answer was compared with the primary's. `null`: they match. Returns whether the pair was slower than it may be.
   */
  compare (difference: Compared | null, latency: PairLatency | null): boolean {
    const slower = latency !== null && latency.difference > this.#maxSlowdown
    if (latency !== null) {
      this.latency.primary.add(latency.primary)
      this.latency.difference.add(latency.difference)
    }
    if (slower) this.slower++
    this.comparing--
    this.compared++
    if (difference === null) {
      this.matched++
    } else {
      this.mismatched++
      if (isUnread(difference)) this.unread++
      for (const part of difference.differs) this.mismatches[part]++
    }
    return slower
  }

  /** An answer was not compared, or could not be. */
  leaveUncompared (reason: NotComparedReason): void {
    this.comparing--
    this.notCompared[reason]++
  }

  /** Whether nothing is under way that will be told of here. */
  get settled (): boolean {
    return this.inFlight === 0 && this.comparing === 0
  }

  /** Counts what another set has counted, too; latencies apart. */
  add ({ latency, ...counts }: BackendBooks): void {
    addCounts(this, counts)
  }

  /** What has been counted since these books were as `before` says. Latencies are those of both. */
  since (before: BooksMark): CountedBooks {
    const books = new BackendBooks()
    books.add(this)
    addCounts(books, before.counts, -1)
    // What was under way then is counted once it ends.
    books.inFlight = Math.max(0, books.inFlight)
    books.comparing = Math.max(0, books.comparing)
    const { difference } = this.latency
    const pairs = { count: difference.count - before.pairs, summary: () => difference.summary() }
    return Object.assign(books, { latency: { ...this.latency, difference: pairs } })
  }

  /** As they are now. */
  mark (): BooksMark {
    const counts = new BackendBooks()
    counts.add(this)
    const { latency, ...rest } = counts
    return { counts: rest, pairs: this.latency.difference.count }
  }
}

/** Counts of one moment. */
export interface BooksMark {
  readonly counts: object
  /** That gave a latency. */
  readonly pairs: number
}

/** Books as they are read. */
export type CountedBooks = Pick<BackendBooks, BookKey> & {
  readonly latency: Readonly<Record<keyof LatencyHistograms, Pick<Ring, 'count' | 'summary'>>>
}
type BookKey = Exclude<keyof BackendBooks, 'latency'>

/** Adds every number that `from` holds, or takes it away, in records too, to that of the same name. */
function addCounts (into: object, from: object, sign: 1 | -1 = 1): void {
  const [sums, counts] = [into, from] as Array<Record<string, number | object>>
  for (const [key, count] of Object.entries(counts)) {
    if (typeof count === 'number') sums[key] = sums[key] as number + sign * count
    else addCounts(sums[key] as object, count, sign)
  }
}

/** Whether nothing is known to differ but bytes that may mean the same. */
export function isUnread ({ differs, body }: Compared): boolean {
  if (body?.kind !== 'hash' || differs.length !== 1) return false
  return body.reason === 'too long' || body.reason === 'too complex'
}

// A status outside 100 to 599 counts as 5xx (RFC 9110 section 15), and one below 200 does not end a request.
function statusClass (status: number): StatusClass {
  if (status >= 500 || status < 200) return '5xx'
  if (status >= 400) return '4xx'
  return status >= 300 ? '3xx' : '2xx'
}
