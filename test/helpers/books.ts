import type { Test } from 'tap'
import { DROPPED, FAILED, NOT_COMPARED } from '../../lib/reasons'
import type { Reason, ReasonClass } from '../../lib/reasons'
import type { BackendSnapshot, EndpointBackend, EndpointList, MirrorSnapshot } from '../../types/index'

interface Equation { name: string, found: number, wanted: number }

function sum (counts: Record<string, number>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0)
}

/** Every equation that a mirror's numbers promise to hold at every moment. */
function equations (mirror: MirrorSnapshot): Equation[] {
  const { seen, disabled, filtered, looped, upgraded, unsampled, pending, unhandled, mirrored } = mirror
  const all = [{ name: 'seen closes', found: seen, wanted: disabled + filtered + looped + upgraded + unsampled + pending + unhandled + mirrored }]
  all.push(...repeatEquations(mirror.repeats))
  for (const b of mirror.backends) {
    all.push(
      { name: 'offered is mirrored', found: b.offered, wanted: mirrored },
      { name: 'offered closes', found: b.offered, wanted: b.disabled + b.unsampled + sum(b.dropped) + b.total },
      { name: 'total closes', found: b.total, wanted: b.inFlight + b.success + sum(b.failure) },
      { name: 'success is told by status class', found: b.success, wanted: sum(b.status) },
      { name: 'success closes', found: b.success, wanted: b.comparing + b.compared + sum(b.notCompared) },
      { name: 'compared closes', found: b.compared, wanted: b.matched + b.mismatched },
      // Fewer where the event loop was blocked.
      { name: 'no more latencies than answers', found: Math.max(b.latency.shadow.count, b.success), wanted: b.success },
      { name: 'pairs are pairs', found: b.latency.primary.count, wanted: b.latency.difference.count }
    )
  }
  return all
}

const TABLES = { dropped: DROPPED, failure: FAILED, notCompared: NOT_COMPARED }

/** Every equation that the numbers of what was asked twice promise to hold. */
function repeatEquations (repeats: MirrorSnapshot['repeats']): Equation[] {
  if (repeats === null) return []
  const { asked, dropped, total, inFlight, success, failure, comparing, compared, matched, mismatched, cached, notCompared } = repeats
  return [
    { name: 'repeats close', found: asked, wanted: sum(dropped) + total },
    { name: 'repeats sent close', found: total, wanted: inFlight + success + sum(failure) },
    { name: 'repeats answered close', found: success, wanted: comparing + compared + cached + sum(notCompared) },
    { name: 'repeats compared close', found: compared, wanted: matched + mismatched }
  ]
}

/** Outcomes of a class. */
function ofClass (backend: BackendSnapshot, wanted: ReasonClass): number {
  let count = 0
  for (const [key, table] of Object.entries(TABLES) as Array<[keyof typeof TABLES, Record<string, Reason>]>) {
    for (const [name, found] of Object.entries<number>(backend[key])) if (table[name].class === wanted) count += found
  }
  return count
}

/** Every equation between a mirror's numbers and those of its endpoints. */
function endpointEquations (mirror: MirrorSnapshot, { endpoints }: EndpointList): Equation[] {
  return mirror.backends.flatMap((b, index) => {
    const rows = endpoints.map(({ backends }) => backends[index])
    const total = (key: Exclude<keyof EndpointBackend, 'name' | 'verdict' | 'p95' | 'p99' | 'latestMismatch'>) => {
      return rows.reduce((sum, row) => sum + row[key], 0)
    }
    const [failed, lost, leftOut] = (['failure', 'lost', 'left out'] as const).map(each => ofClass(b, each))
    return [
      ...rows.flatMap(({ mirrored, inFlight, comparing, compared, failed, lost, leftOut, matched, mismatched }) => [
        { name: 'an endpoint closes', found: mirrored, wanted: inFlight + comparing + compared + failed + lost + leftOut },
        { name: 'an endpoint\'s comparisons close', found: compared, wanted: matched + mismatched }
      ]),
      { name: 'endpoints offered', found: total('mirrored'), wanted: b.offered },
      { name: 'endpoints in flight', found: total('inFlight'), wanted: b.inFlight },
      { name: 'endpoints comparing', found: total('comparing'), wanted: b.comparing },
      { name: 'endpoints matched', found: total('matched'), wanted: b.matched },
      { name: 'endpoints mismatched', found: total('mismatched'), wanted: b.mismatched },
      { name: 'endpoints failed', found: total('failed'), wanted: failed },
      { name: 'endpoints lost', found: total('lost'), wanted: lost },
      { name: 'endpoints left out', found: total('leftOut'), wanted: leftOut + b.disabled + b.unsampled },
      { name: 'endpoints have pairs', found: total('pairs'), wanted: b.latency.difference.count }
    ]
  })
}

function negatives (mirror: MirrorSnapshot): number[] {
  return [mirror.pending, mirror.repeats?.inFlight ?? 0, mirror.repeats?.comparing ?? 0, ...mirror.backends.flatMap(({ inFlight, comparing }) => [inFlight, comparing])].filter(count => count < 0)
}

/** What snapshots are to agree with. */
const endpointsOf = new WeakMap<MirrorSnapshot, EndpointList>()

/** The snapshot, and with it the endpoints of the same moment, for its books to be closed with. */
export function withEndpoints (mirror: MirrorSnapshot, endpoints: EndpointList): MirrorSnapshot {
  endpointsOf.set(mirror, endpoints)
  return mirror
}

/** `endpoints`: as they were at the same moment. */
export function booksClose (t: Test, mirror: MirrorSnapshot, endpoints = endpointsOf.get(mirror)): void {
  const all = [...equations(mirror), ...endpoints === undefined ? [] : endpointEquations(mirror, endpoints)]
  for (const { name, found, wanted } of all) t.equal(found, wanted, name)
  t.same(negatives(mirror), [], 'nothing ends twice')
}

/** The equations that do not hold, in words; none of them should be. */
export function imbalances (mirror: MirrorSnapshot, endpoints = endpointsOf.get(mirror)): string[] {
  const all = [...equations(mirror), ...endpoints === undefined ? [] : endpointEquations(mirror, endpoints)]
  return [
    ...all.filter(({ found, wanted }) => found !== wanted).map(({ name, found, wanted }) => `${name}: ${found} is not ${wanted}`),
    ...negatives(mirror).map(count => `nothing ends twice: ${count}`)
  ].map(fault => `the books of ${mirror.id}: ${fault}`)
}
