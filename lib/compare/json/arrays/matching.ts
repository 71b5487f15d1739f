import { ITEMS_A_STEP } from './part'
import type { Steps } from '../../../steps'
import type { Labels } from './part'

/** Items of one label on the other side that one is compared with, where there are more. */
const MAX_ALIKE = 8

/** Which items of the two sides belong together; -1: to none. */
export class Matching {
  readonly a: Int32Array
  readonly b: Int32Array

  constructor (a: number, b: number) {
    this.a = new Int32Array(a).fill(-1)
    this.b = new Int32Array(b).fill(-1)
  }

  pair (a: number, b: number): void {
    this.a[a] = b
    this.b[b] = a
  }
}

/** Where each label is on the other side, in the order in which it is there. */
interface Occurrences {
  /** By label: where its places begin in the list. One more at its end. */
  readonly starts: Int32Array
  readonly places: Int32Array
}

/** Whether both sides hold the same, in whatever order. Turns once an item and once a label. */
export function * isPermutation ({ a, b, count }: Labels): Steps<boolean> {
  if (a.length !== b.length) return false
  const balance = new Int32Array(count)
  for (let at = 0; at < a.length; at++) {
    if (at % ITEMS_A_STEP === ITEMS_A_STEP - 1) yield
    balance[a[at]]++
    balance[b[at]]--
  }
  return balance.every(left => left === 0)
}

/**
 * Whether one side holds all of the other in the same order, with more between: then nothing was changed, however often
 * anything is repeated. Turns once an item.
 */
export function * fitsWithin ({ a, b }: Labels, matching: Matching): Steps<boolean> {
  const [short, long] = a.length <= b.length ? [a, b] : [b, a]
  let found = 0
  const places = new Int32Array(short.length)
  for (let at = 0; at < long.length && found < short.length; at++) {
    if (at % ITEMS_A_STEP === ITEMS_A_STEP - 1) yield
    if (long[at] === short[found]) places[found++] = at
  }
  if (found < short.length) return false
  for (let at = 0; at < short.length; at++) {
    if (short === a) matching.pair(at, places[at])
    else matching.pair(places[at], at)
  }
  return true
}

/** Pairs items that are alike and stand at the same index; answers how many. Turns once an item. */
export function pairByIndex ({ a, b }: Labels, matching: Matching): number {
  let pairs = 0
  for (let at = 0; at < a.length && at < b.length; at++) {
    if (a[at] !== b[at]) continue
    matching.pair(at, at)
    pairs++
  }
  return pairs
}

/**
 * Pairs as many items that are alike as are in the same order on both sides (Hunt and Szymanski, 1977); answers how
 * many. Turns once an item times the number of those that it is like, of which it looks at the nearest by rank alone:
 * with many repeats there may be more.
 */
export function * pairInOrder (labels: Labels, matching: Matching): Steps<number> {
  const { a, b, count } = labels
  const { starts, places } = occurrencesOf(b, count)
  const ranks = new Int32Array(count)
  /** By the length of a sequence: where the one that ends first ends, and its last pair. */
  const ends: number[] = []
  const lasts: number[] = []
  /** Of each pair: its places, and the pair before it. */
  const ofA: number[] = []
  const ofB: number[] = []
  const before: number[] = []
  let pause = ITEMS_A_STEP
  for (let at = 0; at < a.length; at++) {
    const [from, to] = nearest(starts[a[at]], starts[a[at] + 1], ranks[a[at]]++)
    for (let next = to - 1; next >= from; next--) {
      if (--pause === 0) {
        pause = ITEMS_A_STEP
        yield
      }
      const place = places[next]
      const length = lowerBound(ends, place)
      ends[length] = place
      lasts[length] = ofA.push(at) - 1
      ofB.push(place)
      before.push(length === 0 ? -1 : lasts[length - 1])
    }
  }
  for (let pair = lasts.length === 0 ? -1 : lasts[lasts.length - 1]; pair !== -1; pair = before[pair]) {
    matching.pair(ofA[pair], ofB[pair])
  }
  return ends.length
}

/**
 * Pairs what is left and alike, wherever it stands; answers whether there was any. `movable`: whether the item of the
 * first side may have moved. Turns once an item.
 */
export function * pairAnywhere (labels: Labels, matching: Matching, movable: (a: number) => boolean): Steps<boolean> {
  const { a, b, count } = labels
  const { starts, places } = occurrencesOf(b, count)
  const next = starts.slice(0, count)
  let any = false
  for (let at = 0; at < a.length; at++) {
    if (at % ITEMS_A_STEP === ITEMS_A_STEP - 1) yield
    if (matching.a[at] !== -1 || !movable(at)) continue
    const label = a[at]
    while (next[label] < starts[label + 1] && matching.b[places[next[label]]] !== -1) next[label]++
    if (next[label] === starts[label + 1]) continue
    matching.pair(at, places[next[label]])
    any = true
  }
  return any
}

/** Items of both sides that stand between two pairs. */
export interface Gap {
  readonly fromA: number
  readonly toA: number
  readonly fromB: number
  readonly toB: number
}

/** Pairs what is left in a gap, one by one, as far as it may be. Turns once an item. */
export function pairLeft (
  matching: Matching, { fromA, toA, fromB, toB }: Gap, mayBeA = always, mayBeB = always
): void {
  const { a, b } = matching
  let next = fromB
  for (let at = fromA; at < toA; at++) {
    if (a[at] !== -1 || !mayBeA(at)) continue
    while (next < toB && (b[next] !== -1 || !mayBeB(next))) next++
    if (next === toB) return
    matching.pair(at, next++)
  }
}

export function always (_: number): boolean {
  return true
}

function occurrencesOf (b: Int32Array, count: number): Occurrences {
  const starts = new Int32Array(count + 1)
  for (const label of b) starts[label + 1]++
  for (let label = 0; label < count; label++) starts[label + 1] += starts[label]
  const next = starts.slice()
  const places = new Int32Array(b.length)
  for (let at = 0; at < b.length; at++) places[next[b[at]]++] = at
  return { starts, places }
}

function nearest (start: number, end: number, rank: number): [from: number, to: number] {
  if (end - start <= MAX_ALIKE) return [start, end]
  const from = Math.min(Math.max(start, start + rank - MAX_ALIKE / 2), end - MAX_ALIKE)
  return [from, from + MAX_ALIKE]
}

/** The first index whose value is not below. */
function lowerBound (sorted: readonly number[], value: number): number {
  let from = 0
  let to = sorted.length
  while (from < to) {
    const middle = (from + to) >> 1
    if (sorted[middle] < value) from = middle + 1
    else to = middle
  }
  return from
}
