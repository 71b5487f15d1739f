import { BackendBooks, MirrorBooks } from './books'

/** A mirror's counters and, in the order of its backends, theirs. */
export interface Counters {
  readonly books: MirrorBooks
  readonly backends: readonly BackendBooks[]
}

/** What a mirror has counted since it was made, over all its periods. */
export class Lifetime {
  /** Of periods that are over, and in which nothing is under way any more. */
  #ended: Counters | null = null
  /** Of periods that are over, whose last requests still report to them. */
  #ending: Counters[] = []

  /** A period is over. */
  add (counters: Counters): void {
    // Of a period no more than that: its mismatches are large.
    this.#ending.push({ books: counters.books, backends: counters.backends })
    this.#settle()
  }

  /** All counts, those of the present period among them; latencies apart. */
  totals (present: Counters): Counters {
    this.#settle()
    const totals = zeros(present)
    for (const counters of [...this.#ending, present]) sum(totals, counters)
    if (this.#ended !== null) sum(totals, this.#ended)
    return totals
  }

  #settle (): void {
    const ending = this.#ending
    this.#ending = ending.filter(counters => !isSettled(counters))
    for (const counters of ending) {
      if (isSettled(counters)) sum(this.#ended ??= zeros(counters), counters)
    }
  }
}

function zeros ({ backends }: Counters): Counters {
  return { books: new MirrorBooks(), backends: backends.map(() => new BackendBooks()) }
}

/** Whether nothing of it changes any more. */
export function isSettled ({ books, backends }: Counters): boolean {
  return books.settled && backends.every(backend => backend.settled)
}

function sum (into: Counters, from: Counters): void {
  into.books.add(from.books)
  for (let i = 0; i < from.backends.length; i++) into.backends[i].add(from.backends[i])
}
