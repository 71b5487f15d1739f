import type { Difference } from '../compare/answers'
import { createRedactor } from '../compare/redact'
import type { Redactor } from '../compare/redact'
import type { CompareConfig } from '../options/config'
import { printableData } from '../printable'
import { MismatchGroups } from './groups'
import { createMismatch } from './mismatch'
import type { Mismatch, MismatchEvent } from '../../types/index'
import type { MirroredRequest } from './mismatch'

/** Where a mismatch is logged: the request's logger. */
export interface MismatchLog {
  warn (fields: Record<string, unknown>, message: string): void
}

/** Stores, logs and hands on the mismatches of one mirror, none of them with a secret. Nothing that others do with them gets further. */
export class MismatchReporter {
  /** Of the current set of counters. */
  groups: MismatchGroups
  readonly #mirror: { readonly id: string }
  readonly #config: CompareConfig
  readonly #redactor: Redactor
  readonly #onMismatch: ((mismatch: MismatchEvent) => unknown) | null
  readonly #onError: (message: string, error: unknown) => void

  constructor (
    mirror: { readonly id: string },
    config: CompareConfig,
    onMismatch: ((mismatch: MismatchEvent) => unknown) | null,
    onError: (message: string, error: unknown) => void
  ) {
    this.#mirror = mirror
    this.#config = config
    this.#redactor = createRedactor(config.redact)
    this.#onMismatch = onMismatch
    this.#onError = onError
    this.groups = this.newGroups()
  }

  newGroups (): MismatchGroups {
    return new MismatchGroups(this.#config.maxMismatches)
  }

  /**
   * `groups`: those of the set of counters in which the copy began. `log`: `null` when mismatches are not logged. Others get copies of
   * what is stored: a logger masks, or a user's function drops, what it likes.
   */
  report (
    groups: MismatchGroups, backend: string, request: MirroredRequest, difference: Difference, log: MismatchLog | null
  ): void {
    const mismatch = createMismatch({ ...difference, backend, time: Date.now(), request }, this.#redactor)
    const group = groups.add(mismatch)
    if (log !== null) this.#log(log, mismatch, group)
    if (this.#onMismatch !== null) this.#tell(this.#onMismatch, { mirror: this.#mirror.id, group, ...structuredClone(mismatch) })
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

  #tell (onMismatch: (mismatch: MismatchEvent) => unknown, event: MismatchEvent): void {
    const failed = (error: unknown) => this.#onError('onMismatch failed', error)
    try {
      // Nobody else would handle the rejection of an async function, whoever made its promise.
      Promise.resolve(onMismatch(event)).catch(failed)
    } catch (error) {
      failed(error)
    }
  }
}
