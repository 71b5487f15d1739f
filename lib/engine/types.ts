import type { Difference, DiffOptions } from '../compare/answers'
import type { Backlog } from './upload/backlog'
import type { Guard, Holder } from '../guard'
import type { Budget } from './budget'
import type { LoopClock } from './loop-clock'
import type {
  BreakerState,
  DropReason,
  FailureReason,
  NotComparedReason
} from '../../types/index'

export type { BreakerState, Difference, DropReason, FailureReason, NotComparedReason }

/** A backend as plain data, fit to be sent to a thread. */
export interface TargetOptions {
  /** Scheme, host and port. */
  origin: string
  /** undici's `connect` options: TLS, socket path. */
  connect: Readonly<Record<string, unknown>>
  /** Milliseconds for a whole copy. */
  timeout: number
  /** Milliseconds without a byte of the client's body before the copy is given up. */
  bodyTimeout: number
  maxBacklogBytes: number
  /** `null`: answers are compared by status and hash, if at all. */
  diff: DiffOptions | null
  /** Bytes of a coded body that are kept without a diff, and that it may decode to, to hash its content. */
  maxCoded: number
}

/** The head of a copy. */
export interface CopyHead {
  path: string
  /** Names and values in turn; no framing, no hop-by-hop header; Host among them. */
  headers: string[]
}

/** Latencies of one comparison, in milliseconds; `null`: the pair gives no sample. */
export interface PairLatency {
  primary: number
  difference: number
}

/** Hears what became of one copy: `onRefused`, `onFailed`, or `onAnswered` and then one of the last two; each once. */
export interface CopySink extends Holder {
  /** Never sent: the client library refuses such a request. */
  onRefused (error: Error): void
  onFailed (reason: FailureReason, error: Error): void
  /**
   * A complete answer. `ms`: from dispatch on a connection to the answer's end; NaN: it gives no sample, see
   * `LoopClock.since`.
   */
  onAnswered (status: number, ms: number): void
  /** `difference`: `null` when they match. `latency`: `null` when the pair gives no sample. */
  onCompared (difference: Difference | null, latency: PairLatency | null): void
  /** `cached`: of repeats alone. */
  onNotCompared (reason: NotComparedReason | 'cached'): void
}

/** A copy to be sent: where, with which head, and who hears of it. `T`: an engine's own handle for a backend. */
export interface CopyInit<T> {
  target: T
  head: CopyHead
  sink: CopySink
}

/** The same request once more, to a backend of the version that has answered it: what differs then is noise. */
export interface RepeatInit<T> extends CopyInit<T> {
  /** Whose answer it is compared with: that of the copy at this place, or the primary's (`OF_PRIMARY`). */
  of: number
}

export const OF_PRIMARY = -1

/** The beginning of a mirrored request. */
export interface ExchangeInit<T> {
  method: string
  /** `null`: the request has no body. Given away: the engine disposes of it. */
  backlog: Backlog | null
  /** The body's length as the client declared it; 0: none, or not known. */
  length: number
  compare: boolean
  copies: ReadonlyArray<CopyInit<T>>
  /** `null`: none is asked for. Whether it goes out is said by `repeat`, once the answer that it is of has come. */
  repeat: RepeatInit<T> | null
}

/** A mirrored request under way, from the caller's side: what the client sends, and what the primary answers. */
export interface ExchangeHandle extends Holder {
  /** Whether the primary's answer is still of use. */
  readonly wantsPrimary: boolean
  /** The client sent a piece of the body. */
  write (chunk: Buffer): void
  /** The client sent the last of the body. */
  end (): void
  /** The rest of the body will never come. */
  cut (): void
  /** The mirror itself failed: every copy ends as `error`, and what was answered is not compared. */
  fail (error: unknown): void
  /** The name of the request's endpoint, where rules go by it; told before the end of the primary's answer. */
  nameEndpoint (name: string): void
  /**
   * The primary's answer, as a whole. `headers`: names and values in turn, where they are compared. `ms`: NaN when its
   * time says nothing of the primary.
   */
  primaryWhole (status: number, encoding: string, headers: string[] | null, body: string | Uint8Array, ms: number): void
  /** The primary's answer begins; its body comes in pieces. */
  primaryStarts (status: number, encoding: string, headers: string[] | null): void
  primaryData (chunk: Uint8Array): void
  primaryEnds (ms: number): void
  /** There will be no answer of the primary to compare with. */
  primaryLost (reason: NotComparedReason): void
  /**
   * Whether the repeat goes out, with which body. Said once the answer that it is of has come. One that does not go
   * out, or can not, has failed.
   */
  repeat (goesOut: boolean, body: Uint8Array | null): void
}

/** Sends copies and compares: inline, or behind the same interface on a thread. */
export interface Engine<T = unknown> {
  readonly budget: Budget
  /** Whether it works on a thread, to which not every option can be sent. */
  readonly threaded: boolean
  /** Guards the caller's own entrances, too. */
  readonly guard: Guard
  /** Clock of the caller's event loop. It runs while mirrored requests are under way. */
  readonly clock: LoopClock
  /** Seconds for which mirroring has kept event loops busy, by thread. They never go down. */
  readonly loopSeconds: Readonly<Partial<Record<'main' | 'worker', number>>>
  /** Bytes held in memory for mirrors, as far as is known. */
  readonly bufferedBytes: number
  addTarget (options: TargetOptions): T
  /**
   * What is sent to it from now on goes over new connections. `connect`: made with these options, else with those that
   * it has.
   */
  retire (target: T, connect?: TargetOptions['connect']): void
  /** What is compared from now on is compared so. It is a target that compares in detail. */
  setDiff (target: T, diff: DiffOptions): void
  /** Why no copy can be sent at all now, or `null`. */
  refusal (): 'closing' | 'thread' | null
  /** From now on no copy is sent. */
  stop (): void
  open (init: ExchangeInit<T>): ExchangeHandle
  /** Waits at most `ms` for copies in flight, cuts the rest, and frees everything. */
  close (ms: number): Promise<void>
}
