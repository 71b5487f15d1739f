import type { ComparedAnswer } from '../compare/answer'
import type { Guard } from '../guard'
import { Comparison } from './comparison/comparison'
import type { ComparisonOwner } from './comparison/comparison'
import type { ComparedPrimary } from './comparison/primary'
import { constantError } from './constant-error'
import { Copy } from './copy'
import type { CopyOwner } from './copy'
import { Repeat } from './repeat'
import type { OpenRepeat } from './repeat'
import type { Target } from './target'
import { OF_PRIMARY } from './types'
import type { ExchangeHandle, ExchangeInit, FailureReason, NotComparedReason } from './types'
import { Upload } from './upload/upload'

const CUT = constantError('the request ended before its body was complete')

/** Whose exchanges they are. */
export interface ExchangeHost {
  readonly guard: Guard
  readonly onGrown: (upload: Upload) => void
  readonly onSettled: (exchange: Exchange) => void
  readonly openRepeat: OpenRepeat
}

/**
 * One mirrored request: the client's body goes in and on to every copy (`Upload`); the primary's answer goes in and is
 * compared with each copy's (`Comparison`). Plain data in, each copy's sink hears the outcome.
 */
export class Exchange implements ExchangeHandle, CopyOwner, ComparisonOwner {
  /** Among those that its engine has open. */
  place = 0
  readonly method: string
  readonly length: number
  readonly compare: boolean
  readonly upload: Upload | null
  readonly #copies: Copy[] = []
  readonly #comparison: Comparison
  readonly #repeat: Repeat | null
  readonly #guard: Guard
  readonly #onSettled: (exchange: Exchange) => void

  /** `first`: of a repeat, what it is compared with. */
  constructor (init: ExchangeInit<Target>, host: ExchangeHost, first: ComparedPrimary | null) {
    const { method, length, compare, backlog, copies, repeat } = init
    const { guard, onGrown, onSettled, openRepeat } = host
    const [{ target: keeper }] = copies
    this.#guard = guard
    this.#onSettled = onSettled
    this.#repeat = repeat === null ? null : new Repeat(method, repeat, guard, openRepeat)
    this.method = method
    this.length = length
    this.compare = compare
    this.upload = backlog === null ? null : new Upload(this, backlog, keeper.stalls, guard, onGrown)
    const isAwaited = repeat?.of === OF_PRIMARY
    this.#comparison = new Comparison(this, keeper, copies.length, compare, guard, isAwaited, first)
    for (const { target, head, sink } of copies) {
      const copy = new Copy(this, target, head, sink)
      this.#copies.push(copy)
      if (copy.upload !== null) this.upload?.add(copy.upload)
    }
  }

  get hasAllOfBody (): boolean {
    return this.upload === null || this.upload.complete
  }

  begin (): void {
    this.upload?.begin()
  }

  dispatch (): void {
    for (const copy of this.#copies) if (!copy.ended) this.#guard.enter(copy, dispatch)
  }

  write (chunk: Buffer): void {
    this.upload?.write(chunk)
  }

  end (): void {
    this.upload?.end()
  }

  cut (): void {
    for (const copy of this.#copies) this.#guard.enter(copy, abort, 'aborted', CUT)
  }

  fail (error: unknown): void {
    for (const copy of this.#copies) this.#guard.enter(copy, failed, error)
    this.#repeat?.fail(error)
    this.primaryLost('error')
  }

  get wantsPrimary (): boolean {
    return this.#comparison.wantsPrimary
  }

  nameEndpoint (name: string): void {
    this.#comparison.nameEndpoint(name)
    this.#repeat?.nameEndpoint(name)
  }

  primaryWhole (
    status: number, encoding: string, headers: string[] | null, body: string | Uint8Array, ms: number
  ): void {
    this.#comparison.primaryWhole(status, encoding, headers, body, ms)
  }

  primaryStarts (status: number, encoding: string, headers: string[] | null): void {
    this.#comparison.primaryStarts(status, encoding, headers)
  }

  primaryData (chunk: Uint8Array): void {
    this.#comparison.primaryData(chunk)
  }

  primaryEnds (ms: number): void {
    this.#comparison.primaryEnds(ms)
  }

  primaryLost (reason: NotComparedReason): void {
    this.#comparison.primaryLost(reason)
  }

  /** All copies are. */
  onSettled (): void {
    this.#onSettled(this)
  }

  copyEnded (): void {
    this.upload?.copyEnded()
  }

  answered (copy: Copy): void {
    const repeat = this.#repeat
    if (repeat !== null && this.#copies[repeat.of] === copy) {
      copy.answer.gather()
      this.#guard.enter<Repeat, ComparedAnswer, void>(repeat, keep, copy.answer)
    }
    this.#comparison.answered(copy)
  }

  failed (copy: Copy): void {
    if (this.#repeat !== null && this.#copies[this.#repeat.of] === copy) this.#repeat.drop()
    this.#comparison.failed(copy)
  }

  /** Of a repeat of the primary. */
  onPrimary (primary: ComparedAnswer | null): void {
    const repeat = this.#repeat as Repeat
    if (primary === null) repeat.drop()
    else this.#guard.enter<Repeat, ComparedAnswer, void>(repeat, keep, primary)
  }

  repeat (goesOut: boolean, body: Uint8Array | null): void {
    if (this.#repeat !== null) this.#guard.enter(this.#repeat, begin, goesOut, body)
  }

  lose (copy: Copy, error: unknown): void {
    this.#comparison.lose(copy, error)
    this.upload?.free()
    this.#comparison.failed(copy)
  }

  /** The app closes, and all copies have ended: what waits to be compared will not be. */
  close (): void {
    this.#repeat?.drop()
    this.primaryLost('closing')
    for (const copy of this.#copies) if (copy.ended) this.#comparison.tell(copy, 'closing')
  }
}

function keep (repeat: Repeat, answer: ComparedAnswer): void {
  repeat.keep(answer)
}

function begin (repeat: Repeat, goesOut: boolean, body: Uint8Array | null): void {
  repeat.begin(goesOut, body)
}

function dispatch (copy: Copy): void {
  copy.dispatch()
}

function abort (copy: Copy, reason: FailureReason, error: Error): void {
  copy.abort(reason, error)
}

function failed (copy: Copy, error: unknown): void {
  copy.fail(error)
}
