import type { MessagePort } from 'node:worker_threads'
import { Guard } from '../../guard'
import { timed } from '../../metrics/loop-time'
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
export class ThreadEngine implements Engine<number>, Line {
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
    maxBufferedBytes: number, onDeath: OnDeath, start: StartThread = startWorker, guard = new Guard(() => {})
  ) {
    const half = Math.floor(maxBufferedBytes / 2)
    this.budget = new Budget(half)
    this.#transit = new Transit(this.budget)
    this.#data = { maxBufferedBytes: half }
    this.#onDeath = onDeath
    this.#start = start
    this.guard = guard
    this.#collecting = setTimeout(timed(guard.loopTime, () => this.#flush()), COLLECTING).unref()
    this.#run()
  }

  #run (): void {
    this.#restart = null
    this.#startedAt = performance.now()
    const thread = this.#start(this.#data)
    this.#thread = thread
    // One that has been found dead may have last words.
    thread.on('message', timed(this.guard.loopTime, (message: MessageFromThread) => {
      if (this.#thread === thread) this.#onMessage(message)
    }))
    thread.on('error', (error: Error) => this.#onEnd(thread, error))
    thread.on('exit', () => this.#onEnd(thread, GONE))
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

  #flush (): void {
    if (!this.#scheduled) return
    this.#scheduled = false
    const batch = this.outbox.take()
    this.#transit.send()
    if (this.#thread === null) this.#transit.clear()
    else this.#post({ batch }, batch.slabs.map(slab => slab.buffer as ArrayBuffer))
  }

  #onMessage ({ ops, processed, held, slabs }: MessageFromThread): void {
    this.#heldThere = held
    this.outbox.reuse(slabs)
    this.#transit.processed(processed)
    this.#hear(ops)
  }

  #hear (ops: unknown[]): void {
    let at = 0
    const next = <T>() => ops[at++] as T
    const latency = (): PairLatency | null => {
      const [primary, difference] = [next<number>(), next<number>()]
      return Number.isNaN(primary) ? null : { primary, difference }
    }
    while (at < ops.length) {
      const op = next<OpFromThread>()
      const id = next<number>()
      const copy = next<number>()
      const exchange = this.#exchanges[id] as ThreadExchange
      switch (op) {
        case FromThread.Refused:
          exchange.ending(copy).onRefused(errorOf(next(), next()))
          break
        case FromThread.Failed:
          exchange.ending(copy).onFailed(next<FailureReason>(), errorOf(next(), next()))
          break
        case FromThread.Answered:
          exchange.answered(copy).onAnswered(next<number>(), next<number>())
          break
        case FromThread.Matched:
          exchange.answered(copy).onAnswered(next<number>(), next<number>())
          exchange.ending(copy).onCompared(null, latency())
          break
        case FromThread.Compared:
          exchange.ending(copy).onCompared(next<Difference | null>(), latency())
          break
        case FromThread.NotCompared:
          exchange.ending(copy).onNotCompared(next<NotComparedReason>())
          break
      }
      if (exchange.done) {
        this.#exchanges[id] = null
        this.#freeIds.push(id)
      }
    }
  }

  /** The thread died, or has been closed. */
  #onEnd (thread: Thread, error: Error): void {
    if (this.#thread !== thread) return
    this.#thread = null
    // What has not gone out must not reach the next thread, whose exchanges are given the same ids.
    this.#flush()
    this.#transit.clear()
    this.#heldThere = 0
    const exchanges = this.#exchanges
    this.#exchanges = []
    this.#freeIds = []
    for (const exchange of exchanges) exchange?.die(error, this.#stopped)
    this.#closed?.()
    if (this.#stopped) return
    this.#startLater(error)
  }

  #startLater (error: Error): void {
    const restart = this.#restarts.next(performance.now() - this.#startedAt)
    this.#onDeath(error, restart)
    this.#restart = setTimeout(() => {
      try {
        this.#run()
      } catch (error) {
        // What a thread dies of, too little memory or too many processes, also prevents the next.
        this.#startLater(error as Error)
      }
    }, restart.pause)
    this.#restart.unref()
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
      this.#flush()
      this.#post({ close: ms })
    })
    // A thread that has not ended by itself by now is ended.
    this.#onEnd(thread, GONE)
    clearTimeout(this.#collecting)
    await thread.terminate()
  }
}

function errorOf (message: string, code: string | undefined): Error {
  return Object.assign(new Error(message), code === undefined ? {} : { code })
}
