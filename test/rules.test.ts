import t from 'tap'
import { explains } from '../lib/compare/explain'
import { diffJson } from '../lib/compare/json/diff'
import { readRule } from '../lib/compare/rules/rule'
import { atOnce } from '../lib/steps'
import type { RuleOptions } from '../lib/compare/rules/set'
import type { CompareRule } from '../types/index'
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
