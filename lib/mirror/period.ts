import { Endpoints } from '../endpoints/table'
import { MirrorBooks } from '../metrics/books'
import type { BackendBooks } from '../metrics/books'
import type { MismatchGroups } from '../mismatches/groups'
import { newPeriod } from '../verdict/period'
import type { PeriodMark } from '../verdict/period'

/**
 * The books of a mirror from one start to the next. A request counts in the period in which it began, whenever it ends:
 * `RequestEntries` writes what is decided of it, and `CopyOutcome` what becomes of each copy.
 */
export class Period implements PeriodMark {
  readonly id: string
  readonly since: Date
  readonly books = new MirrorBooks()
  /** In the order of the mirror's backends. */
  readonly backends: readonly BackendBooks[]
  readonly groups: MismatchGroups
  readonly endpoints: Endpoints

  constructor (backends: readonly BackendBooks[], groups: MismatchGroups, maxEndpoints: number) {
    const { id, since } = newPeriod()
    this.id = id
    this.since = since
    this.backends = backends
    this.groups = groups
    this.endpoints = new Endpoints(maxEndpoints)
  }
}
