import type { Guard, Holder } from '../../guard'
import type { ExchangeInit } from '../types'
import * as fromThread from './from-thread'
import { ThreadExchange } from './main-exchange'
import type { ThreadLink } from './main-exchange'
import { FromThread } from './protocol'
import type { OpFromThread } from './protocol'
import { OpReader } from './reader'

/** The exchanges that a thread has, and what it says of them. */
export class ThreadExchanges {
  /**
   * By id. Not a Map: under constant adding and deleting V8 replaces its table again and again, and links each to the
   * next. Once one is old, young collections keep all that follow, and what was in them.
   */
  #byId: Array<ThreadExchange | null> = []
  #freeIds: number[] = []

  open (link: ThreadLink, init: ExchangeInit<number>): ThreadExchange {
    const id = this.#freeIds.pop() ?? this.#byId.push(null) - 1
    const exchange = new ThreadExchange(id, link, init)
    this.#byId[id] = exchange
    return exchange
  }

  /** Takes what the thread says of its copies. */
  hear (ops: unknown[], guard: Guard): void {
    const hearing = new Hearing(ops)
    while (hearing.reader.more) guard.enter(hearing, hearOne, this, guard)
  }

  /** @internal */
  hearOne (hearing: Hearing, guard: Guard): void {
    const { reader } = hearing
    const op = reader.next<OpFromThread>()
    const id = reader.next<number>()
    const copy = hearing.copy = reader.next<number>()
    if (op === FromThread.Fault) {
      guard.report(fromThread.fault.read(reader))
      return
    }
    const exchange = hearing.exchange = this.#byId[id] as ThreadExchange
    switch (op) {
      case FromThread.Refused: {
        const error = fromThread.refused.read(reader)
        exchange.ending(copy).onRefused(error)
        break
      }
      case FromThread.Failed: {
        const { reason, error } = fromThread.failed.read(reader)
        exchange.ending(copy).onFailed(reason, error)
        break
      }
      case FromThread.Answered: {
        const { status, ms } = fromThread.answered.read(reader)
        exchange.answered(copy).onAnswered(status, ms)
        break
      }
      case FromThread.Matched: {
        const { status, ms, latency } = fromThread.matched.read(reader)
        exchange.answered(copy).onAnswered(status, ms)
        exchange.ending(copy).onCompared(null, latency)
        break
      }
      case FromThread.Compared: {
        const { difference, latency } = fromThread.compared.read(reader)
        exchange.ending(copy).onCompared(difference, latency)
        break
      }
      case FromThread.NotCompared: {
        const reason = fromThread.notCompared.read(reader)
        exchange.ending(copy).onNotCompared(reason)
        break
      }
    }
    this.forget(id, exchange)
  }

  /** Its id is given again when its last copy has ended. */
  forget (id: number, exchange: ThreadExchange): void {
    if (!exchange.done || this.#byId[id] !== exchange) return
    this.#byId[id] = null
    this.#freeIds.push(id)
  }

  /** Ends those of a thread that is gone. The next thread begins with none. */
  takeAll (): ThreadExchange[] {
    const exchanges = this.#byId
    this.#byId = []
    this.#freeIds = []
    return exchanges.filter(exchange => exchange !== null)
  }
}

const NO_SLABS: readonly Uint8Array[] = []

/** Operations as they are heard. What throws ends the copy that it was for. */
class Hearing implements Holder {
  exchange: ThreadExchange | null = null
  copy = 0
  readonly reader: OpReader

  constructor (ops: unknown[]) {
    this.reader = new OpReader(ops, NO_SLABS)
  }

  fail (error: unknown): void {
    this.exchange?.lose(this.copy, error)
  }
}

function hearOne (hearing: Hearing, exchanges: ThreadExchanges, guard: Guard): void {
  exchanges.hearOne(hearing, guard)
}
