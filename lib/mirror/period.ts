import { Endpoints } from '../endpoints/table'
import { MirrorBooks } from '../metrics/books'
import type { BackendBooks } from '../metrics/books'
import type { Places } from '../mismatches/places'
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
  /** Counters of the backends, in the mirror's order. */
  readonly backends: readonly BackendBooks[]
  readonly places: Places
  readonly endpoints: Endpoints

  constructor (backends: readonly BackendBooks[], places: Places, maxEndpoints: number) {
    const { id, since } = newPeriod()
    this.id = id
    this.since = since
    this.backends = backends
    this.places = places
    this.endpoints = new Endpoints(maxEndpoints)
  }
}
