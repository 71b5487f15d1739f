import type { Test } from 'tap'
import type { MirrorSnapshot } from '../../types/index'

function sum (counts: Record<string, number>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0)
}

type Equation = [what: string, left: number, right: number]

function equations (mirror: MirrorSnapshot): Equation[] {
  const { seen, disabled, filtered, looped, upgraded, unsampled, pending, unhandled, mirrored } = mirror
  const list: Equation[] = [
    ['seen closes', seen, disabled + filtered + looped + upgraded + unsampled + pending + unhandled + mirrored]
  ]
  for (const b of mirror.backends) {
    list.push(
      ['offered is mirrored', b.offered, mirrored],
      ['offered closes', b.offered, b.disabled + b.unsampled + sum(b.dropped) + b.total],
      ['total closes', b.total, b.inFlight + b.success + sum(b.failure)],
      ['success is told by status class', b.success, sum(b.status)],
      ['success closes', b.success, b.comparing + b.compared + sum(b.notCompared)],
      ['compared closes', b.compared, b.matched + b.mismatched],
      ['every answer has a latency', b.latency.mirror.count, b.success],
      ['pairs are pairs', b.latency.primary.count, b.latency.difference.count]
    )
  }
  return list
}

function goings ({ pending, backends }: MirrorSnapshot): number[] {
  return [pending, ...backends.flatMap(({ inFlight, comparing }) => [inFlight, comparing])]
}

/** Every equation that a mirror's numbers promise to hold at every moment. */
export function booksClose (t: Test, mirror: MirrorSnapshot): void {
  for (const [what, left, right] of equations(mirror)) t.equal(left, right, what)
  for (const count of goings(mirror)) t.ok(count >= 0, 'nothing ends twice')
}

/** Throws where one of them does not: for thousands of moments. */
export function assertBooksClose (mirror: MirrorSnapshot): void {
  for (const [what, left, right] of equations(mirror)) {
    if (left !== right) throw new Error(`not so: ${what}: ${left}, ${right}`)
  }
  if (goings(mirror).some(count => count < 0)) throw new Error('not so: nothing ends twice')
}
