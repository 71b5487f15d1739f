import { NONE, sameText } from '../values'
import { byContent } from './labels'
import { byIdentity, byMember } from './identity'
import {
  Matching, always, fitsWithin, isPermutation, pairAnywhere, pairByIndex, pairInOrder, pairLeft
} from './matching'
import { ITEMS_A_STEP } from './part'
import type { Steps } from '../../../steps'
import type { Tape } from '../../tape'
import type { Labels, Part } from './part'

/** Items of either side that are brought together; where more differ, they are compared by index. */
const MAX_ITEMS = 20_000

/** How the items of two arrays belong together: those that have to be looked at. */
export interface Plan {
  /** All items. */
  readonly nodesA: readonly number[]
  readonly nodesB: readonly number[]
  /** Pairs of indices; `NONE`: that side has none. */
  readonly a: readonly number[]
  readonly b: readonly number[]
  /** Some stand in another order. */
  readonly order: boolean
  /** There were too many for anything else than pairs by index. */
  readonly tooMany: boolean
}

/** An array of one side. */
export interface Side extends Pick<Part, 'tape' | 'fingerprints' | 'at'> {
  readonly array: number
}

/**
 * How items are found to belong together. `true`: as a set, whatever their order. Text: as a set of objects with a key
 * of this name. `false`: in their order.
 */
export type Unordered = boolean | string

/**
 * Brings the items of two arrays together: by index where a rule names one. Else what stands alike at both ends is left
 * aside; the rest is the same by its id, where all items have one, or by all that it holds. Time and memory grow with
 * the items, and as n log n.
 */
export function * align (a: Side, b: Side, unordered: Unordered): Steps<Plan> {
  const nodesA = yield * itemsOf(a.tape, a.array)
  const nodesB = yield * itemsOf(b.tape, b.array)
  const shorter = Math.min(nodesA.length, nodesB.length)
  if (a.at.namesIndex) return byIndex(nodesA, nodesB)
  let index = 0
  while (index < shorter && sameText(a.tape, nodesA[index], b.tape, nodesB[index])) {
    if (++index % ITEMS_A_STEP === 0) yield
  }
  let behind = 0
  const most = shorter - index
  while (behind < most && sameText(a.tape, fromEnd(nodesA, behind), b.tape, fromEnd(nodesB, behind))) {
    if (++behind % ITEMS_A_STEP === 0) yield
  }
  const middle = new Middle(partOf(a, nodesA, index, behind), partOf(b, nodesB, index, behind), unordered)
  yield * middle.match()
  return { nodesA, nodesB, ...yield * middle.pairs(), order: middle.order, tooMany: middle.tooMany }
}

/** Of an array that one side alone has; `NONE`: the other's. */
export function * planOfOne (tapeA: Tape, a: number, tapeB: Tape, b: number): Steps<Plan> {
  const nodesA = a === NONE ? [] : yield * itemsOf(tapeA, a)
  const nodesB = b === NONE ? [] : yield * itemsOf(tapeB, b)
  return byIndex(nodesA, nodesB)
}

/** What is left of two arrays between what stands alike at both ends. */
class Middle {
  order = false
  tooMany = false
  readonly #a: Part
  readonly #b: Part
  readonly #unordered: Unordered
  readonly #matching: Matching

  constructor (a: Part, b: Part, unordered: Unordered) {
    this.#a = a
    this.#b = b
    this.#unordered = unordered
    this.#matching = new Matching(a.nodes.length, b.nodes.length)
  }

  * match (): Steps<void> {
    const [n, m] = [this.#a.nodes.length, this.#b.nodes.length]
    if (n === 0 || m === 0) return
    const whole = { fromA: 0, toA: n, fromB: 0, toB: m }
    this.tooMany = Math.max(n, m) > MAX_ITEMS
    if (this.tooMany) return pairLeft(this.#matching, whole)
    const named = yield * this.#byName()
    // One in the place of one: they belong together, whatever they hold.
    if (named === null && n === 1 && m === 1 && this.#unordered === false) return this.#matching.pair(0, 0)
    const labels = named ?? (yield * byContent(this.#a, this.#b))
    if (this.#unordered !== false) {
      yield * pairAnywhere(labels, this.#matching, always)
      // Of two scalars neither is the other, changed.
      if (named === null) pairLeft(this.#matching, whole, ...[this.#a, this.#b].map(containersOf))
      return
    }
    if (yield * isPermutation(labels)) {
      yield * pairAnywhere(labels, this.#matching, always)
      // Written in another way alone, they may stand in one order.
      this.order = this.#matching.a.some((b, a) => b !== a)
      return
    }
    if (n !== m && (yield * fitsWithin(labels, this.#matching))) return
    yield * this.#inOrder(labels)
    const anchors = this.#matching.a.slice()
    // A number that is there again is no sign of a move.
    this.order = yield * pairAnywhere(labels, this.#matching, at => !isPlain(this.#a, at))
    if (named !== null) return
    let fromA = 0
    let fromB = 0
    for (let at = 0; at <= n; at++) {
      if (at % ITEMS_A_STEP === ITEMS_A_STEP - 1) yield
      if (at < n && anchors[at] === -1) continue
      const toB = at === n ? m : anchors[at]
      pairLeft(this.#matching, { fromA, toA: at, fromB, toB })
      fromA = at + 1
      fromB = toB + 1
    }
  }

  * #byName (): Steps<Labels | null> {
    if (typeof this.#unordered === 'string') return yield * byMember(this.#a, this.#b, this.#unordered)
    return yield * byIdentity(this.#a, this.#b)
  }

  /** Where as many are alike at the same index as in any other order, nothing was put in or taken out. */
  * #inOrder (labels: Labels): Steps<void> {
    const { length } = labels.a
    if (length !== labels.b.length) {
      yield * pairInOrder(labels, this.#matching)
      return
    }
    const byIndex = new Matching(length, length)
    const atIndex = pairByIndex(labels, byIndex)
    const inOrder = yield * pairInOrder(labels, this.#matching)
    // Of numbers each that stands elsewhere may be there by chance, and must save two changes.
    const most = this.#isAllPlain() ? 2 * inOrder - length : inOrder
    if (atIndex < most) return
    this.#matching.a.set(byIndex.a)
    this.#matching.b.set(byIndex.b)
  }

  #isAllPlain (): boolean {
    for (let at = 0; at < this.#a.nodes.length; at++) {
      if (!isPlain(this.#a, at) || !isPlain(this.#b, at)) return false
    }
    return true
  }

  /** In the order of the primary's, with what only the shadow has before what follows it there. */
  * pairs (): Steps<{ a: number[], b: number[] }> {
    const { index } = this.#a
    const [ofA, ofB] = [this.#matching.a, this.#matching.b]
    const a: number[] = []
    const b: number[] = []
    let next = 0
    for (let at = 0; at <= ofA.length; at++) {
      if (at % ITEMS_A_STEP === ITEMS_A_STEP - 1) yield
      const to = at === ofA.length ? ofB.length : ofA[at]
      for (; next < to; next++) {
        if (ofB[next] !== -1) continue
        a.push(NONE)
        b.push(index + next)
      }
      if (at === ofA.length) break
      a.push(index + at)
      b.push(ofA[at] === -1 ? NONE : index + ofA[at])
    }
    return { a, b }
  }
}

function byIndex (nodesA: number[], nodesB: number[]): Plan {
  const length = Math.max(nodesA.length, nodesB.length)
  const a = Array.from({ length }, (_, at) => at < nodesA.length ? at : NONE)
  const b = Array.from({ length }, (_, at) => at < nodesB.length ? at : NONE)
  return { nodesA, nodesB, a, b, order: false, tooMany: false }
}

function * itemsOf (tape: Tape, array: number): Steps<number[]> {
  const items: number[] = []
  const end = tape.nexts[array]
  for (let node = array + 1; node < end; node = tape.nexts[node]) {
    if (items.push(node) % ITEMS_A_STEP === 0) yield
  }
  return items
}

function fromEnd (nodes: readonly number[], index: number): number {
  return nodes[nodes.length - 1 - index]
}

function partOf ({ tape, fingerprints, at }: Side, nodes: readonly number[], index: number, behind: number): Part {
  return { tape, fingerprints, at, nodes: nodes.slice(index, nodes.length - behind), index, whole: nodes.length }
}

function containersOf ({ tape, nodes }: Part): (at: number) => boolean {
  return at => '{['.includes(tape.kind(nodes[at]))
}

/** A number, `true`, `false` or `null`. */
function isPlain ({ tape, nodes }: Part, at: number): boolean {
  return !'{["'.includes(tape.kind(nodes[at]))
}
