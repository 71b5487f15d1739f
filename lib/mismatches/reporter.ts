import { door } from '../guard'
import type { Difference } from '../compare/answers'
import { createRedactor } from '../compare/redact'
import type { Redactor } from '../compare/redact'
import type { CompareConfig } from '../options/config'
import { printableData } from '../printable'
import { Example } from './example'
import { MismatchGroups } from './groups'
import { Lines } from './lines'
import { TimeShare } from './time-share'
import type { Mismatch, MismatchEvent } from '../../types/index'
import type { MirroredRequest } from './mismatch'

/** Where a mismatch is logged: the request's logger. */
export interface MismatchLog {
  warn (fields: Record<string, unknown>, message: string): void
}

/** Of the main thread's time, what all mismatches of the process may take; what was not used, up to four seconds' worth of it. */
const SHARE = 0.05
/** Milliseconds that one takes at most, whatever it is. */
const MOST = 1
const mainThread = new TimeShare(SHARE, SHARE * 4000)

/** Stores, logs and hands on the mismatches of one mirror, none of them with a secret. Nothing that others do with them gets further. */
export class MismatchReporter {
  /** Of the current set of counters. */
  groups: MismatchGroups
  /** Of the log. */
  readonly lines: Lines
  readonly #time: TimeShare
  /** Since `onMismatch` was last called. */
  #spared = 0
  readonly #mirror: { readonly id: string }
  readonly #config: CompareConfig
  readonly #redactor: Redactor
  readonly #onMismatch: ((mismatch: MismatchEvent) => unknown) | null
  readonly #onError: (message: string, error: unknown) => void

  constructor (
    mirror: { readonly id: string },
    config: CompareConfig,
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
    this.groups = this.newGroups()
  }

  newGroups (): MismatchGroups {
    return new MismatchGroups(this.#config.maxMismatches)
  }

  /** Whether each is told to somebody at once: a log, or a function. */
  get tells (): boolean {
    return this.#config.logMismatches || this.#onMismatch !== null
  }

  /**
   * `groups`: those of the set of counters in which the copy began. `log`: `null` when mismatches are not logged. Others get copies of
   * what is stored: a logger masks, or a user's function drops, what it likes. Past the share of time it is counted, and no more.
   */
  report (
    groups: MismatchGroups, backend: string, request: MirroredRequest, difference: Difference, log: MismatchLog | null
  ): void {
    const time = Date.now()
    const begun = this.#time.begin()
    if (begun === null) {
      groups.spare({ backend, primaryStatus: difference.primaryStatus, mirrorStatus: difference.mirrorStatus }, time)
      if (log !== null) this.lines.suppress()
      this.#spared++
      return
    }
    let event: MismatchEvent | null = null
    try {
      const example = new Example({ ...difference, backend, time, request }, this.#redactor)
      const group = groups.add({ ...difference, backend }, time, example)
      if (log !== null && this.lines.admits(group)) this.#log(log, example.read(), group)
      if (this.#onMismatch !== null) {
        const spared = this.#spared
        this.#spared = 0
        event = { mirror: this.#mirror.id, group, spared, ...structuredClone(example.read()) }
      }
    } finally {
      this.#time.end(begun, MOST)
    }
    if (event !== null) this.#time.charge(() => this.#tell(event))
  }

  #log (log: MismatchLog, mismatch: Mismatch, group: string): void {
    const { backend, primaryStatus, mirrorStatus, body } = mismatch
    const fields: Record<string, unknown> = {
      mirror: this.#mirror.id, backend, primaryStatus, mirrorStatus, bodyMatch: body === null
    }
    if (this.#config.detailedDiff) {
      fields.group = group
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
