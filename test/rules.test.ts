import t from 'tap'
import { explains } from '../lib/compare/explain'
import { diffJson } from '../lib/compare/json/diff'
import { isWithin, isWithinPercent } from '../lib/compare/rules/within'
import { createRedactor } from '../lib/compare/redact'
import { readRule } from '../lib/compare/rules/rule'
import { atOnce } from '../lib/steps'
import { Rules } from '../lib/compare/rules/set'
import type { RuleOptions } from '../lib/compare/rules/set'
import type { CompareRule } from '../types/index'
import { read } from './helpers/pages'
import { ruleSet } from './helpers/rules'

const open = { isSecret: () => false, json: () => '', text: (text: string) => text }

/** What differs under rules, each as `change pointer`. */
function diff (primary: unknown, shadow: unknown, rules: CompareRule[], more: Partial<RuleOptions> = {}): string[] {
  const { json } = ruleSet({ rules, ...more })
  const outcome = atOnce(diffJson(jsonOf(primary), jsonOf(shadow), { at: json.root, redactor: open }))
  if (outcome.kind === 'equal') return []
  if (outcome.kind !== 'different') throw new Error(outcome.kind)
  return outcome.differences.map(({ change, pointer }) => `${change} ${pointer}`)
}

/** Text is JSON already. */
function jsonOf (value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

const A = { at: '/a' }
const UUID = '0b7c6e9e-8d0f-4d53-9d0f-3f1e6a5b4c3d'
const ULID = '01ARZ3NDEKTSV4RRFFQ69G5FAV'

t.test('each kind: what matches, and what still differs', async t => {
  const cases: Array<[rule: CompareRule, pairs: Array<[a: unknown, b: unknown, matches: boolean]>]> = [
    [{ ...A, ignore: true }, [[1, 2, true], [1, undefined, true], [undefined, { b: 1 }, true], [{ b: 1 }, [2], true]]],
    [{ ...A, tolerance: 0.01 }, [
      [1, 1.01, true], [1, 1.0101, false], [1, '1', false], ['1.00', '1.005', true], [-0.005, 0.005, true], [1, undefined, false],
      [1, null, false], ['x', 'y', false], [[1], [1.001], false], [{ b: 1 }, { b: 1.001 }, false], [true, false, false]
    ]],
    [{ ...A, tolerance: '1%' }, [[100, 101, true], [100, 101.01, false], [101, 100, true], [0, 0.001, false], [-100, -99, true]]],
    [{ ...A, tolerance: '2s' }, [
      ['2026-01-01T00:00:00Z', '2026-01-01T00:00:02.000Z', true], ['2026-01-01T00:00:00Z', '2026-01-01T00:00:02.001Z', false],
      ['2026-01-01T00:00:00Z', '2026-01-01T02:00:01+02:00', true], ['2026-01-01 00:00:00', '2026-01-01T00:00:01', true],
      ['1969-12-31T23:59:59.5-01:30', '1970-01-01T01:30:00Z', true],
      ['Sun, 06 Nov 1994 08:49:37 GMT', 'Sun, 06 Nov 1994 08:49:39 GMT', true], ['Sun, 99 Nov 1994 08:49:37 GMT', 'Sun, 06 Nov 1994 08:49:39 GMT', false],
      [1, 2, false], ['soon', 'later', false], ['2026-02-30T00:00:00Z', '2026-03-02T00:00:00Z', false],
      ['2026-01-01T25:00:00Z', '2026-01-02T01:00:00Z', false], ['2026-01-01T00:00:00+99:00', '2026-01-01T00:00:00Z', false],
      ['x'.repeat(10_000), 'y', false]
    ]],
    [{ ...A, format: 'uuid' }, [
      [UUID, UUID.toUpperCase(), true], [UUID, UUID.replace('0b', '1c'), true], [UUID, 'not-an-id', false], [UUID, undefined, false],
      [undefined, UUID, false], [UUID, null, false], [UUID, 7, false], ['null', 'undefined', false], [[UUID], [ULID], false]
    ]],
    [{ ...A, format: 'ulid' }, [[ULID, ULID.replace('V', 'W'), true], [ULID, `9${ULID.slice(1)}`, false], [ULID, `${ULID.slice(1)}U`, false]]],
    [{ ...A, format: 'date-time' }, [
      ['2026-01-01T00:00:00Z', '1999-12-31T23:59:60.123456789+01:00', true], ['2026-01-01T00:00:00Z', '2026-01-01', false],
      ['2026-01-01T00:00:00Z', '2026-13-01T00:00:00Z', false]
    ]],
    [{ ...A, format: 'date' }, [['2026-01-01', '2024-02-29', true], ['2026-01-01', '2026-02-29', false], ['2026-01-01', 'today', false]]],
    [{ ...A, format: 'url' }, [
      ['https://a.example/x?sig=1', 'https://a.example/x?sig=2', true], ['https://a.example/', '/x', false], ['https://a.example/', 'https://', false],
      ['https://a.example/', 'https://a b/', false], ['https://a.example/', 'http://[x/', false]
    ]],
    [{ ...A, format: 'opaque' }, [['eyJx', 'W/"abc"', true], ['abc', '', false], ['abc', 'a b', false], [1234, 5678, true], [1234, '5678', false], ['x', '\u0000', false]]],
    [{ ...A, format: { pattern: 'req-[0-9]+' } }, [['req-1', 'req-22', true], ['req-1', 'req-', false], ['req-1', 'a req-1', false], ['req-1', `req-${'1'.repeat(9000)}`, false], ['req-1', `req-${'1'.repeat(90_000)}`, false]]],
    [{ ...A, type: true }, [
      [1, 2.5, true], ['a', 'b', true], [true, false, true], [{ b: 1 }, { c: 2 }, true], [[1], ['a', 'b'], true], [1, '1', false], [null, 1, false],
      [{}, [], false], [1, undefined, false]
    ]],
    [{ ...A, presence: true }, [[1, 'x', true], [null, { b: 1 }, true], [{ b: 1 }, { b: 2 }, true], [1, undefined, false], [undefined, 1, false]]],
    [{ ...A, optional: true }, [
      [1, undefined, true], [undefined, 1, true], [null, undefined, true], [null, 1, true], [{ b: 1 }, null, true], [1, 2, false], [1, '1', false],
      [{ b: 1 }, { b: 2 }, false]
    ]],
    [{ at: '', additions: true }, [[undefined, 1, true], [1, undefined, false], [1, 2, false], [{ b: 1 }, { b: 1, c: 2 }, true], [[1], [1, 2], false], [[{}], [{ b: 1 }], true]]],
    [{ ...A, only: true }, [[1, 2, false], [1, undefined, false], [{ b: 1 }, { b: 2 }, false]]]
  ]
  for (const [rule, pairs] of cases) {
    for (const [a, b, matches] of pairs) {
      const name = JSON.stringify([rule, a, b]).slice(0, 150)
      t.equal(diff({ a, z: 1 }, { a: b, z: 1 }, [rule]).length === 0, matches, name)
      const [one, other] = [a, b].map(value => value === undefined ? undefined : JSON.stringify(value))
      if (rule.only === undefined && rule.additions === undefined) t.equal(explains(rule, one, other), matches, `explains ${name}`)
    }
  }
  t.notOk(explains({ at: '', tolerance: 'much' }, '1', '2'), 'what is no rule explains nothing')
  t.ok(explains({ at: '', additions: true }, undefined, '1'))
  t.notOk(explains({ at: '', additions: true }, '1', undefined))
  t.notOk(explains({ at: '', only: true }, '1', '2'))
  t.notOk('allowed' in readRule({ at: '/a', ignore: true }))
})

t.test('of the rest of the document nothing is explained', async t => {
  for (const rule of [{ ignore: true }, { type: true }, { presence: true }, { optional: true }, { tolerance: 5 }] as const) {
    t.same(diff({ a: 1, b: 1 }, { a: 2, b: 2 }, [{ ...A, ...rule }]).at(-1), 'changed /b')
  }
})

t.test('unordered arrays, and rules for what is in them', async t => {
  const set = { at: '/a', unordered: true } as const
  const id = { at: '/a/*/id', format: 'uuid' } as const
  const other = UUID.replace('0b', '1c')
  const cases: Array<[a: unknown[], b: unknown[], rules: CompareRule[], found: string[]]> = [
    [['x', 'y', 'z'], ['z', 'x', 'y'], [set], []],
    [['x', 'y', 'z'], ['z', 'x', 'y'], [], ['order /a']],
    [['x', 'x', 'y'], ['y', 'y', 'x'], [set], ['removed /a/1', 'added /a/1']],
    [[1, 2], [2], [set], ['removed /a/0']],
    [[{ n: 1 }, { n: 2 }], [{ n: 2 }, { n: 1 }], [set], []],
    [[{ n: 1, v: 1 }, { n: 2, v: 2 }], [{ n: 2, v: 3 }, { n: 1, v: 1 }], [{ at: '/a', unordered: 'n' }], ['changed /a/1/v']],
    [[{ n: 1, v: [1, 2] }, { n: 2, v: 2 }], [{ n: 2, v: 2 }, { n: 1, v: [2, 1] }], [set, { at: '/a/*/v', unordered: true }], []],
    [[{ id: UUID, n: 1 }, { id: other, n: 2 }], [{ id: other, n: 2 }, { id: UUID, n: 1 }], [set, id], []],
    [[{ id: UUID, n: 1 }, { id: UUID, n: 2 }], [{ id: other, n: 2 }, { id: other, n: 1 }], [set, id], []],
    [[{ id: UUID, n: 1 }, { id: UUID, n: 2 }], [{ id: 'no id', n: 2 }, { id: other, n: 1 }], [set, id], ['changed /a/1/id']],
    [[{ t: 1, n: 1 }, { t: 2, n: 2 }], [{ t: 3, n: 2 }, { t: 4, n: 1 }], [set, { at: '/a/*/t', ignore: true }], []],
    [[{ t: 1, n: 1 }, { n: 2 }], [{ t: null, n: 2 }, { n: 1 }], [set, { at: '/a/*/t', optional: true }], []],
    [[{ t: 1, n: 1 }, { t: 'x', n: 2 }], [{ t: {}, n: 2 }, { t: true, n: 1 }], [set, { at: '/a/*/t', presence: true }], []],
    [[{ t: {}, n: 1 }, { t: 'x', n: 2 }], [{ t: 'y', n: 2 }, { t: { b: 1 }, n: 1 }], [set, { at: '/a/*/t', type: true }], []],
    [[{ t: 1.01, n: 1 }, { t: 'x'.repeat(50_000), n: 2 }], [{ t: 'x'.repeat(50_000), n: 2 }, { t: 1.02, n: 1 }], [set, { at: '/a/*/t', tolerance: 0.1 }], []],
    [[1, 2, 3], [9, 2, 3], [{ at: '/a/0', ignore: true }], []],
    [[1, 2, 3], [2, 3], [{ at: '/a/0', ignore: true }], ['changed /a/1', 'removed /a/2']],
    [[1], [1, 2], [{ at: '/a/*', optional: true }], []],
    [[{ x: 1, y: 1 }, { x: 2, y: 2 }], [{ x: 2, y: 3 }, { x: 1, y: 4 }], [set, { at: '/a/*/x', only: true }], []]
  ]
  for (const [a, b, rules, found] of cases) t.same(diff({ a }, { a: b }, rules).sort(), found.sort(), JSON.stringify([rules, a, b]).slice(0, 200))
  const links = [{ next: 'https://a.example/1', n: 1 }, { next: 'https://a.example/2', n: 2 }]
  const shadows = links.map(link => ({ ...link, next: link.next.replace('https://a.', 'http://b.') })).reverse()
  const origins = { 'https://a.example': 'http://b.example' }
  t.same(diff({ a: links }, { a: shadows }, [set], { origins }), [])
  t.ok(explains(set, '[1,2]', '[2,1]'))
  t.notOk(explains(set, '[1,2]', '[2,2]'))
})

t.test('rules in their order', async t => {
  const cases: Array<[rules: CompareRule[], a: unknown, b: unknown, found: string[]]> = [
    // The last that fits wins.
    [[{ at: '/**', ignore: true }, { at: '/id', format: 'uuid' }], { id: UUID, x: 1 }, { id: 'y', x: 2 }, ['changed /id']],
    [[{ at: '/**', ignore: true }, { at: '/id', format: 'uuid' }], { id: UUID, x: 1 }, { x: 2 }, ['removed /id']],
    [[{ at: '/id', format: 'uuid' }, { at: '/**', ignore: true }], { id: UUID, x: 1 }, { id: 'y', x: 2 }, []],
    [[{ at: '/a', tolerance: 1 }, { at: '/*', tolerance: 0.1 }], { a: 1 }, { a: 2 }, ['changed /a']],
    [[{ at: '/*', tolerance: 0.1 }, { at: '/a', tolerance: 1 }], { a: 1 }, { a: 2 }, []],
    [[{ at: '/a', type: true }, { at: '/a/b', tolerance: 1 }], { a: { b: 1, c: 1 } }, { a: { b: 9, c: 9 } }, ['changed /a/b']],
    [[{ at: '/a/b', tolerance: 1 }, { at: '/a', type: true }], { a: { b: 1, c: 1 } }, { a: { b: 9, c: 9 } }, []],
    // Each question has its own last answer.
    [[{ at: '/a', optional: true }, { at: '/a', format: 'uuid' }], { a: UUID }, {}, []],
    [[{ at: '/a', format: 'uuid' }, { at: '', additions: true }], { a: UUID }, { a: UUID.replace('0', '1'), b: 1 }, []],
    [[{ at: '', additions: true }, { at: '/b', presence: true }], {}, { a: 1, b: 1 }, ['added /b']],
    [[{ at: '/b', presence: true }, { at: '', additions: true }], {}, { a: 1, b: 1 }, []],
    [[{ at: '', additions: true }, { at: '/a', ignore: true }, { at: '/a/b', type: true }], { a: { b: 1 } }, { a: { b: 2, c: 1 }, d: 1 }, []],
    // Only some places.
    [[{ at: '/a/b', only: true }], { a: { b: 1, c: 1 }, d: 1 }, { a: { b: 2, c: 2 } }, ['changed /a/b']],
    [[{ at: '/a/b', only: true }], { a: { b: 1, c: 1 } }, { d: 1 }, ['removed /a/b']],
    [[{ at: '/a/b', only: true }], { a: 1 }, { a: { b: 1 } }, ['added /a/b']],
    [[{ at: '/a/b', only: true }], { a: [1] }, { a: { b: 1 } }, ['type /a']],
    [[{ at: '/a/*/b', only: true }], { a: [{ b: 1 }, { b: 2 }] }, { a: null }, ['removed /a/0/b', 'removed /a/1/b']],
    [[{ at: '/a/*/b', only: true }], { a: null }, { a: [{ b: 1 }] }, ['added /a/0/b']],
    [[{ at: '/a', only: true }, { at: '/b', tolerance: 1 }], { a: 1, b: 1, c: 1 }, { a: 1, b: 3, c: 3 }, ['changed /b']],
    [[{ at: '/b', tolerance: 1 }, { at: '/a', only: true }], { a: 1, b: 1, c: 1 }, { a: 1, b: 3, c: 3 }, []],
    [[{ at: '/a/b', ignore: true }, { at: '/a', only: true }], { a: { b: 1, c: 1 } }, { a: { b: 2, c: 2 } }, ['changed /a/c']],
    [[{ at: '/a', only: true }, { at: '/a/b', ignore: true }], { a: { b: 1, c: 1 } }, { a: { b: 2, c: 2 } }, ['changed /a/c']],
    [[{ at: '/a', ignore: true }, { at: '/a/b', only: true }], { a: { b: 1, c: 1 } }, { a: { b: 2, c: 2 } }, ['changed /a/b']],
    // Any depth.
    [[{ at: '**.at', ignore: true }], { at: 1, x: { at: 1, y: [{ at: 1, z: 1 }] } }, { at: 2, x: { at: 2, y: [{ at: 2, z: 2 }] } }, ['changed /x/y/0/z']],
    [[{ at: '/x/**', ignore: true }], { x: { a: 1 } }, { x: 1 }, ['type /x']],
    [[{ at: '/x/**', ignore: true }], { x: { a: { b: 1 } }, y: 1 }, { x: { c: 1 }, y: 2 }, ['changed /y']],
    [[{ at: '/**/a/**/b', type: true }], { a: { b: 1 }, c: { a: { x: { b: 1 } } }, b: 1 }, { a: { b: 2 }, c: { a: { x: { b: 2 } } }, b: 2 }, ['changed /b']],
    [[{ at: '/~2~2/~2', ignore: true }], { '**': { '*': 1, a: 1 } }, { '**': { '*': 2, a: 2 } }, ['changed /**/a']],
    [[{ at: '', type: true }], { a: 1 }, { b: 1 }, []],
    [[{ at: '', ignore: true }], { a: 1 }, [], []]
  ]
  const masked = (found: string[]) => found.sort()
  for (const [rules, a, b, found] of cases) t.same(masked(diff(a, b, rules)), masked(found), JSON.stringify([rules, a, b]))
  t.same(diff({ a: 1, b: 1 }, { a: 2, b: 2 }, [{ at: '/a', type: true }], { ignoreJsonFields: ['a', 'b'] }), [], 'the short way stands before the rules')
  t.same(diff({ a: 1, b: 1 }, { a: '2', b: 2 }, [{ at: '/a', type: true }], { ignoreJsonFields: ['a', 'b'] }), ['type /a'])
})

t.test('what is on one side alone is masked as ever', async t => {
  const { json } = ruleSet({ rules: [{ at: '/a/*/*', only: true }] })
  for (const [a, b] of [['{"a":{"password":{"b":1},"x":{"name":"token","value":2}}}', '{}'], ['{}', '{"a":[["token","x"]]}']]) {
    const outcome = atOnce(diffJson(a, b, { at: json.root, redactor: createRedactor([]) }))
    t.match(JSON.stringify(outcome), /redacted/)
    t.notMatch(JSON.stringify(outcome), /:1}|"2"/)
  }
})

t.test('rules for endpoints', async t => {
  const rules: CompareRule[] = [{ ...A, ignore: true, endpoint: 'GET /users/*' }, { ...A, type: true, endpoint: '*/v*' }]
  const of = (endpoint: string) => ruleSet({ rules }, endpoint)
  const differs = (endpoint: string) => {
    return atOnce(diffJson('{"a":1}', '{"a":"x"}', { at: of(endpoint).json.root, redactor: open })).kind
  }
  for (const endpoint of ['GET /users/*', 'GET /users/me/v1']) t.equal(differs(endpoint), endpoint.endsWith('1') ? 'different' : 'equal', endpoint)
  for (const endpoint of ['GET /v1', 'GET /user', 'POST /users/*', '(other)']) t.equal(differs(endpoint), 'different', endpoint)
  const all = new Rules({ rules, ignoreHeaders: [], ignoreJsonFields: [], origins: {} })
  t.equal(all.of('GET /x'), all.of('GET /y'), 'what has the same rules has one set')
  const first = all.of('GET /users/1')
  for (let i = 0; i < 3000; i++) all.of(`GET /x/${i}`)
  t.not(all.of('GET /users/1'), first, 'and no more of them are remembered than so many')
})

t.test('hostile documents', async t => {
  const rules: CompareRule[] = [
    { at: '/**/a/**/b', type: true }, { at: '/**/b/**/a', ignore: true }, { at: '/**', tolerance: 1 }, { at: '**.c.*.*.*.*.*', format: { pattern: '(a+)+' } },
    ...Array.from({ length: 300 }, (_, i): CompareRule => ({ at: `/**/k${i}`, optional: true }))
  ]
  const set = ruleSet({ rules })
  const deep = (leaf: string) => {
    let text = leaf
    for (let i = 0; i < 200; i++) text = `{"${'abc'[(i * 7 + (i >> 3)) % 3]}":${text},"k${i}":1}`
    return text
  }
  const wide = (value: number) => JSON.stringify(Array.from({ length: 3000 }, (_, i) => ({ [`k${i % 300}`]: { [`k${(i * 7) % 300}`]: value + i } })))
  for (const [a, b] of [[deep('1'), deep('9')], [wide(0), wide(5)], [`{"c":"${'a'.repeat(1e6)}b"}`, `{"c":"${'a'.repeat(1e6)}c"}`]]) {
    const steps = diffJson(a, b, { at: set.json.root, redactor: open })
    let longest = 0
    for (let more = true; more;) {
      const begun = process.cpuUsage()
      more = steps.next().done !== true
      const { user, system } = process.cpuUsage(begun)
      longest = Math.max(longest, (user + system) / 1000)
    }
    t.ok(longest < 150, `${longest} ms at a stretch`)
  }
})

t.test('standings are as many as a document makes, and no more are remembered than so many', async t => {
  const steps = '/*'.repeat(12)
  const { json } = ruleSet({ rules: [{ at: `/**/a${steps}/x`, ignore: true }] })
  const { root } = json
  const ways = Array.from({ length: 2 ** 12 }, (_, way) => Array.from({ length: 12 }, (_, step) => 'ab'[(way >> step) & 1]))
  for (let round = 0; round < 2; round++) {
    for (const way of ways) {
      let at = json.root
      for (const key of ['a', ...way, 'x']) at = at.below(key)
      if (!at.free) return t.fail(way.join())
      at = json.root
      for (const key of ['b', ...way.slice(1), 'x']) at = at.below(key)
      if (at.free) return t.fail(way.join())
    }
  }
  t.not(json.root, root, 'it began anew')
})

t.test('text without links, and numbers that are too long to reckon with', async t => {
  const { text } = ruleSet({ rules: [{ at: 'text:\\d+', ignore: true }] })
  const lines = (digit: string) => `${digit} `.repeat(200).concat('\n').repeat(100)
  t.equal(atOnce(text.differ(lines('1'), lines('22'))), -1)
  t.equal(atOnce(text.differ('a\n1', 'a\n1b')), 3)
  t.equal(ruleSet().text.any, false)
  const long = '9'.repeat(2000)
  for (const [a, b, most] of [[long, '1', '1'], ['1', long, '1'], ['1', '2', long], ['1e9999999999999999', '1', '1']]) {
    t.notOk(isWithin(a, b, most))
    t.notOk(isWithinPercent(a, b, most))
  }
  t.notOk(isWithinPercent('1', '2', long))
  for (const [a, b, most, near] of [
    ['1e-5000', '1', '1', true], ['-1e-5000', '1', '1', false], ['0', '1', '1', true], ['1e999999999999', '0', '1', false], ['0', '0', '1', true]
  ] as const) {
    t.equal(isWithin(a, b, most), near)
    t.equal(isWithin(b, a, most), near)
  }
})

t.test('docs/rules: each rule makes match what it says, and nothing else', async t => {
  const rows = [...read('docs/rules.md').matchAll(/^\| `([{[].*?)` \| `(.*?)` \| `(.*?)` \| (match|differ) \|$/gm)]
  t.equal(rows.length, 26)
  for (const [row, given, primary, shadow, wanted] of rows) {
    const rules = [JSON.parse(given)].flat()
    for (const rule of rules) t.notOk('allowed' in readRule(rule), row)
    t.equal(diff(primary, shadow, rules).length === 0 ? 'match' : 'differ', wanted, row)
  }
})
