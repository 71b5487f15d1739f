import { KIND } from './books'
import type { EndpointBooks, Kind } from './books'
import { Spread } from './spread'
import type { Endpoint } from './table'

/** Where one request to one backend is counted. */
export class Entry {
  readonly #backend: number
  /** The endpoint, as far as it is known. */
  endpoint: Endpoint
  #books: EndpointBooks
  #kind: Kind = KIND.inFlight
  #counted = false
  /** NaN: it gave no pair. */
  #difference = NaN
  #slower = false
  #mismatchAt = 0

  /** `backend`: its place among its mirror's. */
  constructor (endpoint: Endpoint, backend: number) {
    this.#backend = backend
    this.endpoint = endpoint
    this.#books = endpoint.of(backend)
  }

  /** From now on it is counted. */
  begin (kind: Kind): void {
    this.#kind = kind
    this.#books.counts[kind]++
    this.#counted = true
  }

  /** It never was: whatever was to be counted with it could not be. */
  withdraw (): void {
    if (this.#counted) this.#books.counts[this.#kind]--
    this.#counted = false
  }

  /** Counts it as this, whether it was counted already or not. */
  put (kind: Kind): void {
    if (this.#counted) this.become(kind)
    else this.begin(kind)
  }

  become (kind: Kind): void {
    const { counts } = this.#books
    counts[this.#kind]--
    counts[kind]++
    this.#kind = kind
  }

  mismatch (kind: typeof KIND.mismatched | typeof KIND.unread): void {
    this.become(kind)
    this.#mismatchAt = this.#books.latestMismatch = Date.now()
  }

  /** `slower`: by more than the limit. */
  pair (difference: number, slower: boolean): void {
    this.#difference = difference
    this.#slower = slower
    this.#countPair(1)
  }

  /** It turns out to be another endpoint's. */
  moveTo (endpoint: Endpoint): void {
    const books = endpoint.of(this.#backend)
    this.#books.counts[this.#kind]--
    books.counts[this.#kind]++
    if (!Number.isNaN(this.#difference)) this.#countPair(-1)
    this.#books = books
    this.endpoint = endpoint
    if (!Number.isNaN(this.#difference)) this.#countPair(1)
    books.latestMismatch = Math.max(books.latestMismatch, this.#mismatchAt)
  }

  #countPair (sign: 1 | -1): void {
    const books = this.#books
    books.differences ??= new Spread()
    books.differences.add(this.#difference, sign)
    if (this.#slower) books.slower += sign
  }
}
