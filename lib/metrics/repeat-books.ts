import type { FailureReason, NotComparedReason, RepeatDropReason } from '../../types/index'
import { FAILED, NOT_COMPARED, REPEAT_DROPPED, zeroOf } from '../reasons'

/**
 * What became of a mirror's repeats. Each method is an event and moves the counters from one closed state to another:
 * `asked = dropped + total`, `total = inFlight + success + failure`,
 * `success = comparing + compared + cached + notCompared`, `compared = matched + mismatched`.
 */
export class RepeatBooks {
  asked = 0
  readonly dropped: Record<RepeatDropReason, number> = zeroOf(REPEAT_DROPPED)
  total = 0
  inFlight = 0
  success = 0
  readonly failure: Record<FailureReason, number> = zeroOf(FAILED)
  comparing = 0
  compared = 0
  matched = 0
  mismatched = 0
  /** Pairs of which a cache gave one. */
  cached = 0
  readonly notCompared: Record<NotComparedReason, number> = zeroOf(NOT_COMPARED)

  /** A repeat that is due does not go out. */
  drop (reason: RepeatDropReason): void {
    this.asked++
    this.dropped[reason]++
  }

  /** A repeat goes out. */
  attempt (): void {
    this.asked++
    this.total++
    this.inFlight++
  }

  /** The client library refused it, so that it never went out. */
  refuse (): void {
    this.total--
    this.inFlight--
    this.dropped.error++
  }

  fail (reason: FailureReason): void {
    this.inFlight--
    this.failure[reason]++
  }

  answer (): void {
    this.inFlight--
    this.success++
    this.comparing++
  }

  compare (matched: boolean): void {
    this.comparing--
    this.compared++
    if (matched) this.matched++
    else this.mismatched++
  }

  leaveUncompared (reason: NotComparedReason | 'cached'): void {
    this.comparing--
    if (reason === 'cached') this.cached++
    else this.notCompared[reason]++
  }

  /** Whether nothing is under way that will be told of here. */
  get settled (): boolean {
    return this.inFlight === 0 && this.comparing === 0
  }
}
