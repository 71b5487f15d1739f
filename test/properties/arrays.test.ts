import fc from 'fast-check'
import t from 'tap'
import { align } from '../../lib/compare/json/arrays/align'
import { Fingerprints } from '../../lib/compare/json/arrays/fingerprint'
import { walk } from '../../lib/compare/json/walk'
import { readTape } from '../../lib/compare/tape'
import { atOnce } from '../../lib/steps'
import type { Plan, Side, Unordered } from '../../lib/compare/json/arrays/align'
import type { Level } from '../../lib/compare/json/level'
import type { Report } from '../../lib/compare/json/report'
import { holds, same } from '../helpers/property'
import { ruleSet } from '../helpers/rules'

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

/** All differences of two documents, as `kind pointer`; of a report the first few of a kind are listed. */
function found (a: Json, b: Json, ignored: string[] = []): string[] {
  const all: string[] = []
  const report = {
    full: false,
    add (levels: Level[], a: number, b: number, order: boolean) {
      const kind = order ? 'order' : a === -1 ? 'added' : b === -1 ? 'removed' : 'changed'
      all.push(`${kind} ${levels.map(({ segment }) => `/${segment}`).join('')}`)
      return false
    }
  }
  const tapes = [a, b].map(value => atOnce(readTape(JSON.stringify(value))))
  atOnce(walk(tapes[0], tapes[1], ruleSet({ ignoreJsonFields: ignored }).json.root, report as unknown as Report))
  return all
}

function sideOf (value: Json, fingerprints?: Fingerprints): Side {
  const tape = atOnce(readTape(JSON.stringify(value)))
  const own = fingerprints ?? new Fingerprints(tape)
  return { tape, array: 0, at: ruleSet().json.root, fingerprints: () => own }
}

/** Pairs of items that are looked at; those at both ends that are alike are left aside. */
function planOf (a: Json[], b: Json[], unordered: Unordered = false): Plan {
  return atOnce(align(sideOf(a), sideOf(b), unordered))
}

/** Items whose values are few, so that they are repeated. */
const few = fc.oneof(
  fc.constantFrom<Json>('x', 'y', 'z', { a: 1 }, { a: 2 }, { a: 1, b: [] }, ['x'], ['x', 'y'], [], {}),
  fc.constantFrom<Json>(1, 2, true, null)
)
const texts = fc.array(fc.constantFrom(...'abcdefghij'), { maxLength: 12 })
const seeds = fc.infiniteStream(fc.nat(1000))

/** Puts each of `more` somewhere into a list. */
function inserted (list: Json[], more: Json[], random: () => number): Json[] {
  const all = [...list]
  for (const item of more) all.splice(random() % (all.length + 1), 0, item)
  return all
}

function shuffled (list: Json[], random: () => number): Json[] {
  return inserted([], list, random)
}

/** Items that both lists have in one order, at most: the table of all beginnings. */
function common (a: Json[], b: Json[]): number {
  const [one, other] = [a, b].map(list => list.map(item => JSON.stringify(item)))
  let above = new Array<number>(other.length + 1).fill(0)
  for (const item of one) {
    const row = [0]
    other.forEach((text, i) => row.push(text === item ? above[i] + 1 : Math.max(above[i + 1], row[i])))
    above = row
  }
  return above[other.length]
}

/** Items that both lists have, in whatever order. */
function shared (a: Json[], b: Json[]): number {
  const left = b.map(item => JSON.stringify(item))
  return a.filter(item => {
    const at = left.indexOf(JSON.stringify(item))
    return at !== -1 && left.splice(at, 1)
  }).length
}

function countOf (differences: string[], kind: string): number {
  return differences.filter(difference => difference.startsWith(`${kind} `)).length
}

t.test('two arrays', async t => {
  const list = fc.array(few, { maxLength: 12 })

  await holds(t, 'of which one has more are told of as so many additions, or removals', fc.property(list, fc.array(few, { minLength: 1, maxLength: 5 }), seeds, (a, more, seeds) => {
    const b = inserted(a, more, () => seeds.next().value)
    const added = found(a, b)
    same([added.length, countOf(added, 'added')], [more.length, more.length], added.join())
    const removed = found(b, a)
    same([removed.length, countOf(removed, 'removed')], [more.length, more.length], removed.join())
    // Each where it is.
    same(added.map(difference => difference.slice('added '.length)).sort(), removed.map(difference => difference.slice('removed '.length)).sort())
  }), 2000)

  await holds(t, 'of one content differ in their order alone, or not at all', fc.property(list, seeds, (a, seeds) => {
    const b = shuffled(a, () => seeds.next().value)
    same(found(a, b), JSON.stringify(a) === JSON.stringify(b) ? [] : ['order '])
    same(found({ in: [a] }, { in: [b] }), JSON.stringify(a) === JSON.stringify(b) ? [] : ['order /in/0'])
  }), 2000)

  let moved = 0
  await holds(t, 'of texts have as much in common as there is', fc.property(texts, texts, (a, b) => {
    const differences = found(a, b)
    const [both, inOrder] = [shared(a, b), common(a, b)]
    const [added, removed, changed] = ['added', 'removed', 'changed'].map(kind => countOf(differences, kind))
    same([removed + changed, added + changed], [a.length - both, b.length - both], differences.join())
    same(differences.includes('order '), both > inOrder, differences.join())
    if (both > inOrder) moved++
  }), 3000)
  t.ok(moved > 500, `${moved} had moved`)

  await holds(t, 'differ where any value does, whatever they hold', fc.property(list, list, (a, b) => {
    same(found(a, b).length === 0, JSON.stringify(a) === JSON.stringify(b))
  }), 3000)

  await holds(t, 'have each item in one pair', fc.property(list, list, fc.constantFrom<Unordered>(false, true, 'a'), fc.boolean(), (a, b, unordered, collide) => {
    // Whoever finds values of one fingerprint gains nothing by it.
    const same1 = collide ? { read: function * () {}, of: () => 1 } as unknown as Fingerprints : undefined
    const plan = atOnce(align(sideOf(a, same1), sideOf(b, same1), unordered))
    for (const [list, indices] of [[a, plan.a], [b, plan.b]] as const) {
      const seen = indices.filter(index => index !== -1).sort((one, other) => one - other)
      const first = seen[0] ?? 0
      same(seen, seen.map((_, i) => first + i), 'indices')
      if (seen.length > list.length) throw new Error('one twice')
    }
    const aside = [a.length - plan.a.filter(index => index !== -1).length, b.length - plan.b.filter(index => index !== -1).length]
    same(aside[0], aside[1], 'left aside')
  }), 3000)
})

t.test('arrays that are sets', async t => {
  const list = fc.array(few, { maxLength: 12 })

  await holds(t, 'are equal whatever their order', fc.property(list, seeds, (a, seeds) => {
    const { a: ofA, b: ofB, order } = planOf(a, shuffled(a, () => seeds.next().value), true)
    same([order, ofA.includes(-1), ofB.includes(-1)], [false, false, false])
  }), 1000)

  await holds(t, 'have in common what both hold', fc.property(texts, texts, (a, b) => {
    const plan = planOf(a, b, true)
    const both = shared(a, b)
    same([countMissing(plan.b), countMissing(plan.a)], [a.length - both, b.length - both])
  }), 1000)
})

function countMissing (indices: readonly number[]): number {
  return indices.filter(index => index === -1).length
}

/** An object with an id, and two fields. */
interface Item { id: number, name: string, tags: string[], [key: string]: Json }

t.test('arrays of objects with ids', async t => {
  const edits = fc.record({
    count: fc.integer({ min: 1, max: 12 }),
    removed: fc.array(fc.nat(11), { maxLength: 3 }),
    changed: fc.array(fc.nat(11), { maxLength: 4 }),
    added: fc.integer({ min: 0, max: 4 }),
    shuffle: fc.boolean(),
    noise: fc.boolean(),
    idName: fc.constantFrom('id', '_id', 'orderId', 'order_id', 'uuid')
  })
  let hard = 0
  await holds(t, 'are told of by id: what was put in, taken out, changed and moved', fc.property(edits, seeds, (edits, seeds) => {
    const random = () => seeds.next().value
    const item = (id: number): Item => ({ id, name: `name ${id % 3}`, tags: ['a'] })
    const a = Array.from({ length: edits.count }, (_, i) => item(i + 1))
    const gone = new Set(edits.removed.filter(i => i < a.length).slice(0, Math.floor(a.length / 2)))
    const kept = a.filter((_, i) => !gone.has(i))
    const changed = new Set(edits.changed.filter(i => i < a.length && !gone.has(i)).map(i => a[i].id))
    const values = kept.map(one => changed.has(one.id) ? { ...one, name: 'another' } : one)
    const sorted = edits.shuffle ? shuffled(values, random) as Item[] : values
    const b = inserted(sorted, Array.from({ length: edits.added }, (_, i) => item(100 + i)), random) as Item[]

    const indexOf = new Map(a.map((one, i) => [one.id, i]))
    const wanted = [
      ...[...gone].map(i => `removed /${i}`),
      ...b.flatMap((one, i) => indexOf.has(one.id) ? [] : [`added /${i}`]),
      ...[...changed].map(id => `changed /${indexOf.get(id)}/name`),
      ...sorted.every((one, i) => i === 0 || sorted[i - 1].id < one.id) ? [] : ['order ']
    ]
    // What all have anew in each answer, and a rule leaves out, changes none of that.
    const written = (list: Item[]): Json[] => list.map(({ id, ...rest }) => (
      { ...edits.noise ? { at: random() } : {}, [edits.idName]: id, ...rest }
    ))
    const known = sorted.length > 0
    const differences = found(written(a), written(b), edits.noise ? ['/*/at'] : [])
    if (known) same(differences.sort(), wanted.sort())
    if (wanted.length > 2) hard++
  }), 3000)
  t.ok(hard > 1000, `${hard} differed in several ways`)
})
