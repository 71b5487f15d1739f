import type { EndpointBooks } from '../endpoints/books'
import type { Endpoint, Endpoints } from '../endpoints/table'
import { EndingPeriods, isSettled } from './lifetime'
import type { Counters } from './lifetime'

/** Outcomes of an endpoint's requests to one backend. A request is in one of them once it has ended. */
export type EndpointCounts = Record<typeof OUTCOMES[number], number>

const OUTCOMES = ['matched', 'mismatched', 'failed', 'lost', 'leftOut'] as const

/** The endpoints of a period. */
export interface EndpointPeriod extends Counters {
  readonly endpoints: Endpoints
}

type Totals = Map<string, EndpointCounts[]>

/** Counts of a mirror by endpoint since it was made, over all its periods. */
export class EndpointTotals {
  readonly #limit: number
  /** Endpoints that have counters of their own. Past the limit further ones are counted together. */
  readonly #names = new Set<string>()
  readonly #ended: Totals = new Map()
  readonly #ending = new EndingPeriods<EndpointPeriod>(isOver, period => this.#sum(this.#ended, period))

  /** `limit`: endpoints of one period. */
  constructor (limit: number) {
    this.#limit = limit
  }

  /** A period is over. */
  add ({ books, backends, endpoints }: EndpointPeriod): void {
    this.#ending.add({ books, backends, endpoints })
  }

  /** All counts, in the order of the backends, those of the present period among them. */
  read (present: EndpointPeriod): ReadonlyMap<string, readonly EndpointCounts[]> {
    const open = this.#ending.open()
    const totals: Totals = new Map(Array.from(this.#ended, ([name, counts]) => [name, counts.map(one => ({ ...one }))]))
    for (const period of [...open, present]) this.#sum(totals, period)
    return totals
  }

  #sum (totals: Totals, { backends, endpoints }: EndpointPeriod): void {
    for (const endpoint of endpoints.judged) {
      const own = backends.map((_, index) => endpoint.of(index))
      if (own.every(isEmpty)) continue
      const name = this.#nameOf(endpoint, endpoints.other)
      let counts = totals.get(name)
      if (counts === undefined) totals.set(name, counts = own.map(zeros))
      for (const [index, one] of counts.entries()) {
        for (const outcome of OUTCOMES) one[outcome] += own[index][outcome]
      }
    }
  }

  #nameOf ({ name }: Endpoint, other: Endpoint): string {
    if (this.#names.has(name)) return name
    if (this.#names.size >= this.#limit) return other.name
    this.#names.add(name)
    return name
  }
}

/** Whether nothing of it changes any more. */
function isOver (period: EndpointPeriod): boolean {
  return isSettled(period) && period.backends.every((_, index) => isEmpty(period.endpoints.pending.of(index)))
}

function isEmpty ({ mirrored }: EndpointBooks): boolean {
  return mirrored === 0
}

function zeros (): EndpointCounts {
  return { matched: 0, mismatched: 0, failed: 0, lost: 0, leftOut: 0 }
}
