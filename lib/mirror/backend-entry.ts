import { KIND, KIND_OF_DROP, KIND_OF_FAILURE, KIND_OF_UNCOMPARED } from '../endpoints/books'
import { Entry } from '../endpoints/entry'
import type { Endpoint } from '../endpoints/table'
import type { Difference, DropReason, FailureReason, NotComparedReason, PairLatency } from '../engine/types'
import { isUnread } from '../metrics/books'
import type { BackendBooks, BackendSkip } from '../metrics/books'
import type { Period } from './period'

/**
 * One request in the books of one backend of a period. Each event is written here alone, and both in the backend's
 * books and in its endpoint's. The endpoint's come first: an entry there may become something else after a fault, while
 * the backend's books count once.
 */
export class BackendEntry extends Entry {
  readonly #books: BackendBooks

  /** `index`: the backend's, among its mirror's. `endpoint`: as far as it is known. */
  constructor (period: Period, endpoint: Endpoint, index: number) {
    super(endpoint, index)
    this.#books = period.backends[index]
  }

  /** The request is not meant for the backend. */
  skip (reason: BackendSkip): void {
    this.put(KIND.leftOut)
    this.#books.skip(reason)
  }

  /** The backend gets no copy. */
  drop (reason: DropReason): void {
    this.put(KIND_OF_DROP[reason])
    this.#books.drop(reason)
  }

  /** The backend gets a copy. */
  attempt (): void {
    this.put(KIND.inFlight)
    this.#books.attempt()
  }

  /** The client library refuses the copy. */
  refuse (): void {
    this.put(KIND_OF_DROP.error)
    this.#books.refuse()
  }

  fail (reason: FailureReason): void {
    this.put(KIND_OF_FAILURE[reason])
    this.#books.fail(reason)
  }

  answer (status: number, ms: number): void {
    this.put(KIND.comparing)
    this.#books.answer(status, ms)
  }

  leaveUncompared (reason: NotComparedReason): void {
    this.put(KIND_OF_UNCOMPARED[reason])
    this.#books.leaveUncompared(reason)
  }

  /** @returns whether the pair was slower than it may be, for `pair` */
  compare (difference: Difference | null, latency: PairLatency | null): boolean {
    if (difference === null) this.put(KIND.matched)
    else this.mismatch(isUnread(difference) ? KIND.unread : KIND.mismatched)
    return this.#books.compare(difference, latency)
  }
}
