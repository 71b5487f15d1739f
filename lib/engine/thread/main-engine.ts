import type { MessagePort } from 'node:worker_threads'
import { UNTOLD } from '../../guard'
import type { Guard, Holder } from '../../guard'
import { Budget } from '../budget'
import { constantError } from '../constant-error'
import { LoopClock } from '../loop-clock'
import type { DiffOptions } from '../../compare/answers'
import type { Engine, ExchangeInit, TargetOptions } from '../types'
import type { ThreadExchange, ThreadLink } from './main-exchange'
import { ThreadExchanges } from './main-exchanges'
import { Outbox } from './outbox'
import { COLLECTING_MS } from './protocol'
import type { MessageFromThread, MessageToThread, ThreadData } from './protocol'
import { Restarts } from './main-restarts'
import type { Restart } from './main-restarts'
import { startWorker } from './main-start'
import type { Thread } from './main-start'
import { Transit } from './main-transit'

/** Milliseconds that a closing thread is given beyond the time that it has for its copies. */
const CLOSE_MARGIN_MS = 500
/** Milliseconds that a timer can run. */
const MAX_TIMER_MS = 2 ** 31 - 1

const GONE = constantError('the mirror\'s thread ended')

export type OnDeath = (error: Error, restart: Restart) => void

export type StartThread = (data: ThreadData) => Thread

/**
 * The engine on a worker thread. Each side has half of the budget: this one for bytes on their way, the thread for what
 * it holds. What happens goes out once a millisecond at most; nothing waits for an answer.
 */
export class ThreadEngine implements Engine<number>, ThreadLink, Holder {
  readonly threaded = true
  readonly budget: Budget
  readonly outbox = new Outbox()
  readonly guard: Guard
  readonly clock = new LoopClock()
  readonly #start: StartThread
  readonly #data: ThreadData
  readonly #onDeath: OnDeath
  readonly #targets: TargetOptions[] = []
  readonly #exchanges = new ThreadExchanges()
  #thread: Thread | null = null
  #restart: NodeJS.Timeout | null = null
  readonly #restarts = new Restarts()
  #startedAt = 0
  #scheduled = false
  /** Whether a batch has been taken and has not gone out yet. */
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
    this.#collecting = guard.after<ThreadEngine>(COLLECTING_MS, this, flush)
    this.#run()
  }

  #run (): void {
    this.#restart = null
    this.#startedAt = performance.now()
    const thread = this.#start(this.#data)
    this.#thread = thread
    // A dead thread may have last words.
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
    // The next thread, which has no connections yet, begins with it.
    if (connect !== undefined) this.#targets[target] = { ...this.#targets[target], connect }
    if (this.#thread !== null) this.#post({ retire: target, connect })
  }

  setDiff (target: number, diff: DiffOptions): void {
    // For a thread to come, too.
    this.#targets[target] = { ...this.#targets[target], diff }
    if (this.#thread !== null) this.#post({ setDiff: target, diff })
  }

  refusal (): 'closing' | 'thread' | null {
    if (this.#stopped) return 'closing'
    return this.#thread === null || this.#transit.behind ? 'thread' : null
  }

  stop (): void {
    this.#stopped = true
  }

  open (init: ExchangeInit<number>): ThreadExchange {
    return this.#exchanges.open(this, init)
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
    this.#exchanges.hear(ops, this.guard)
  }

  /** @internal */
  forget (id: number, exchange: ThreadExchange): void {
    this.#exchanges.forget(id, exchange)
  }

  /** Sends the batch even after a fault, unless some of it is lost. */
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
    // Messages left here must not reach the next thread, whose exchanges get the same ids.
    this.#scheduled = true
    this.flush()
    this.#transit.clear()
    this.#heldThere = 0
    for (const exchange of this.#exchanges.takeAll()) this.guard.enter(exchange, die, error, this.#stopped)
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
      // The cause of a thread's death, too little memory or too many processes, also prevents the next.
      this.#startLater(error as Error)
    }
  }

  async close (ms: number): Promise<void> {
    this.#stopped = true
    if (this.#restart !== null) clearTimeout(this.#restart)
    const thread = this.#thread
    if (thread === null) return
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, Math.min(ms + CLOSE_MARGIN_MS, MAX_TIMER_MS))
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

function flush (engine: ThreadEngine): void {
  engine.flush()
}

function die (exchange: ThreadExchange, error: Error, closing: boolean): void {
  exchange.die(error, closing)
}
