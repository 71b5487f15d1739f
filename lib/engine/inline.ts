import { Guard } from '../guard'
import { timed } from '../metrics/loop-time'
import type { Budget } from './budget'
import { constantError } from './constant-error'
import { Exchange } from './exchange'
import { lookups } from './lookup'
import { LoopClock } from './loop-clock'
import { Pacer } from './pacer'
import { Target } from './target'
import type { Engine, ExchangeInit, TargetOptions } from './types'

const CLOSED = constantError('the app is closing')

/** The engine on the caller's own event loop. */
export class InlineEngine implements Engine<Target> {
  readonly threaded = false
  readonly budget: Budget
  readonly guard: Guard
  readonly clock = new LoopClock()
  readonly #pacer = new Pacer()
  readonly #targets: Target[] = []
  /** Exchanges whose body has begun to come: dispatched at the end of this turn, when a small one is there as a whole. */
  #waiting: Exchange[] = []
  /** Exchanges of which some copy has not been told its last. Each knows its place. */
  readonly #open: Exchange[] = []
  readonly #leaveLookups = lookups.enter()
  #stopped = false
  #onIdle: (() => void) | null = null
  readonly #dispatchWaiting: () => void

  constructor (budget: Budget, guard = new Guard(() => {})) {
    this.budget = budget
    this.guard = guard
    this.#dispatchWaiting = timed(guard.loopTime, () => {
      const waiting = this.#waiting
      this.#waiting = []
      for (const exchange of waiting) exchange.dispatch()
    })
  }

  get loopSeconds (): { main: number } {
    return { main: this.guard.loopTime.seconds }
  }

  get bufferedBytes (): number {
    return this.budget.used
  }

  addTarget (options: TargetOptions): Target {
    const target = new Target(options, this.#pacer, this.budget, this.guard.loopTime, this.clock)
    this.#targets.push(target)
    return target
  }

  retire (target: Target, connect?: TargetOptions['connect']): void {
    target.retire(connect)
  }

  refusal (): 'closing' | null {
    return this.#stopped ? 'closing' : null
  }

  stop (): void {
    this.#stopped = true
  }

  open (init: ExchangeInit<Target>): Exchange {
    const exchange = new Exchange(init, this.#onSettled)
    exchange.place = this.#open.push(exchange) - 1
    this.clock.enter()
    exchange.begin()
    if (exchange.hasAllOfBody) exchange.dispatch()
    else if (this.#waiting.push(exchange) === 1) setImmediate(this.#dispatchWaiting)
    return exchange
  }

  readonly #onSettled = (exchange: Exchange): void => {
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
    for (const exchange of this.#waiting) exchange.cut()
    await Promise.all(this.#targets.map(target => target.close(CLOSED)))
    this.#leaveLookups()
    for (const exchange of this.#open.slice()) exchange.close()
  }
}
