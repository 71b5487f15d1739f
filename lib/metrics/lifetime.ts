import { BackendBooks, MirrorBooks } from './books'

/** A mirror's counters and, in the order of its backends, theirs. */
export interface Counters {
  readonly books: MirrorBooks
  readonly backends: readonly BackendBooks[]
}

/** Periods that are over, whose last requests still report to them. */
export class EndingPeriods<Period> {
  #periods: Period[] = []
  readonly #isSettled: (period: Period) => boolean
  readonly #onSettled: (period: Period) => void

  /** `isSettled`: whether nothing of a period changes any more. `onSettled`: it is given up here. */
  constructor (isSettled: (period: Period) => boolean, onSettled: (period: Period) => void) {
    this.#isSettled = isSettled
    this.#onSettled = onSettled
  }

  /** A period is over. */
  add (period: Period): void {
    this.#periods.push(period)
    this.open()
  }

  /** Periods in which something is under way. */
  open (): readonly Period[] {
    const periods = this.#periods
    this.#periods = periods.filter(period => !this.#isSettled(period))
    for (const period of periods) if (this.#isSettled(period)) this.#onSettled(period)
    return this.#periods
  }
}

/** Counts of a mirror since it was made, over all its periods. */
export class Lifetime {
  /** Sums of the periods that are over, and in which nothing is under way any more. */
  #ended: Counters | null = null
  readonly #ending = new EndingPeriods<Counters>(isSettled, counters => {
    sum(this.#ended ??= zeros(counters), counters)
  })

  /** A period is over. */
  add ({ books, backends }: Counters): void {
    // Only its books are kept: its mismatches are large.
    this.#ending.add({ books, backends })
  }

  /** All counts, those of the present period among them; latencies apart. */
  totals (present: Counters): Counters {
    const totals = zeros(present)
    for (const counters of [...this.#ending.open(), present]) sum(totals, counters)
    if (this.#ended !== null) sum(totals, this.#ended)
    return totals
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
