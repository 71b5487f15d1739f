import type { Test } from 'tap'
import { setImmediate } from 'node:timers/promises'
import { Backlog } from '../../lib/engine/upload/backlog'
import { Budget } from '../../lib/engine/budget'
import { InlineEngine } from '../../lib/engine/inline'
import { ThreadEngine } from '../../lib/engine/thread/main-engine'
import type {
  CopySink, Difference, Engine, ExchangeHandle, FailureReason, NotComparedReason, PairLatency, TargetOptions
} from '../../lib/engine/types'
import { until } from './until'

/** The engines that there are: each is tested alike. */
export const engines: ReadonlyArray<{ name: string, start: (maxBufferedBytes: number) => Engine }> = [
  { name: 'inline', start: bytes => new InlineEngine(new Budget(bytes)) as Engine },
  { name: 'thread', start: bytes => new ThreadEngine(bytes, () => {}) as Engine }
]

/** Notes what it is told of one copy. */
export class RecordingSink implements CopySink {
  /** Every call, in order. */
  readonly calls: string[] = []
  error: NodeJS.ErrnoException | null = null
  ms = NaN
  difference: Difference | null = null
  latency: PairLatency | null = null

  onRefused (error: Error): void {
    this.error = error
    this.calls.push('refused')
  }

  onFailed (reason: FailureReason, error: Error): void {
    this.error = error
    this.calls.push(`failed: ${reason}`)
  }

  onAnswered (status: number, ms: number): void {
    this.ms = ms
    this.calls.push(`answered: ${status}`)
  }

  onCompared (difference: Difference | null, latency: PairLatency | null): void {
    this.difference = difference
    this.latency = latency
    this.calls.push(difference === null ? 'matched' : `mismatched: ${difference.differs.join()}`)
  }

  onNotCompared (reason: NotComparedReason | 'cached'): void {
    this.calls.push(`not compared: ${reason}`)
  }

  fail (error: unknown): void {
    this.calls.push(`broken: ${error}`)
  }

  get answered (): boolean {
    return this.calls.length > 0 && this.calls[0].startsWith('answered')
  }

  /** Nothing more may be told. */
  get done (): boolean {
    return this.calls.length === (this.answered ? 2 : 1)
  }

  /** What became of the copy, without the comparison. */
  get fate (): string {
    return this.calls[0]
  }
}

export interface SendOptions {
  method?: string
  path?: string
  /** Names and values in turn. Default: a Host. */
  headers?: string[]
  /** A body that is there as a whole when the copy is sent. */
  body?: string | Buffer
  /** The body comes later, by `write` and `end` of the exchange. */
  upload?: boolean
  /** Declared length. Default: that of `body`. */
  length?: number
  compare?: boolean
  /** The request once more. */
  repeat?: { target: unknown, of: number }
}

/** A mirrored request; `sink`: of its first copy. */
export interface Sent {
  exchange: ExchangeHandle
  sinks: RecordingSink[]
  sink: RecordingSink
  /** Of the repeat; without one it hears nothing. */
  repeated: RecordingSink
  /** Every copy has been told its last. */
  ended (): Promise<void>
}

/** An engine under test. Every test must leave it with nothing held, and with every sink told what it must be told, once. */
export interface Bench {
  engine: Engine
  target (url: string, options?: Partial<TargetOptions>): unknown
  send (targets: unknown, options?: SendOptions): Sent
}

interface BenchOptions {
  /** The budget. Default: 64 MiB. */
  bytes?: number
  only?: 'inline' | 'thread'
  /** An engine of its own, which it may close. Starting a thread takes a while. */
  own?: boolean
}

const shared = new Map<string, Engine>()

/** Runs a test once for each engine. */
export function testEngines (
  t: Test, name: string, run: (t: Test, bench: Bench) => Promise<void>, { bytes = 64 * 1024 * 1024, only, own = false }: BenchOptions = {}
): void {
  for (const { name: engineName, start } of engines) {
    if (only !== undefined && engineName !== only) continue
    const startShared = () => {
      const engine = start(bytes)
      shared.set(`${engineName} ${bytes}`, engine)
      t.teardown(() => engine.close(0))
      return engine
    }
    t.test(`${engineName}: ${name}`, async t => {
      const engine = own ? start(bytes) : shared.get(`${engineName} ${bytes}`) ?? startShared()
      if (own) t.teardown(() => engine.close(0))
      const exchanges: Sent[] = []
      await run(t, {
        engine,
        target: (url, options) => engine.addTarget({
          origin: url,
          connect: {},
          timeout: 10_000,
          bodyTimeout: 10_000,
          maxBacklogBytes: 1024 * 1024,
          diff: null,
          maxCoded: 1024 * 1024,
          ...options
        }),
        send (targets, options) {
          const sent = send(engine, Array.isArray(targets) ? targets : [targets], options)
          exchanges.push(sent)
          return sent
        }
      })
      for (const { exchange } of exchanges) {
        exchange.cut()
        exchange.primaryLost('hijacked')
      }
      for (const { ended } of exchanges) await ended()
      await until('the budget is free', () => engine.budget.used === 0)
      // A turn for whoever would be told twice.
      await setImmediate()
      for (const { sinks } of exchanges) t.ok(sinks.every(sink => sink.done), 'each sink was told once')
    })
  }
}

/** Opens an exchange with a copy for each target. */
export function send (engine: Engine, targets: unknown[], options: SendOptions = {}): Sent {
  const { method = 'GET', path = '/', headers = ['host', 'shadow.test'], body, upload = false, compare = false, repeat } = options
  const { length = body === undefined ? 0 : Buffer.byteLength(body) } = options
  const backlog = body === undefined && !upload ? null : new Backlog(engine.budget, length)
  if (body !== undefined) backlog?.append(Buffer.from(body))
  if (backlog !== null) backlog.ended = !upload
  const sinks = targets.map(() => new RecordingSink())
  const repeated = new RecordingSink()
  const head = () => ({ path, headers: [...headers] })
  const exchange = engine.open({
    method,
    backlog,
    length,
    compare,
    copies: targets.map((target, i) => ({ target, head: head(), sink: sinks[i] })),
    repeat: repeat === undefined ? null : { ...repeat, head: head(), sink: repeated }
  })
  return {
    exchange,
    sinks: repeat === undefined ? sinks : [...sinks, repeated],
    sink: sinks[0],
    repeated,
    ended: () => until('every copy has ended', () => sinks.every(sink => sink.done) && (repeat === undefined || repeated.done))
  }
}
