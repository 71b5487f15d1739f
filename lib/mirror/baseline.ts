import type { EndpointBooks, EndpointMark } from '../endpoints/books'
import type { Endpoint, Endpoints } from '../endpoints/table'
import type { BackendBooks, BooksMark, CountedBooks } from '../metrics/books'

/** What had been counted when a period began within the counters of another one. */
export class Baseline {
  readonly unsampled: number
  readonly #backends: readonly BooksMark[]
  readonly #endpoints = new Map<Endpoint, EndpointMark[]>()

  constructor (unsampled: number, backends: readonly BackendBooks[], endpoints: Endpoints) {
    this.unsampled = unsampled
    this.#backends = backends.map(books => books.mark())
    for (const endpoint of endpoints.judged) {
      this.#endpoints.set(endpoint, backends.map((_, index) => endpoint.of(index).mark()))
    }
  }

  /** Of a backend, by its place among the mirror's, since then. */
  booksSince (index: number, books: BackendBooks): CountedBooks {
    return books.since(this.#backends[index])
  }

  endpointSince (endpoint: Endpoint, index: number): EndpointBooks {
    const books = endpoint.of(index)
    const mark = this.#endpoints.get(endpoint)?.[index]
    return mark === undefined ? books : books.since(mark)
  }
}
