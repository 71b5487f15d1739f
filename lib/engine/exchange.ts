import type { Guard } from '../guard'
import { Comparison } from './comparison/comparison'
import type { ComparisonOwner } from './comparison/comparison'
import { constantError } from './constant-error'
import { Copy } from './copy'
import type { CopyOwner } from './copy'
import type { Target } from './target'
import type { ExchangeHandle, ExchangeInit, FailureReason, NotComparedReason } from './types'
import { Upload } from './upload/upload'

const CUT = constantError('the request ended before its body was complete')

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
  readonly #guard: Guard
  readonly #onSettled: (exchange: Exchange) => void

  constructor (
    init: ExchangeInit<Target>, guard: Guard, onGrown: (upload: Upload) => void, onSettled: (exchange: Exchange) => void
  ) {
    const { method, length, compare, backlog, copies } = init
    const [{ target: keeper }] = copies
    this.#guard = guard
    this.#onSettled = onSettled
    this.method = method
    this.length = length
    this.compare = compare
    this.upload = backlog === null ? null : new Upload(this, backlog, keeper.stalls, guard, onGrown)
    this.#comparison = new Comparison(this, keeper, copies.length, compare, guard)
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
    this.primaryLost('error')
  }

  get wantsPrimary (): boolean {
    return this.#comparison.wantsPrimary
  }

  nameEndpoint (name: string): void {
    this.#comparison.nameEndpoint(name)
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
    this.#comparison.answered(copy)
  }

  failed (copy: Copy): void {
    this.#comparison.failed(copy)
  }

  lose (copy: Copy, error: unknown): void {
    this.#comparison.lose(copy, error)
    this.upload?.free()
    this.#comparison.failed(copy)
  }

  /** The app closes, and all copies have ended: what waits to be compared will not be. */
  close (): void {
    this.primaryLost('closing')
    for (const copy of this.#copies) if (copy.ended) this.#comparison.tell(copy, 'closing')
  }
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
