import t from 'tap'
import { diffJson } from '../lib/compare/json/diff'
import { createRedactor } from '../lib/compare/redact'
import { shapeName, stepOf } from '../lib/compare/shape'
import { atOnce } from '../lib/steps'
import type { JsonOutcome } from '../lib/compare/json/diff'
import type { CompareRule } from '../types/index'
import { ruleSet } from './helpers/rules'

const redactor = createRedactor(['customer'])

function diff (primary: string, shadow: string, ignored: string[] = []): JsonOutcome {
  return atOnce(diffJson(primary, shadow, { at: ruleSet({ ignoreJsonFields: ignored }).json.root, redactor }))
}

/** Each difference as `change pointer`, and all that there are. */
function told (primary: unknown, shadow: unknown, ignored: string[] = []): string[] {
  const outcome = diff(JSON.stringify(primary), JSON.stringify(shadow), ignored)
  if (outcome.kind !== 'different') return [outcome.kind]
  return outcome.differences.map(({ change, pointer }) => `${change} ${pointer}`)
}

const item = (id: number, more = {}) => ({ id, name: `name ${id * 7}`, price: 10 + id, ...more })
const items = Array.from({ length: 20 }, (_, i) => item(100 + i))
const anonymous = items.map(({ name, price }) => ({ title: name, price }))

t.test('items of an array', async t => {
  const cheaper = items.map((one, i) => i === 3 ? { ...one, price: 1 } : one)
  const cases: Array<[what: string, primary: unknown, shadow: unknown, wanted: string[], ignored?: string[]]> = [
    ['one put in at the head', { items }, { items: [item(5), ...items] }, ['added /items/0']],
    ['one put in at the end', { items }, { items: [...items, item(5)] }, ['added /items/20']],
    ['one taken out', { items }, { items: items.filter((_, i) => i !== 7) }, ['removed /items/7']],
    ['one put in, and another one changed', { items }, { items: [item(5), ...cheaper] }, ['added /items/0', 'changed /items/3/price']],
    ['one changed', { items }, { items: cheaper }, ['changed /items/3/price']],
    ['one in the place of another', { items }, { items: items.with(3, item(5)) }, ['removed /items/3', 'added /items/3']],
    ['one moved', items, [...items.slice(1), items[0]], ['order ']],
    ['one moved and changed', items, [...items.slice(1), item(100, { price: 0 })], ['order ', 'changed /0/price']],
    ['all anew', [1, 2], [3, 4], ['changed /0', 'changed /1']],
    ['none on one side', [1, 2], [], ['removed /0', 'removed /1']],
    ['one of another type', ['a', 'b', 'c'], ['a', 1, 'c'], ['type /1']],
    ['in another order', { roles: ['a', 'b', 'c'] }, { roles: ['c', 'a', 'b'] }, ['order /roles']],
    ['in another order, of an item in another order', [[1, 2], [3, 4]], [[4, 3], [1, 2]], ['added /0', 'removed /1']],
    ['repeated, once more', ['a', 'a', 'b'], ['a', 'a', 'a', 'b'], ['added /2']],
    ['repeated, one taken out of the middle', ['p', 'a', 'b', 'a', 'c'], ['p', 'b', 'a', 'c'], ['removed /1']],
    ['numbers that change are no moves', [5, 7, 9, 5], [6, 5, 9, 7], ['changed /0', 'changed /1']],
    ['numbers in another order', [5, 7, 9, 5], [9, 5, 5, 7], ['order ']],
    ['a number put in', [1, 2, 3, 4], [0, 1, 2, 3, 4], ['added /0']],
    ['a number put in, and another one changed', [1, 2, 3, 4], [0, 1, 2, 9, 4], ['added /0', 'changed /2']],
    ['without ids, put in', anonymous, [{ title: 'x', price: 1 }, ...anonymous], ['added /0']],
    ['without ids, changed', anonymous, anonymous.with(4, { title: 'x', price: 1 }), ['changed /4/title', 'changed /4/price']],
    ['ids made anew for each answer', items, items.map((one, i) => ({ ...one, id: 9000 + i })), ['changed /0/id', 'changed /1/id']],
    ['ids that are repeated say nothing', [item(1), item(1), item(2)], [item(1), item(1, { price: 0 }), item(2)], ['changed /1/price']],
    ['ids that are no scalars say nothing', [{ id: [1] }, { id: [2] }], [{ id: [3] }, { id: [2] }], ['changed /0/id/0']],
    ['ids as long as texts say nothing', [{ id: 'x'.repeat(300) }, {}], [{ id: 'y'.repeat(300) }, { a: 1 }], ['changed /0/id', 'added /1/a']],
    ['a name may be changed', [{ name: 'a', x: 1 }, { name: 'b', x: 2 }], [{ name: 'a', x: 1 }, { name: 'c', x: 2 }], ['changed /1/name']],
    ['names tell items apart', [{ name: 'a', x: 1 }, { name: 'b', x: 2 }], [{ name: 'b', x: 3 }, { name: 'a', x: 4 }], ['order ', 'changed /0/x', 'changed /1/x']],
    ['an id that a rule leaves out says nothing', items, [...items.slice(1), items[0]].map((one, i) => ({ ...one, id: i })), ['order '], ['/*/id']],
    ['what a rule leaves out makes no difference', items.map(one => ({ ...one, at: 1 })), [item(5), ...items].map(one => ({ ...one, at: 2 })), ['added /0'], ['*.at']],
    ['without ids, neither', anonymous.map(one => ({ ...one, at: 1 })), anonymous.map(one => ({ ...one, at: 2 })).toReversed(), ['order '], ['*.at']],
    ['all left out', items, items.toReversed().slice(3), ['equal'], ['/*']],
    ['a rule that names an index has them by index', [1, 2, 3], [2, 3], ['changed /0', 'changed /1', 'removed /2'], ['/7']],
    ['and so it has where more are there', [2, 3], [1, 2, 3], ['changed /0', 'added /2'], ['/1']],
    ['one item of another kind', [...items, 'total'], ['total', ...items], ['order ']],
    ['in an array in an array', [[items]], [[[item(5), ...items]]], ['added /0/0/0']]
  ]
  for (const [what, primary, shadow, wanted, ignored] of cases) t.same(told(primary, shadow, ignored), wanted, what)
  t.same(diff('[{"id":1,"a":1},{"id":2}]', '[{"a":2,"id":2.0},{"\\u0069d":1.0,"a":1e0}]').kind, 'different', 'ids are values')
  const escaped = diff('[{"id":"\\u0061","x":1},{"id":"b","x":1},{"id":1,"x":1}]', '[{"id":1e0,"x":1},{"id":"c","x":1},{"id":"a","x":2},{"id":"b","x":1}]')
  t.same(escaped.kind === 'different' && escaped.places.keys, ['order ', 'added /*', 'changed /*/x'], 'however they are written')
})

t.test('that stand in another order', async t => {
  const outcome = diff('{"roles":["a","b"]}', '{"roles":["b","a"]}')
  t.match(outcome, {
    differences: [{ pointer: '/roles', change: 'order', primary: '["a","b"]', shadow: '["b","a"]' }],
    places: { keys: ['order /roles'], firsts: [0] }
  })

  t.test('are not told of where they are secret', async t => {
    const outcome = diff('{"password":["CANARY1","CANARY2"],"x":1}', '{"password":["CANARY2","CANARY1"],"x":2}')
    t.notMatch(JSON.stringify(outcome), /CANARY/)
    t.match(outcome, { places: { keys: ['changed /password', 'changed /x'] } })
    const deeper = diff('{"customer":{"a":[["CANARY1"],["CANARY2"]]}}', '{"customer":{"a":[["CANARY2"],["CANARY1"]]}}')
    t.notMatch(JSON.stringify(deeper), /CANARY/)
    t.match(deeper, { places: { keys: ['changed /customer'] } })
  })

  t.test('behind a name of a secret neither', async t => {
    const outcome = diff('["x",["password","CANARY1"]]', '[["password","CANARY2"]]')
    t.notMatch(JSON.stringify(outcome), /CANARY/)
  })
})

t.test('rules for what items hold', async t => {
  const byRules = (primary: unknown, shadow: unknown, ...rules: CompareRule[]): string[] => {
    const at = ruleSet({ rules }).json.root
    const outcome = atOnce(diffJson(JSON.stringify(primary), JSON.stringify(shadow), { at, redactor }))
    return outcome.kind === 'different' ? outcome.differences.map(({ change, pointer }) => `${change} ${pointer}`) : [outcome.kind]
  }
  const one = { title: 'a', at: '2026-11-28T03:00:00Z', price: 1, trace: '5a1c6f8e-3c0b-4a53-8d1e-0c2b7f7d9a01' }
  const same = { ...one, at: '2026-11-28T03:00:01Z', price: 1.001, trace: '0d9f3f0e-7a7c-4e9a-9c0f-1b1e5a6d7c02' }
  const more = { title: 'x', at: one.at, price: 7, trace: one.trace }
  const list = ['a', 'b', 'c'].map(title => ({ ...one, title }))
  const other = ['a', 'b', 'c'].map(title => ({ ...same, title }))
  const rules: CompareRule[] = [{ at: '/*/at', tolerance: '2s' }, { at: '/*/price', tolerance: 0.01 }, { at: '/*/trace', format: 'uuid' }]
  const cases: Array<[what: string, primary: unknown, shadow: unknown, wanted: string[], rules: CompareRule[]]> = [
    ['nothing', list, other, ['equal'], rules],
    ['one put in', list, [more, ...other], ['added /0'], rules],
    ['one taken out', list, other.slice(1), ['removed /0'], rules],
    ['another order', list, other.toReversed(), ['order '], rules],
    ['one too far away', list, other.with(1, { ...other[1], price: 2 }), ['changed /1/price'], rules],
    ['one too far away, in another order', list, [other[2], { ...other[1], price: 2 }, other[0]], ['order ', 'changed /1/price'], rules],
    ['one of another format', list, other.with(0, { ...other[0], trace: 'x' }), ['changed /0/trace'], rules],
    ['one put in, where types alone count', [[1, 'a'], [2, 'b']], [[9, 'x'], [3, 'a'], [4, 'b']], ['added /0'], [{ at: '/*/0', type: true }]],
    ['one put in, where a field may be missing', [{ a: 1, b: 1 }, { a: 2, b: 1 }], [{ a: 0 }, { a: 1 }, { a: 2, b: null }], ['added /0'], [{ at: '/*/b', optional: true }]],
    ['sets', ['a', 'b', 'c'], ['c', 'a', 'b'], ['equal'], [{ at: '', unordered: true }]],
    ['sets of which one has another item', ['a', 'b', 'c'], ['d', 'a', 'b'], ['added /0', 'removed /2'], [{ at: '', unordered: true }]],
    ['sets of repeated items', ['a', 'a', 'b'], ['b', 'a', 'b'], ['removed /0', 'added /0'], [{ at: '', unordered: true }]],
    ['sets of objects', list, other.toReversed(), ['equal'], [...rules, { at: '', unordered: true }]],
    ['sets of objects of which one has changed', [{ a: 1, b: 1 }, { a: 2, b: 1 }], [{ a: 2, b: 1 }, { a: 1, b: 2 }], ['changed /0/b'], [{ at: '', unordered: true }]],
    ['sets in items', [{ a: [1, 2] }, { a: [3, 4] }], [{ a: [5] }, { a: [2, 1] }, { a: [4, 3] }], ['added /0'], [{ at: '/*/a', unordered: true }]],
    ['objects by a key', [{ sku: 'a', n: 1 }, { sku: 'b', n: 1 }], [{ sku: 'b', n: 2 }, { sku: 'c', n: 1 }], ['removed /0', 'changed /1/n', 'added /1'], [{ at: '', unordered: 'sku' }]],
    ['objects without that key', [{ n: 1 }, { n: 2 }], [{ n: 2 }, { n: 1 }], ['equal'], [{ at: '', unordered: 'sku' }]],
    ['objects by a key that is repeated', [{ sku: 'a', n: 1 }, { sku: 'a', n: 2 }], [{ sku: 'a', n: 2 }, { sku: 'a', n: 1 }], ['equal'], [{ at: '', unordered: 'sku' }]],
    ['one field alone, on one side', { list: [{ a: 1, b: 1 }] }, {}, ['removed /list/0/a'], [{ at: '/list/*/a', only: true }]],
    ['one field alone, on the other', {}, { list: [{ a: 1, b: 1 }] }, ['added /list/0/a'], [{ at: '/list/*/a', only: true }]]
  ]
  for (const [what, primary, shadow, wanted, rules] of cases) t.same(byRules(primary, shadow, ...rules), wanted, what)
})

/** Places where the work could have been put off, which grow as the work does. */
function stepsOf (primary: unknown, shadow: unknown): number {
  const steps = diffJson(JSON.stringify(primary), JSON.stringify(shadow), { at: ruleSet().json.root, redactor })
  let count = 0
  while (steps.next().done !== true) count++
  return count
}

t.test('very many items, whatever they are, take a time that grows as they do', async t => {
  const make = <Item>(length: number, item: (i: number) => Item) => Array.from({ length }, (_, i) => item(i))
  const hostile: Record<string, (n: number) => [unknown, unknown]> = {
    'all equal': n => [make(n, () => ({ a: 1 })), make(n + 1, () => ({ a: 1 }))],
    'all equal but for the ends': n => [['a', ...make(n, () => 'x'), 'b'], ['c', ...make(n + 5, () => 'x'), 'd', 'e']],
    'all different': n => [make(n, i => `a${i}`), make(n, i => `b${i}`)],
    reversed: n => [make(n, i => ({ a: i })), make(n, i => ({ a: n - i }))],
    'reversed, with ids': n => [make(n, i => ({ id: i, a: 1 })), make(n, i => ({ id: n - i, a: 2 }))],
    'few values, each repeated': n => [make(n, i => `a${i * 7919 % 5}`), make(n + 9, i => `a${i * 104729 % 7}`)],
    'halves that changed places': n => [[0, ...make(n, i => i < n / 2 ? 'x' : 'y')], [...make(n, i => i < n / 2 ? 'y' : 'x'), 1, 2]],
    'each one twice': n => [make(n, i => `a${i >> 1}`), make(n, i => `a${(n - i) >> 1}`)],
    'ids repeated at the end alone': n => [make(n, i => ({ id: i, uuid: i, code: i, slug: i })), make(n, i => ({ id: Math.min(i + 1, n - 2), uuid: 1, code: 1, slug: 1 }))],
    'arrays in arrays': n => [make(100, i => make(n / 100, j => i + j)), make(101, i => make(n / 100, j => i - j))]
  }
  for (const [what, of] of Object.entries(hostile)) {
    const [some, more] = [2500, 10_000].map(n => stepsOf(...of(n)))
    t.ok(more > 50 && more < some * 6, `${what}: ${some} steps, of four times as many items ${more}`)
  }
})

t.test('past 20,000 that differ or stand elsewhere, items are compared by index, which is said', async t => {
  const numbers = Array.from({ length: 20_001 }, (_, i) => i)
  t.match(diff(JSON.stringify(numbers), JSON.stringify(numbers.map(n => n + 1))), { byIndex: true, places: { keys: ['changed /*'] } })
  t.match(diff(JSON.stringify(numbers.slice(1)), JSON.stringify(numbers.slice(1).toReversed())), { byIndex: false, places: { keys: ['order '] } })
  // What stands alike at both ends does not count.
  t.match(diff(JSON.stringify(numbers), JSON.stringify([-1, ...numbers])), { byIndex: false, places: { keys: ['added /*'] } })
})

t.test('long texts are told apart by their ends and their length, and compared as a whole', async t => {
  const [one, other, third] = ['a', 'b', 'c'].map(letter => `"${'x'.repeat(10_000)}${letter}${'x'.repeat(10_000)}"`)
  const outcome = diff(`[${one},1,${other}]`, `[${third},1,${one}]`)
  t.equal(outcome.kind, 'different')
  t.equal(diff(`[${one},1,${other}]`, `[${one}, 1,${other}]`).kind, 'equal')
})

t.test('what differences at one place look like together', async t => {
  const looks = (primary: string, shadow: string) => {
    const outcome = atOnce(diffJson(primary, shadow, { at: ruleSet({}).json.root, redactor, shapes: true }))
    if (outcome.kind !== 'different') throw new Error(`the outcome is ${outcome.kind}`)
    const { keys, shapes = [] } = outcome.places
    return { keys, shapes: shapes.map(shapeName), steps: shapes.map(stepOf) }
  }
  const many = (digit: number, count: number) => JSON.stringify(Array.from({ length: count }, () => digit))
  const cases: Array<[what: string, primary: string, shadow: string, keys: string[], shapes: string[]]> = [
    ['alike', '[1,2]', '[3,4]', ['changed /*'], ['number']],
    ['not alike', '[1,"2026-01-01"]', '[3,"2026-01-02"]', ['changed /*'], ['other']],
    ['of two places', '{"a":"x","b":1}', '{"a":"y","b":2}', ['changed /a', 'changed /b'], ['opaque', 'number']],
    ['in another order', '["a","b"]', '["b","a"]', ['order '], ['order']],
    ['on one side alone', '{"a":1}', '{}', ['removed /a'], ['absent']],
    ['nothing', '{"a":null}', '{"a":1}', ['type /a'], ['absent']],
    ['of another type', '{"a":"1"}', '{"a":1}', ['type /a'], ['other']],
    ['neither text nor number', '{"a":true}', '{"a":false}', ['changed /a'], ['type']],
    ['within a secret', '{"customer":{"a":1}}', '{"customer":{"a":2}}', ['changed /customer'], ['other']],
    ['as many as are looked at', many(1, 500), many(2, 500), ['changed /*'], ['number']],
    ['one more than are looked at', many(1, 501), many(2, 501), ['changed /*'], ['other']],
    ['as long as is looked at', '1'.repeat(1024), '2'.repeat(1024), ['changed '], ['number']],
    ['longer than is looked at', '1'.repeat(1025), '2'.repeat(1025), ['changed '], ['type']]
  ]
  for (const [what, primary, shadow, keys, shapes] of cases) t.match(looks(primary, shadow), { keys, shapes }, what)
  t.ok(looks('[1,1]', '[1.1,2]').steps[0] > looks('[1,1]', '[1.1,1.1]').steps[0], 'the farthest apart counts')

  // The names of all places together are longer than what is kept of them.
  const deep = (i: number, value: number) => Array.from({ length: 9 }, () => `word${'abcdefghij'[i % 10]}`.repeat(8))
    .reduceRight<unknown>((inner, name) => ({ [name]: inner }), value)
  const long = (value: number) => JSON.stringify(Object.fromEntries(
    Array.from({ length: 100 }, (_, i) => [`k${'abcdefghij'[i % 10]}${'abcdefghij'[Math.floor(i / 10)]}`, deep(i, value)])
  ))
  const { keys, shapes } = looks(long(1), long(2))
  t.ok(keys.length > 0 && keys.length < 100, `${keys.length} places`)
  t.equal(shapes.length, keys.length, 'a place that is not kept has no look')
})
