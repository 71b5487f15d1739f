import type { MessagePort } from 'node:worker_threads'
import { UNTOLD } from '../../guard'
import type { Guard, Holder } from '../../guard'
import { Budget } from '../budget'
import { constantError } from '../constant-error'
import { LoopClock } from '../loop-clock'
import type { Difference, Engine, ExchangeInit, FailureReason, NotComparedReason, PairLatency, TargetOptions } from '../types'
import { ThreadExchange } from './exchange'
import type { Line } from './exchange'
import { COLLECTING, FromThread, Outbox } from './protocol'
import type { MessageFromThread, MessageToThread, OpFromThread, ThreadData } from './protocol'
import { Restarts } from './restarts'
import type { Restart } from './restarts'
import { startWorker } from './start'
import type { Thread } from './start'
import { Transit } from './transit'

/** Milliseconds that a closing thread is given beyond the time that it has for its copies. */
const LAST_WORDS = 500
/** Milliseconds that a timer can run. */
const LONGEST = 2 ** 31 - 1

const GONE = constantError('the mirror\'s thread ended')

export type OnDeath = (error: Error, restart: Restart) => void

export type StartThread = (data: ThreadData) => Thread

/**
 * The engine on a worker thread. Each side has half of the budget: this one for bytes on their way, the thread for what it holds. What
 * happens goes out once a millisecond at most; nothing waits for an answer.
 */
export class ThreadEngine implements Engine<number>, Line, Holder {
  readonly threaded = true
  readonly budget: Budget
  readonly outbox = new Outbox()
  readonly guard: Guard
  readonly clock = new LoopClock()
  readonly #start: StartThread
  readonly #data: ThreadData
  readonly #onDeath: OnDeath
  readonly #targets: TargetOptions[] = []
  /**
   * By id. Not a Map: under constant adding and deleting V8 replaces its table again and again, and links each to the next. Once one is
   * old, young collections keep all that follow, and what was in them.
   */
  #exchanges: Array<ThreadExchange | null> = []
  #freeIds: number[] = []
  #thread: Thread | null = null
  #restart: NodeJS.Timeout | null = null
  readonly #restarts = new Restarts()
  #startedAt = 0
  #scheduled = false
  /** What was collected has been taken, and has not gone out yet. */
  #losing = false
  #stopped = false
  #closed: (() => void) | null = null
  readonly #transit: Transit
  /** Bytes that the thread held when it was last heard of. */
  #heldThere = 0
  /** Seconds for which threads before this one were busy, and this one when last asked. */
  #busyBefore = 0
  #busyNow = 0
  /** Started anew for every batch, so that none needs a timer of its own. */
  readonly #collecting: NodeJS.Timeout

  constructor (
    maxBufferedBytes: number, onDeath: OnDeath, start: StartThread = startWorker, guard = UNTOLD
  ) {
    const half = Math.floor(maxBufferedBytes / 2)
    this.budget = new Budget(half)
    this.#transit = new Transit(this.budget)
    this.#data = { maxBufferedBytes: half }
    this.#onDeath = onDeath
    this.#start = start
    this.guard = guard
    this.#collecting = guard.after<ThreadEngine>(COLLECTING, this, flush)
    this.#run()
  }

  #run (): void {
    this.#restart = null
    this.#startedAt = performance.now()
    const thread = this.#start(this.#data)
    this.#thread = thread
    // One that has been found dead may have last words.
    const holder: Holder = { fail: error => this.#replace(thread, error) }
    thread.on('message', this.guard.door<Holder, MessageFromThread, void>(holder, (_, message) => {
      if (this.#thread === thread) this.#onMessage(message)
    }))
    thread.on('error', this.guard.door<ThreadEngine, Error, void>(this, (_, error) => this.#onEnd(thread, error)))
    thread.on('exit', this.guard.door<ThreadEngine, void, void>(this, () => this.#onEnd(thread, GONE)))
    thread.unref()
    for (const target of this.#targets) this.#post({ target })
  }

  #post (message: MessageToThread, transfer?: Parameters<MessagePort['postMessage']>[1]): void {
    (this.#thread as Thread).postMessage(message, transfer as readonly ArrayBuffer[])
  }

  get loopSeconds (): { main: number, worker: number } {
    const busy = (this.#thread?.performance.eventLoopUtilization().active ?? 0) / 1000
    // Another thread, or none. What the last one did since it was asked nobody knows.
    if (busy < this.#busyNow) this.#busyBefore += this.#busyNow
    this.#busyNow = busy
    return { main: this.guard.loopTime.seconds, worker: this.#busyBefore + busy }
  }

  get bufferedBytes (): number {
    return this.budget.used + this.#heldThere
  }

  addTarget (target: TargetOptions): number {
    this.#targets.push(target)
    if (this.#thread !== null) this.#post({ target })
    return this.#targets.length - 1
  }

  retire (target: number, connect?: TargetOptions['connect']): void {
    // For a thread to come, which has no connections yet.
    if (connect !== undefined) this.#targets[target] = { ...this.#targets[target], connect }
    if (this.#thread !== null) this.#post({ retire: target, connect })
  }

  refusal (): 'closing' | 'thread' | null {
    if (this.#stopped) return 'closing'
    return this.#thread === null || this.#transit.behind ? 'thread' : null
  }

  stop (): void {
    this.#stopped = true
  }

  open (init: ExchangeInit<number>): ThreadExchange {
    const id = this.#freeIds.pop() ?? this.#exchanges.push(null) - 1
    const exchange = new ThreadExchange(id, this, init)
    this.#exchanges[id] = exchange
    return exchange
  }

  take (bytes: number): 'memory' | 'thread' | null {
    return this.#transit.take(bytes)
  }

  schedule (): void {
    if (this.#scheduled) return
    this.#scheduled = true
    this.#collecting.refresh()
  }

  /** @internal */
  flush (): void {
    if (!this.#scheduled) return
    this.#transit.send()
    this.#scheduled = false
    this.#losing = true
    const batch = this.outbox.take()
    if (this.#thread === null) this.#transit.clear()
    else this.#post({ batch }, batch.slabs.map(slab => slab.buffer as ArrayBuffer))
    this.#losing = false
  }

  #onMessage ({ ops, processed, held, slabs }: MessageFromThread): void {
    this.#heldThere = held
    this.outbox.reuse(slabs)
    this.#transit.processed(processed)
    this.#hear(ops)
  }

  #hear (ops: unknown[]): void {
    const reader = new OpsReader(ops)
    while (reader.more) this.guard.enter(reader, hearOne, this)
  }

  /** @internal All that belongs to an operation is read before anything is done: what throws must not leave half of it to the next. */
  hearOne (reader: OpsReader): void {
    const op = reader.next<OpFromThread>()
    const id = reader.next<number>()
    const copy = reader.copy = reader.next<number>()
    if (op === FromThread.Fault) {
      this.guard.report(faultOf(reader.next(), reader.next()))
      return
    }
    const exchange = reader.exchange = this.#exchanges[id] as ThreadExchange
    switch (op) {
      case FromThread.Refused: {
        const error = errorOf(reader.next(), reader.next())
        exchange.ending(copy).onRefused(error)
        break
      }
      case FromThread.Failed: {
        const reason = reader.next<FailureReason>()
        const error = errorOf(reader.next(), reader.next())
        exchange.ending(copy).onFailed(reason, error)
        break
      }
      case FromThread.Answered: {
        const [status, ms] = [reader.next<number>(), reader.next<number>()]
        exchange.answered(copy).onAnswered(status, ms)
        break
      }
      case FromThread.Matched: {
        const [status, ms, latency] = [reader.next<number>(), reader.next<number>(), reader.latency()]
        exchange.answered(copy).onAnswered(status, ms)
        exchange.ending(copy).onCompared(null, latency)
        break
      }
      case FromThread.Compared: {
        const [difference, latency] = [reader.next<Difference | null>(), reader.latency()]
        exchange.ending(copy).onCompared(difference, latency)
        break
      }
      case FromThread.NotCompared: {
        const reason = reader.next<NotComparedReason>()
        exchange.ending(copy).onNotCompared(reason)
        break
      }
    }
    this.forget(id, exchange)
  }

  /** @internal Its id is given again when its last copy has ended. */
  forget (id: number, exchange: ThreadExchange): void {
    if (!exchange.done || this.#exchanges[id] !== exchange) return
    this.#exchanges[id] = null
    this.#freeIds.push(id)
  }

  /** What is collected goes out all the same, unless some of it is lost. */
  fail (error: unknown): void {
    if (this.#scheduled) this.#collecting.refresh()
    if (this.#losing && this.#thread !== null) this.#replace(this.#thread, error)
    this.#losing = false
  }

  /** Something of what the two sides said is lost, so that they are apart: another thread begins anew. */
  #replace (thread: Thread, error: unknown): void {
    this.#onEnd(thread, error as Error)
    thread.terminate()
  }

  /** The thread died, or has been closed. */
  #onEnd (thread: Thread, error: Error): void {
    if (this.#thread !== thread) return
    this.#thread = null
    // What has not gone out must not reach the next thread, whose exchanges are given the same ids.
    this.#scheduled = true
    this.flush()
    this.#transit.clear()
    this.#heldThere = 0
    const exchanges = this.#exchanges
    this.#exchanges = []
    this.#freeIds = []
    for (const exchange of exchanges) if (exchange !== null) this.guard.enter(exchange, die, error, this.#stopped)
    this.#closed?.()
    if (this.#stopped) return
    this.#startLater(error)
  }

  #startLater (error: Error): void {
    const restart = this.#restarts.next(performance.now() - this.#startedAt)
    this.#onDeath(error, restart)
    this.#restart = this.guard.after<ThreadEngine>(restart.pause, this, () => this.#startAgain())
  }

  #startAgain (): void {
    try {
      this.#run()
    } catch (error) {
      // What a thread dies of, too little memory or too many processes, also prevents the next.
      this.#startLater(error as Error)
    }
  }

  async close (ms: number): Promise<void> {
    this.#stopped = true
    if (this.#restart !== null) clearTimeout(this.#restart)
    const thread = this.#thread
    if (thread === null) return
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, Math.min(ms + LAST_WORDS, LONGEST))
      this.#closed = () => {
        clearTimeout(timer)
        resolve()
      }
      this.flush()
      this.#post({ close: ms })
    })
    // A thread that has not ended by itself by now is ended.
    this.#onEnd(thread, GONE)
    clearTimeout(this.#collecting)
    await thread.terminate()
  }
}

/** Operations as they are heard. What throws ends the copy that it was of. */
class OpsReader implements Holder {
  exchange: ThreadExchange | null = null
  copy = 0
  readonly #ops: unknown[]
  #at = 0

  constructor (ops: unknown[]) {
    this.#ops = ops
  }

  get more (): boolean {
    return this.#at < this.#ops.length
  }

  next<T> (): T {
    return this.#ops[this.#at++] as T
  }

  latency (): PairLatency | null {
    const [primary, difference] = [this.next<number>(), this.next<number>()]
    return Number.isNaN(primary) ? null : { primary, difference }
  }

  fail (error: unknown): void {
    this.exchange?.lose(this.copy, error)
  }
}

function hearOne (reader: OpsReader, engine: ThreadEngine): void {
  engine.hearOne(reader)
}

function flush (engine: ThreadEngine): void {
  engine.flush()
}

function die (exchange: ThreadExchange, error: Error, closing: boolean): void {
  exchange.die(error, closing)
}

function faultOf (message: string, stack: string | undefined): Error {
  return Object.assign(new Error(message), { stack })
}

function errorOf (message: string, code: string | undefined): Error {
  return Object.assign(new Error(message), code === undefined ? {} : { code })
}
