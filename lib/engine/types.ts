import type {
  BreakerState,
  DropReason,
  FailureReason,
  MismatchPart,
  NotComparedReason
} from '../../types/index'

export type { BreakerState, DropReason, FailureReason, MismatchPart, NotComparedReason }

/** One backend, as plain data: what a thread could be sent. */
export interface TargetOptions {
  /** Scheme, host and port. */
  origin: string
  /** undici's `connect` options: TLS, socket path. */
  connect: Readonly<Record<string, unknown>>
  /** Milliseconds for a whole copy. */
  timeout: number
  maxInFlight: number
  maxBacklogBytes: number
  breaker: { failures: number, cooldown: number } | null
}

/** What a copy says to its backend before the body. */
export interface CopyHead {
  path: string
  /** Names and values in turn; no framing, no hop-by-hop header; Host among them. */
  headers: string[]
}

/** What differed between two complete answers; empty: they match. */
export interface Comparison {
  primaryStatus: number
  mirrorStatus: number
  bodyMatch: boolean
  differs: readonly MismatchPart[]
}

/** Latencies of one comparison, in milliseconds; `null`: the pair gives no sample. */
export interface PairLatency {
  primary: number
  difference: number
}

/**
 * Hears what became of each copy, in this order: `failed` or `answered`; after `answered`, `compared` or
 * `notCompared`. Each copy is heard of to its end exactly once.
 */
export interface ExchangeSink {
  /** `moved` in the books from attempted to dropped: the client library refused the request. */
  onRefused (copy: number, error: Error): void
  onFailed (copy: number, reason: FailureReason, error: Error): void
  onAnswered (copy: number, status: number, ms: number): void
  onCompared (copy: number, comparison: Comparison, latency: PairLatency | null): void
  onNotCompared (copy: number, reason: NotComparedReason): void
}
