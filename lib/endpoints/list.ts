import type { EndpointBackend, EndpointList, EndpointSnapshot, VerdictWord } from '../../types/index'
import type { Steps } from '../steps'
import type { EndpointBooks } from './books'
import type { Endpoint, Endpoints } from './table'

const PERCENTS = [95, 99]
const NONE = [null, null]

/** Counters that are read in one step: those of two hundred endpoints and one backend are of one moment. */
const EACH_STEP = 300

/** The numbers of a mirror's endpoints, the busiest first. `judge`: what is concluded of one. */
export function * endpointSteps (
  endpoints: Endpoints, names: readonly string[], judge: (endpoint: Endpoint, backend: number) => VerdictWord
): Steps<EndpointList> {
  const { limit, limited, pending, all } = endpoints
  const counted = all
    .map(endpoint => ({ endpoint, mirrored: requestsOf(endpoint, names.length) }))
    .filter(({ mirrored }) => mirrored > 0)
    .sort((a, b) => b.mirrored - a.mirrored)
  const total = counted.reduce((sum, { mirrored }) => sum + mirrored, 0)
  const list: EndpointSnapshot[] = []
  let read = 0
  for (const { endpoint, mirrored } of counted) {
    const backends: EndpointBackend[] = []
    for (const [index, name] of names.entries()) {
      if (++read % EACH_STEP === 0) yield
      const books = endpoint.of(index)
      backends.push(backendOf(name, books, endpoint === pending ? null : judge(endpoint, index)))
    }
    list.push({ name: endpoint.name, share: mirrored / total, backends })
  }
  return { limit, limited, endpoints: list }
}

function requestsOf (endpoint: Endpoint, backends: number): number {
  let sum = 0
  for (let index = 0; index < backends; index++) sum += endpoint.of(index).mirrored
  return sum
}

function backendOf (name: string, books: EndpointBooks, verdict: VerdictWord | null): EndpointBackend {
  const [p95, p99] = books.differences?.percentiles(PERCENTS) ?? NONE
  return {
    name,
    verdict,
    mirrored: books.mirrored,
    inFlight: books.inFlight,
    comparing: books.comparing,
    compared: books.compared,
    matched: books.matched,
    mismatched: books.mismatched,
    failed: books.failed,
    lost: books.lost,
    leftOut: books.leftOut,
    pairs: books.pairs,
    slower: books.slower,
    p95,
    p99,
    latestMismatch: books.latestMismatch === 0 ? null : new Date(books.latestMismatch).toISOString()
  }
}
