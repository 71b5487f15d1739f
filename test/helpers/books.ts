import type { Test } from 'tap'
import type { MirrorSnapshot } from '../../types/index'

interface Equation { name: string, found: number, wanted: number }

function sum (counts: Record<string, number>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0)
}

/** Every equation that a mirror's numbers promise to hold at every moment. */
function equations (mirror: MirrorSnapshot): Equation[] {
  const { seen, disabled, filtered, looped, upgraded, unsampled, pending, unhandled, mirrored } = mirror
  const all = [{ name: 'seen closes', found: seen, wanted: disabled + filtered + looped + upgraded + unsampled + pending + unhandled + mirrored }]
  for (const b of mirror.backends) {
    all.push(
      { name: 'offered is mirrored', found: b.offered, wanted: mirrored },
      { name: 'offered closes', found: b.offered, wanted: b.disabled + b.unsampled + sum(b.dropped) + b.total },
      { name: 'total closes', found: b.total, wanted: b.inFlight + b.success + sum(b.failure) },
      { name: 'success is told by status class', found: b.success, wanted: sum(b.status) },
      { name: 'success closes', found: b.success, wanted: b.comparing + b.compared + sum(b.notCompared) },
      { name: 'compared closes', found: b.compared, wanted: b.matched + b.mismatched },
      { name: 'every answer has a latency', found: b.latency.mirror.count, wanted: b.success },
      { name: 'pairs are pairs', found: b.latency.primary.count, wanted: b.latency.difference.count }
    )
  }
  return all
}

function negatives (mirror: MirrorSnapshot): number[] {
  return [mirror.pending, ...mirror.backends.flatMap(({ inFlight, comparing }) => [inFlight, comparing])].filter(count => count < 0)
}

export function booksClose (t: Test, mirror: MirrorSnapshot): void {
  for (const { name, found, wanted } of equations(mirror)) t.equal(found, wanted, name)
  t.same(negatives(mirror), [], 'nothing ends twice')
}

/** The equations that do not hold, in words; none of them should be. */
export function imbalances (mirror: MirrorSnapshot): string[] {
  return [
    ...equations(mirror).filter(({ found, wanted }) => found !== wanted).map(({ name, found, wanted }) => `${name}: ${found} is not ${wanted}`),
    ...negatives(mirror).map(count => `nothing ends twice: ${count}`)
  ].map(fault => `the books of ${mirror.id}: ${fault}`)
}
