import type { BreakerState, FailureReason } from '../types/index'
import { Gate } from './engine/gate'
import type { Engine } from './engine/types'
import { BackendBooks } from './metrics/books'
import type { BackendState } from './metrics/snapshot'
import type { BackendConfig, MirrorConfig } from './options/config'

/** What a mirror owns of one of its backends: whom to send to, admission, counters. */
export class Backend implements BackendState {
  readonly config: BackendConfig
  readonly gate: Gate
  /** The engine's handle. */
  readonly target: unknown
  readonly books = new BackendBooks()
  enabled = true
  percentage: number

  constructor (config: BackendConfig, mirror: MirrorConfig, engine: Engine) {
    this.config = config
    this.percentage = config.percentage
    this.gate = new Gate(mirror.maxInFlight, mirror.breaker)
    this.target = engine.addTarget({
      origin: config.origin,
      connect: config.connect,
      timeout: mirror.timeout,
      maxBacklogBytes: mirror.maxBacklogBytes
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

  /** A copy that was attempted has ended. `null`: it was answered. */
  left (trial: boolean, failure: FailureReason | null): void {
    this.gate.leave(trial, failure)
  }
}
