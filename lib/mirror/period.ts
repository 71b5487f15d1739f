import type { EndpointBooks } from '../endpoints/books'
import { Endpoints } from '../endpoints/table'
import type { Endpoint } from '../endpoints/table'
import { MirrorBooks } from '../metrics/books'
import type { BackendBooks, CountedBooks } from '../metrics/books'
import type { Places } from '../mismatches/places'
import type { Evidence } from '../noise/evidence'
import { newPeriod } from '../verdict/period'
import type { PeriodMark } from '../verdict/period'
import { Baseline } from './baseline'

/**
 * The books of a mirror from one start to the next. A request counts in the period in which it began, whenever it ends:
 * what a backend makes of it is written by `BackendEntry` alone.
 */
export class Period implements PeriodMark {
  readonly id: string
  readonly since: Date
  readonly books: MirrorBooks
  /** Counters of the backends, in the mirror's order. */
  readonly backends: readonly BackendBooks[]
  readonly places: Places
  readonly endpoints: Endpoints
  /** Of noise; `null`: nothing is asked once more. */
  readonly evidence: Evidence | null
  /** What had been counted before it began; `null`: nothing. */
  readonly #baseline: Baseline | null

  private constructor (counters: Counting, baseline: Baseline | null) {
    const { id, since } = newPeriod()
    this.id = id
    this.since = since
    this.books = counters.books
    this.backends = counters.backends
    this.places = counters.places
    this.endpoints = counters.endpoints
    this.evidence = counters.evidence
    this.#baseline = baseline
  }

  /** All counts are new. */
  static begin (
    backends: readonly BackendBooks[], places: Places, maxEndpoints: number, evidence: Evidence | null
  ): Period {
    const endpoints = new Endpoints(maxEndpoints)
    return new Period({ books: new MirrorBooks(), backends, places, endpoints, evidence }, null)
  }

  /** The counters go on, and what is concluded of them begins anew: with what is compared from now on. */
  restarted (): Period {
    this.evidence?.restart()
    return new Period(this, new Baseline(this.books.unsampled, this.backends, this.endpoints))
  }

  /** Requests that were not chosen. */
  get unsampled (): number {
    return this.books.unsampled - (this.#baseline?.unsampled ?? 0)
  }

  /** A backend's books in this period, by its place among the mirror's. */
  booksOf (index: number): CountedBooks {
    const books = this.backends[index]
    return this.#baseline === null ? books : this.#baseline.booksSince(index, books)
  }

  endpointOf (endpoint: Endpoint, index: number): EndpointBooks {
    return this.#baseline === null ? endpoint.of(index) : this.#baseline.endpointSince(endpoint, index)
  }
}

type Counting = Pick<Period, 'books' | 'backends' | 'places' | 'endpoints' | 'evidence'>
