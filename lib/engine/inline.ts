import { UNTOLD } from '../guard'
import type { Guard, Holder } from '../guard'
import type { Budget } from './budget'
import type { ComparedPrimary } from './comparison/primary'
import { constantError } from './constant-error'
import { Exchange } from './exchange'
import type { ExchangeHost } from './exchange'
import { lookups } from './http/lookup'
import { LoopClock } from './loop-clock'
import { Pacer } from './http/pacer'
import { Target } from './target'
import type { DiffOptions } from '../compare/answers'
import type { Engine, ExchangeInit, TargetOptions } from './types'
import type { Upload } from './upload/upload'

const CLOSED = constantError('the app is closing')

/** The engine on the caller's own event loop. */
export class InlineEngine implements Engine<Target>, ExchangeHost, Holder {
  readonly threaded = false
  readonly budget: Budget
  readonly guard: Guard
  readonly clock = new LoopClock()
  readonly #pacer: Pacer
  readonly #targets: Target[] = []
  /**
   * Exchanges whose body has begun to come: dispatched at the end of this turn, when a small one is there as a whole.
   */
  #waiting: Exchange[] = []
  /** Bodies that have grown in this turn. */
  #grown: Upload[] = []
  /** Exchanges of which some copy has not been told its last. Each knows its place. */
  readonly #open: Exchange[] = []
  readonly #leaveLookups = lookups.enter()
  #stopped = false
  #onIdle: (() => void) | null = null

  constructor (budget: Budget, guard = UNTOLD) {
    this.budget = budget
    this.guard = guard
    this.#pacer = new Pacer(guard)
  }

  get loopSeconds (): { main: number } {
    return { main: this.guard.loopTime.seconds }
  }

  get bufferedBytes (): number {
    return this.budget.used
  }

  addTarget (options: TargetOptions): Target {
    const target = new Target(options, this.#pacer, this.budget, this.guard, this.clock)
    this.#targets.push(target)
    return target
  }

  retire (target: Target, connect?: TargetOptions['connect']): void {
    target.connections.retire(connect)
  }

  setDiff (target: Target, diff: DiffOptions): void {
    target.setDiff(diff)
  }

  refusal (): 'closing' | null {
    return this.#stopped ? 'closing' : null
  }

  stop (): void {
    this.#stopped = true
  }

  /** `first`: of a repeat, what it is compared with. */
  open (init: ExchangeInit<Target>, first: ComparedPrimary | null = null): Exchange {
    const exchange = new Exchange(init, this, first)
    exchange.place = this.#open.push(exchange) - 1
    this.clock.enter()
    this.guard.enter(exchange, begin)
    if (exchange.hasAllOfBody) this.guard.enter(exchange, dispatch)
    else if (this.#waiting.push(exchange) === 1) this.guard.soon<InlineEngine>(this, dispatchWaiting)
    return exchange
  }

  /** @internal At the end of a turn. */
  dispatchWaiting (): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const exchange of waiting) this.guard.enter(exchange, dispatch)
  }

  /** @internal */
  readonly openRepeat = (init: ExchangeInit<Target>, first: ComparedPrimary): Exchange => this.open(init, first)

  /** @internal */
  readonly onGrown = (upload: Upload): void => {
    if (this.#grown.push(upload) === 1) this.guard.soon<InlineEngine>(this, giveUpSlow)
  }

  /** @internal At the end of a turn. */
  giveUpSlow (): void {
    const grown = this.#grown
    this.#grown = []
    for (const upload of grown) this.guard.enter(upload, giveUpSlowOf)
  }

  /** Sends what waits, even after a fault. */
  fail (): void {
    this.dispatchWaiting()
  }

  /** @internal */
  readonly onSettled = (exchange: Exchange): void => {
    this.clock.leave()
    const last = this.#open.pop() as Exchange
    if (last !== exchange) {
      this.#open[exchange.place] = last
      last.place = exchange.place
    }
    if (this.#open.length === 0) this.#onIdle?.()
  }

  async close (ms: number): Promise<void> {
    this.#stopped = true
    if (this.#open.length > 0) {
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, ms)
        this.#onIdle = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    for (const exchange of this.#waiting) this.guard.enter(exchange, cut)
    await Promise.all(this.#targets.map(target => target.close(CLOSED)))
    this.#leaveLookups()
    for (const exchange of this.#open.slice()) this.guard.enter(exchange, close)
  }
}

function begin (exchange: Exchange): void {
  exchange.begin()
}

function dispatch (exchange: Exchange): void {
  exchange.dispatch()
}

function cut (exchange: Exchange): void {
  exchange.cut()
}

function close (exchange: Exchange): void {
  exchange.close()
}

function giveUpSlow (engine: InlineEngine): void {
  engine.giveUpSlow()
}

function giveUpSlowOf (upload: Upload): void {
  upload.giveUpSlow()
}

function dispatchWaiting (engine: InlineEngine): void {
  engine.dispatchWaiting()
}
