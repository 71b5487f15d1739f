import { compareByStatus } from '../../compare/answers'
import type { ComparedAnswer } from '../../compare/answer'
import type { Comparison as Compared } from '../../compare/answers'
import { isByValidator } from '../../compare/conditional'
import { NO_DIGEST } from '../../compare/digest'
import type { Guard, Holder } from '../../guard'
import type { CopySink, Difference, NotComparedReason, PairLatency } from '../types'
import type { CopyAnswer, Keeper } from './copy-answer'
import { ComparedPrimary } from './primary'
import type { PrimaryKeeper } from './primary'

/** A copy whose answer is compared. */
export interface ComparableCopy extends Holder {
  readonly keeper: Keeper & PrimaryKeeper
  readonly answer: CopyAnswer
  /** The headers that it was sent with. */
  readonly asked: readonly string[]
  readonly sink: CopySink
  /** Its sink has heard the last. */
  readonly settled: boolean
  settle (): void
}

/** Hears when all copies of a request are settled. */
export interface ComparisonOwner {
  /** The primary's answer is complete, and nothing has been compared with it; `null`: there will be none. */
  onPrimary (primary: ComparedAnswer | null): void
  onSettled (): void
}

/**
 * The primary's answer to a request, and each copy's compared with it. Each copy is settled once: when it has failed,
 * or when its answer and the primary's are there, or the primary's never will be.
 *
 * | state      | event                                | next       |
 * |------------|--------------------------------------|------------|
 * | `open`     | the primary's answer is complete     | `complete` |
 * | `open`     | there will be none, for a reason     | the reason |
 *
 * A copy that is answered in `open` waits; in any other state it is settled at once.
 */
export class Comparison {
  readonly #guard: Guard
  readonly #owner: ComparisonOwner
  readonly #primary: ComparedPrimary
  readonly #keeper: PrimaryKeeper
  /** Whether it compares answers of one version. */
  readonly #ofOne: boolean
  /** Whether the owner waits for the primary, too. */
  readonly #isAwaited: boolean
  #state: 'open' | 'complete' | NotComparedReason
  /** Copies that are answered, and wait for the primary. */
  #waiting: ComparableCopy[] = []
  /** Copies that are not settled. */
  #unsettled: number
  #over = false
  #endpoint = ''

  /**
   * `isAwaited`: the owner waits for the primary, too. `first`: what is compared with, where that is not the primary's
   * answer but another one of the same version.
   */
  constructor (
    owner: ComparisonOwner, keeper: PrimaryKeeper, copies: number, compare: boolean, guard: Guard,
    isAwaited: boolean, first: ComparedPrimary | null
  ) {
    this.#owner = owner
    this.#keeper = keeper
    this.#unsettled = isAwaited ? copies + 1 : copies
    this.#isAwaited = isAwaited
    this.#primary = first ?? new ComparedPrimary()
    this.#ofOne = first !== null
    this.#state = first !== null ? 'complete' : compare ? 'open' : 'off'
    this.#guard = guard
  }

  get wantsPrimary (): boolean {
    return this.#state === 'open' && this.#unsettled > 0
  }

  nameEndpoint (name: string): void {
    this.#endpoint = name
  }

  primaryWhole (
    status: number, encoding: string, headers: string[] | null, body: string | Uint8Array, ms: number
  ): void {
    if (!this.wantsPrimary) return
    this.#primary.whole(this.#keeper, status, encoding, headers, body, ms)
    this.#end('complete')
  }

  primaryStarts (status: number, encoding: string, headers: string[] | null): void {
    if (this.wantsPrimary) this.#primary.start(this.#keeper, status, encoding, headers)
  }

  primaryData (chunk: Uint8Array): void {
    if (this.wantsPrimary && this.#primary.digest !== NO_DIGEST) this.#primary.add(chunk)
  }

  primaryEnds (ms: number): void {
    if (!this.wantsPrimary || this.#primary.digest === NO_DIGEST) return
    this.#primary.end(ms)
    this.#end('complete')
  }

  primaryLost (reason: NotComparedReason): void {
    if (this.#state !== 'open') return
    this.#primary.free()
    this.#end(reason)
  }

  #end (state: 'complete' | NotComparedReason): void {
    this.#state = state
    if (this.#isAwaited) this.#tellOwner(state === 'complete')
    const waiting = this.#waiting
    this.#waiting = []
    for (const copy of waiting) this.#guard.enter(copy, judge, this)
  }

  answered (copy: ComparableCopy): void {
    const { answer } = copy
    this.#guard.enter(copy.sink, answeredWith, answer.status, answer.ms)
    if (this.#state !== 'open') {
      this.judge(copy)
      return
    }
    answer.wait()
    this.#waiting.push(copy)
  }

  /** A copy has ended without an answer. */
  failed (copy: ComparableCopy): void {
    this.#settle(copy)
  }

  /** Something of ours threw when a copy had ended: its sink hears of it. */
  lose (copy: ComparableCopy, error: unknown): void {
    copy.answer.free()
    this.#guard.enter(copy.sink, failSink, error)
  }

  /** @internal */
  judge (copy: ComparableCopy): void {
    const { answer, keeper } = copy
    if (this.#state !== 'complete') {
      this.tell(copy, this.#state as NotComparedReason)
    } else if (isByValidator(this.#primary, answer, copy.asked)) {
      this.tell(copy, 'conditional')
    } else if (answer.headersLost) {
      this.tell(copy, compareByStatus(this.#primary, answer))
    } else {
      this.#primary.gather()
      answer.gather()
      const comparer = this.#ofOne ? keeper.repeatComparer : keeper.comparer
      comparer.compare(this.#primary, answer, this.#endpoint, compared => this.tell(copy, compared))
    }
  }

  /** Settles a copy with what came of its answer. Called again where something of it threw. */
  tell (copy: ComparableCopy, compared: Compared | NotComparedReason): void {
    // A comparison may come to its end when the app has been closed.
    if (!copy.settled) this.#tellSink(copy, compared)
    this.#settle(copy)
  }

  #tellSink ({ answer, sink }: ComparableCopy, compared: Compared | NotComparedReason): void {
    answer.free()
    if (typeof compared === 'string') {
      this.#guard.enter(sink, notCompared, compared)
    } else {
      const { ms } = this.#primary
      const difference = answer.ms - ms
      this.#guard.enter(sink, comparedAs, compared, Number.isNaN(difference) ? null : { primary: ms, difference })
    }
  }

  /** The copy's sink has heard the last. */
  #settle (copy: ComparableCopy): void {
    if (!copy.settled) this.#unsettled--
    copy.settle()
    this.#endIfSettled()
  }

  #tellOwner (complete: boolean): void {
    if (complete) this.#primary.gather()
    this.#owner.onPrimary(complete ? this.#primary : null)
    this.#unsettled--
    this.#endIfSettled()
  }

  #endIfSettled (): void {
    if (this.#unsettled > 0 || this.#over) return
    this.#primary.free()
    this.#owner.onSettled()
    this.#over = true
  }
}

function judge (copy: ComparableCopy, comparison: Comparison): void {
  comparison.judge(copy)
}

function answeredWith (sink: CopySink, status: number, ms: number): void {
  sink.onAnswered(status, ms)
}

function comparedAs (sink: CopySink, difference: Difference | null, latency: PairLatency | null): void {
  sink.onCompared(difference, latency)
}

function notCompared (sink: CopySink, reason: NotComparedReason | 'cached'): void {
  sink.onNotCompared(reason)
}

function failSink (sink: CopySink, error: unknown): void {
  sink.fail(error)
}
