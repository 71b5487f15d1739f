import type { BreakerState, CompareRule, FailureReason } from '../../types/index'
import type { DiffOptions } from '../compare/answers'
import { Gate } from '../engine/gate'
import type { Engine } from '../engine/types'
import { BackendBooks } from '../metrics/books'
import type { CountedBooks } from '../metrics/books'
import type { LatencyHistograms } from '../metrics/histogram'
import type { BackendState } from '../metrics/snapshot'
import type { BackendConfig, ConnectOptions, MirrorConfig } from '../options/config'
import { diffOptions, targetOptions } from './target-options'
import type { BackendFacts } from '../verdict/judge'
import { failedCopies } from '../verdict/losses'
import { Outages } from '../verdict/outages'

/** A mirror's own part of one of its backends: whom to send to, admission, counters. */
export class Backend implements BackendState {
  readonly config: BackendConfig
  readonly gate: Gate
  /** The engine's handle. */
  readonly target: unknown
  /** `null`: nobody asks for them. */
  readonly histograms: LatencyHistograms | null
  books: BackendBooks
  readonly #engine: Engine
  readonly #diff: DiffOptions | null
  #outages = new Outages()
  /** Failures in a row that open the breaker. */
  readonly #opens: number
  readonly #maxSlowdown: number
  enabled = true
  percentage: number

  constructor (config: BackendConfig, mirror: MirrorConfig, engine: Engine, histograms: LatencyHistograms | null) {
    this.config = config
    this.#engine = engine
    this.#diff = diffOptions(mirror)
    this.histograms = histograms
    this.#maxSlowdown = mirror.verdict.maxSlowdown ?? Infinity
    this.#opens = mirror.breaker?.failures ?? 0
    this.books = this.#newBooks()
    this.percentage = config.percentage
    this.gate = new Gate(mirror.maxInFlight, mirror.breaker)
    this.target = engine.addTarget(targetOptions(config, mirror))
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

  /** Counts anew, over new connections; copies in flight go on reporting to the counters in which they began. */
  reset (): void {
    this.books = this.#newBooks()
    this.gate.forgive()
    this.#engine.retire(this.target)
    this.#outages = new Outages()
  }

  /** From now on copies go over new connections. `connect`: their options, where they are others than before. */
  reconnect (connect?: ConnectOptions): void {
    this.#engine.retire(this.target, connect)
  }

  #newBooks (): BackendBooks {
    return new BackendBooks(this.histograms, this.#maxSlowdown)
  }

  /** A copy that was attempted has ended. `null`: it was answered. */
  copyEnded (opening: number, failure: FailureReason | null): void {
    this.gate.leave(opening, failure)
    const isOut = this.gate.breaker !== 'closed'
    if (isOut === (this.#outages.since !== null)) return
    const bad = failedCopies(this.books)
    // The last of those that opened it is not in the books yet. After a reset the first may be in the old ones.
    if (isOut) this.#outages.begin(Math.max(0, bad - this.#opens + 1))
    else this.#outages.end(bad)
  }

  /** The facts of a verdict, without those of endpoints. `books`: of the period that it is of. */
  facts (books: CountedBooks): Omit<BackendFacts, 'endpoints' | 'explained'> {
    const { name, breaker } = this
    const outages = this.#outages.summary(failedCopies(this.books))
    return { name, books, breaker, since: this.#outages.since, outages }
  }

  /** What is compared from now on is compared by other rules, and what is concluded of it begins anew. */
  setRules (rules: readonly CompareRule[]): void {
    const { since } = this.#outages
    this.#outages = new Outages()
    if (since !== null) this.#outages.begin(failedCopies(this.books), since)
    this.#engine.setDiff(this.target, { ...this.#diff as DiffOptions, rules })
  }
}
