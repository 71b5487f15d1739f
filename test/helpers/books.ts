import type { Test } from 'tap'
import type { MirrorSnapshot } from '../../types/index'

function sum (counts: Record<string, number>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0)
}

/** Every equation that a mirror's numbers promise to hold at every moment. */
export function booksClose (t: Test, mirror: MirrorSnapshot): void {
  const { seen, disabled, filtered, looped, upgraded, unsampled, pending, unhandled, mirrored } = mirror
  t.equal(seen, disabled + filtered + looped + upgraded + unsampled + pending + unhandled + mirrored, 'seen closes')
  for (const b of mirror.backends) {
    t.equal(b.offered, mirrored, 'offered is mirrored')
    t.equal(b.offered, b.disabled + b.unsampled + sum(b.dropped) + b.total, 'offered closes')
    t.equal(b.total, b.inFlight + b.success + sum(b.failure), 'total closes')
    t.equal(b.success, sum(b.status), 'success is told by status class')
    t.equal(b.success, b.comparing + b.compared + sum(b.notCompared), 'success closes')
    t.equal(b.compared, b.matched + b.mismatched, 'compared closes')
    t.equal(b.latency.mirror.count, b.success, 'every answer has a latency')
    t.equal(b.latency.primary.count, b.latency.difference.count, 'pairs are pairs')
    for (const count of [b.inFlight, b.comparing, pending]) t.ok(count >= 0, 'nothing ends twice')
  }
}
