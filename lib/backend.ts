import type { BreakerState, FailureReason } from '../types/index'
import type { DiffOptions } from './compare/answers'
import { Gate } from './engine/gate'
import type { Engine } from './engine/types'
import { BackendBooks } from './metrics/books'
import type { LatencyHistograms } from './metrics/histogram'
import type { BackendState } from './metrics/snapshot'
import type { BackendConfig, MirrorConfig } from './options/config'

/** What a mirror owns of one of its backends: whom to send to, admission, counters. */
export class Backend implements BackendState {
  readonly config: BackendConfig
  readonly gate: Gate
  /** The engine's handle. */
  readonly target: unknown
  /** `null`: nobody asks for them. */
  readonly histograms: LatencyHistograms | null
  books: BackendBooks
  enabled = true
  percentage: number

  constructor (config: BackendConfig, mirror: MirrorConfig, engine: Engine, histograms: LatencyHistograms | null) {
    this.config = config
    this.histograms = histograms
    this.books = new BackendBooks(histograms)
    this.percentage = config.percentage
    this.gate = new Gate(mirror.maxInFlight, mirror.breaker)
    this.target = engine.addTarget({
      origin: config.origin,
      connect: config.connect,
      timeout: mirror.timeout,
      maxBacklogBytes: mirror.maxBacklogBytes,
      diff: diffOptions(mirror.compare)
    })
  }

  get name (): string {
    return this.config.name
  }

  get url (): string {
    return this.config.url
  }

  get breaker (): BreakerState {
    return this.gate.breaker
  }

  /** Counts anew; copies in flight go on reporting to the counters in which they began. */
  reset (): void {
    this.books = new BackendBooks(this.histograms)
  }

  /** A copy that was attempted has ended. `null`: it was answered. */
  left (opening: number, failure: FailureReason | null): void {
    this.gate.leave(opening, failure)
  }
}

function diffOptions (compare: MirrorConfig['compare']): DiffOptions | null {
  if (!compare.detailedDiff) return null
  const { maxBodyCapture, ignoreHeaders, ignoreJsonFields, redact } = compare
  return { maxBodyCapture, ignoreHeaders, ignoreJsonFields, redact }
}
