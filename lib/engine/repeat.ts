import type { ComparedAnswer } from '../compare/answer'
import type { Guard, Holder } from '../guard'
import { ComparedPrimary } from './comparison/primary'
import { constantError } from './constant-error'
import type { Target } from './target'
import type { CopySink, ExchangeHandle, ExchangeInit, FailureReason, RepeatInit } from './types'
import { Backlog } from './upload/backlog'

const NOT_SENT = constantError('the repeat is not sent')
const NO_MEMORY = constantError('no memory is left for a repeat')

/** Of the budget, what may be in use where an answer is kept for a repeat: copies come first. */
const FREE_SHARE = 0.5

/** Opens the exchange of a repeat, which is compared with `first`. */
export type OpenRepeat = (init: ExchangeInit<Target>, first: ComparedPrimary) => Pick<ExchangeHandle, 'nameEndpoint'>

/**
 * The same request once more, from the answer that it is compared with until it goes out: by an exchange of its own,
 * whose only copy it is.
 *
 * | state     | event                                           | next    |
 * |-----------|-------------------------------------------------|---------|
 * | `waiting` | `keep`: the answer has come                     | `kept`  |
 * | `waiting` | `keep`, without memory for it; any other        | `over`  |
 * | `kept`    | `begin`, `drop`, `fail`                         | `over`  |
 *
 * Any event after that changes nothing. Its sink is told of a failure, or by the exchange.
 */
export class Repeat implements Holder {
  readonly #init: RepeatInit<Target>
  readonly #method: string
  readonly #guard: Guard
  readonly #open: OpenRepeat
  #state: 'waiting' | 'kept' | 'over' = 'waiting'
  readonly #first = new ComparedPrimary()
  #endpoint = ''
  /** That sends it. */
  #exchange: Pick<ExchangeHandle, 'nameEndpoint'> | null = null

  constructor (method: string, init: RepeatInit<Target>, guard: Guard, open: OpenRepeat) {
    this.#method = method
    this.#init = init
    this.#guard = guard
    this.#open = open
  }

  /** Whose answer it is of. */
  get of (): number {
    return this.#init.of
  }

  nameEndpoint (name: string): void {
    this.#endpoint = name
    this.#exchange?.nameEndpoint(name)
  }

  /** The answer that it is compared with, before anybody has let go of what it holds. */
  keep (answer: ComparedAnswer): void {
    if (this.#state !== 'waiting') return
    const { target } = this.#init
    const { used, limit } = target.budget
    if (used <= limit * FREE_SHARE && this.#first.keep(target, answer)) this.#state = 'kept'
    else this.#end('memory', NO_MEMORY)
  }

  begin (goesOut: boolean, body: Uint8Array | null): void {
    if (this.#state === 'over') return
    // Nobody asks before the answer has come, unless it never will.
    if (!goesOut || this.#state === 'waiting') return this.drop()
    const backlog = body === null ? null : new Backlog(this.#init.target.budget, body.length)
    if (backlog !== null) {
      if (!backlog.append(body as Uint8Array)) return this.#end('memory', NO_MEMORY)
      backlog.ended = true
    }
    const init = { method: this.#method, backlog, length: body?.length ?? 0, compare: true, copies: [this.#init] }
    this.#exchange = this.#open({ ...init, repeat: null }, this.#first)
    this.#exchange.nameEndpoint(this.#endpoint)
    this.#state = 'over'
  }

  /** It does not go out. */
  drop (): void {
    this.#end('aborted', NOT_SENT)
  }

  fail (error: unknown): void {
    this.#end('error', error as Error)
  }

  #end (reason: FailureReason, error: Error): void {
    if (this.#state === 'over') return
    this.#state = 'over'
    this.#first.free()
    this.#guard.enter(this.#init.sink, failedAs, reason, error)
  }
}

function failedAs (sink: CopySink, reason: FailureReason, error: Error): void {
  sink.onFailed(reason, error)
}
