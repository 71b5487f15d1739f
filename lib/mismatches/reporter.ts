import { door } from '../guard'
import type { Difference } from '../compare/answers'
import type { DifferencePlaces } from '../compare/places'
import { createRedactor } from '../compare/redact'
import type { Redactor } from '../compare/redact'
import type { Endpoint } from '../endpoints/table'
import { printableData } from '../printable'
import { Lines } from './lines'
import { rarestFirst } from './place'
import type { Place } from './place'
import type { Places } from './places'
import { createMismatch } from './mismatch'
import { TimeShare } from './time-share'
import type { Mismatch, MismatchEvent } from '../../types/index'
import type { MismatchedRequest, MismatchInput } from './mismatch'

/** Where a mismatch is logged: the request's logger. */
export interface MismatchLog {
  warn (fields: Record<string, unknown>, message: string): void
}

export interface ReporterConfig {
  readonly logMismatches: boolean
  readonly detailedDiff: boolean
  readonly redact: readonly string[]
}

/** A mismatch as it comes. */
export interface Reported {
  /** Places of the period in which the copy began. */
  readonly places: Places
  readonly endpoint: Endpoint
  /** The backend's place among its mirror's, and its name. */
  readonly backend: number
  readonly name: string
  readonly request: MismatchedRequest
  readonly difference: Difference
  /** `null`: mismatches are not logged. */
  readonly log: MismatchLog | null
  /** Who else counts it. */
  readonly evidence?: MismatchListener | null
  /** Whether the request may be asked twice, by its method. */
  readonly repeatable?: boolean
}

/** Counts mismatches, too, within the same time. */
export interface MismatchListener {
  mismatch (endpoint: Endpoint, backend: number, places: DifferencePlaces, repeatable: boolean): void
  /** There was no time to look at one. */
  spare (backend: number): void
}

/**
 * Of the main thread's time, what all mismatches of the process may take; what was not used, up to four seconds' worth
 * of it.
 */
const SHARE = 0.05
/** The part of it that is left for counting by place, once nothing else may be done. */
const SHARE_OF_COUNTING = 0.02
/** Milliseconds that one takes at most, whatever it is. */
const MOST = 1
const SAVED = 4000
/** Ids that `onMismatch` is told: each is a hash. Ids that a line of the log has. */
const MAX_TOLD = 32
const MAX_LOGGED = 16

/** The time of the main thread. */
export interface MismatchTime {
  /** Time for examples, logs and users' functions. */
  readonly examples: TimeShare
  /** Time for counting by place. */
  readonly counting: TimeShare
}

const mainThread: MismatchTime = {
  examples: new TimeShare(SHARE - SHARE_OF_COUNTING, (SHARE - SHARE_OF_COUNTING) * SAVED),
  counting: new TimeShare(SHARE_OF_COUNTING, SHARE_OF_COUNTING * SAVED)
}

/**
 * Counts, keeps, logs and hands on the mismatches of one mirror, none of them with a secret. Nothing that others do
 * with them gets further.
 */
export class MismatchReporter {
  /** Lines of the log. */
  readonly lines: Lines
  readonly #time: MismatchTime
  /** Since `onMismatch` was last called. */
  #spared = 0
  readonly #mirror: { readonly id: string }
  readonly #config: ReporterConfig
  readonly #redactor: Redactor
  readonly #onMismatch: ((mismatch: MismatchEvent) => unknown) | null
  readonly #onError: (message: string, error: unknown) => void

  constructor (
    mirror: { readonly id: string },
    config: ReporterConfig,
    onMismatch: ((mismatch: MismatchEvent) => unknown) | null,
    onError: (message: string, error: unknown) => void,
    onSuppressed: (suppressed: number) => void,
    time = mainThread
  ) {
    this.#mirror = mirror
    this.#config = config
    this.#redactor = createRedactor(config.redact)
    this.#onMismatch = onMismatch
    this.#onError = onError
    this.lines = new Lines(onSuppressed)
    this.#time = time
  }

  /** Whether each is told to somebody at once: a log, or a function. */
  get tells (): boolean {
    return this.#config.logMismatches || this.#onMismatch !== null
  }

  /**
   * Past the first share of time it is counted by place, and no more; past the other by endpoint. Others get copies of
   * what is stored: a logger masks, or a user's function drops, what it likes.
   */
  report (reported: Reported): void {
    const time = Date.now()
    const counted = this.#count(reported, time)
    const begun = counted === null ? null : this.#time.examples.begin()
    if (counted === null || begun === null) {
      if (counted !== null) reported.places.spareExample()
      if (reported.log !== null) this.lines.suppress()
      this.#spared++
      return
    }
    let event: MismatchEvent | null = null
    try {
      event = this.#keepAndLog(reported, counted, time)
    } finally {
      this.#time.examples.end(begun, MOST)
    }
    if (event !== null) {
      const told = event
      this.#time.examples.charge(() => this.#tell(told))
    }
  }

  /** `null`: there was no time to look at it. */
  #count (reported: Reported, time: number): Place[] | null {
    const { places, endpoint, backend, difference, evidence, repeatable = false } = reported
    const begun = this.#time.counting.begin()
    if (begun === null) {
      places.countUnsorted(endpoint, backend, time)
      evidence?.spare(backend)
      return null
    }
    try {
      evidence?.mismatch(endpoint, backend, difference.places, repeatable)
      return places.count(endpoint, backend, difference.places, time)
    } finally {
      this.#time.counting.end(begun, MOST)
    }
  }

  #keepAndLog (reported: Reported, counted: readonly Place[], time: number): MismatchEvent | null {
    const { places, endpoint, name, request, difference, log } = reported
    const input: MismatchInput = { ...difference, backend: name, time, request }
    places.keep(counted, input, difference, this.#redactor)
    if (!this.tells) return null
    const ids = [...new Set(counted)].sort(rarestFirst).slice(0, MAX_TOLD).map(({ id }) => id)
    const logged = log !== null && this.lines.admits(ids[0])
    if (!logged && this.#onMismatch === null) return null
    const mismatch = createMismatch(input, this.#redactor)
    if (logged) this.#log(log, structuredClone(mismatch), endpoint.name, ids)
    if (this.#onMismatch === null) return null
    const spared = this.#spared
    this.#spared = 0
    return { mirror: this.#mirror.id, endpoint: endpoint.name, places: ids, spared, ...mismatch }
  }

  #log (log: MismatchLog, mismatch: Mismatch, endpoint: string, ids: readonly string[]): void {
    const { backend, primaryStatus, shadowStatus, body } = mismatch
    const fields: Record<string, unknown> = {
      mirror: this.#mirror.id,
      endpoint: printableData(endpoint),
      backend,
      primaryStatus,
      shadowStatus,
      bodyMatch: body === null
    }
    if (this.#config.detailedDiff) {
      fields.places = ids.slice(0, MAX_LOGGED)
      fields.headers = printableData(mismatch.headers)
      fields.body = printableData(body)
    }
    try {
      log.warn(fields, 'mirror mismatch')
    } catch (error) {
      this.#onError('the mismatch could not be logged', error)
    }
  }

  #tell (event: MismatchEvent): void {
    const onMismatch = this.#onMismatch as (mismatch: MismatchEvent) => unknown
    const failed = (error: unknown) => this.#onError('onMismatch failed', error)
    try {
      // Nobody else would handle the rejection of an async function, whoever made its promise.
      Promise.resolve(onMismatch(event)).catch(door(failed))
    } catch (error) {
      failed(error)
    }
  }
}
