import fc from 'fast-check'
import t from 'tap'
import { diffJson } from '../../lib/compare/json/diff'
import type { JsonOutcome } from '../../lib/compare/json/diff'
import { atOnce } from '../../lib/steps'
import type { Tape } from '../../lib/compare/tape'
import { holds, same } from '../helpers/property'
import { ruleSet } from '../helpers/rules'

/** Values as JSON.parse gives them: objects may have an own `__proto__`. */
type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

const KEYS = ['a', 'b', '', '0', '~', '/', '~1', '__proto__', 'constructor', 'ключ', 'a"b\\', '\u2028', '\n', '\ud800', '💡']
const scalar = fc.oneof(
  fc.constantFrom<Json>(null, true, false, 0, -0, 1, -1, 1.5, 1e21, 1e-7, 9007199254740992, Number.MAX_VALUE, 5e-324, '', '1', 'null', 'a/b~', 'é'),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.string({ unit: 'binary', maxLength: 3 })
) as fc.Arbitrary<Json>

const { json } = fc.letrec<{ json: Json }>(tie => ({
  json: fc.oneof({ maxDepth: 4, withCrossShrink: true },
    scalar,
    fc.array(tie('json'), { maxLength: 3 }),
    fc.array(fc.tuple(fc.constantFrom(...KEYS), tie('json')), { maxLength: 4 }).map(entries => {
      const object: { [key: string]: Json } = {}
      for (const [key, value] of entries) Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true })
      return object
    }))
}))

/** What is left to the one who writes JSON: numbers' spelling, escapes, the order of keys, white space. */
const habits = fc.infiniteStream(fc.nat(5))

function write (value: Json, habit: () => number): string {
  const space = ['', '', ' ', '\n\t', '', ''][habit()]
  if (typeof value === 'number') return space + spell(value, habit()) + space
  if (typeof value === 'string') return space + quote(value, habit()) + space
  if (value === null || typeof value === 'boolean') return space + String(value) + space
  if (Array.isArray(value)) return `[${space}${value.map(item => write(item, habit)).join()}]`
  const entries = Object.entries(value).map(([key, item]) => `${quote(key, habit())}${space}:${write(item, habit)}`)
  if (habit() > 2) entries.reverse()
  return `{${space}${entries.join(',')}}${space}`
}

/** The same number: its shortest digits, with the point and the exponent elsewhere. */
function spell (value: number, habit: number): string {
  const plain = JSON.stringify(value)
  const [mantissa, exponent = '0'] = plain.split('e')
  const [whole, decimals = ''] = mantissa.split('.')
  switch (habit) {
    case 1: return value.toExponential()
    case 2: return `${whole}.${decimals}00E${Number(exponent)}`
    case 3: return `${BigInt(whole + decimals)}e${Number(exponent) - decimals.length}`
    case 4: return `${whole}.${decimals}0e${exponent}`
    default: return plain
  }
}

function quote (text: string, habit: number): string {
  if (habit < 3) return JSON.stringify(text)
  const units = Array.from({ length: text.length }, (_, i) => `\\u${text.charCodeAt(i).toString(16).padStart(4, '0')}`)
  return `"${units.join('')}"`
}

type Found = Array<[pointer: string, change: string]>

/** The differences of two parsed values, in the plainest of ways. */
function differences (a: Json, b: Json, pointer = ''): Found {
  if (Array.isArray(a) && Array.isArray(b)) {
    const { length } = a.length > b.length ? a : b
    return Array.from({ length }, (_, i) => child(a, b, String(i), pointer)).flat()
  }
  if (isObject(a) && isObject(b)) {
    const keys = new Set([...Object.keys(a), ...Object.keys(b)])
    return Array.from(keys, key => child(a, b, key, pointer)).flat()
  }
  return a === b ? [] : [[pointer, typeOf(a) === typeOf(b) ? 'changed' : 'type']]
}

function child (a: object, b: object, key: string, pointer: string): Found {
  const at = `${pointer}/${escaped(key)}`
  const [inA, inB] = [Object.hasOwn(a, key), Object.hasOwn(b, key)]
  if (!inA || !inB) return [[at, inA ? 'removed' : 'added']]
  return differences((a as Record<string, Json>)[key], (b as Record<string, Json>)[key], at)
}

function escaped (key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1')
}

function typeOf (value: Json): string {
  return value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value
}

function isObject (value: Json): value is { [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const open = { isSecret: () => false, json: (tape: Tape, node: number) => tape.source(node), text: (text: string) => text }

function diff (primary: string, shadow: string, ignored: string[] = []): JsonOutcome {
  return atOnce(diffJson(primary, shadow, { at: ruleSet({ ignoreJsonFields: ignored }).json.root, redactor: open }))
}

/** A pair that has much in common: the second is the first, with a few parts of a third in it. */
const pair = fc.tuple(json, json, fc.infiniteStream(fc.integer({ min: 0, max: 9 }))).map(([a, other, dice]): [Json, Json] => {
  const roll = () => dice.next().value
  return [a, mix(a, other, roll)]
})

function mix (a: Json, other: Json, roll: () => number): Json {
  if (roll() === 0) return other
  if (Array.isArray(a)) return roll() === 0 ? a.slice(1) : a.map(item => mix(item, other, roll))
  if (!isObject(a)) return a
  const entries = Object.entries(a).filter(() => roll() > 0).map(([key, item]) => `${JSON.stringify(key)}:${JSON.stringify(mix(item, other, roll))}`)
  if (roll() === 0) entries.push(`"added":${JSON.stringify(other)}`)
  return JSON.parse(`{${entries.join()}}`)
}

/** Places of no item, one in each array: where an index is named, items are compared by index. */
function byIndex (value: Json, pointer = ''): string[] {
  if (typeof value !== 'object' || value === null) return []
  const inner = Object.entries(value).flatMap(([key, item]) => byIndex(item, `${pointer}/${escaped(key)}`))
  return Array.isArray(value) ? [`${pointer}/99`, ...inner] : inner
}

t.test('two JSON documents', async t => {
  let listed = 0
  await holds(t, 'differ where their values do, however they are written', fc.property(pair, habits, ([a, b], habits) => {
    const habit = () => habits.next().value
    const [primary, shadow] = [write(a, habit), write(b, habit)]
    const wanted = differences(JSON.parse(primary), JSON.parse(shadow))
    same(diff(primary, shadow).kind, wanted.length === 0 ? 'equal' : 'different')
    const outcome = diff(primary, shadow, byIndex(a))
    if (wanted.length === 0) return same(outcome, { kind: 'equal' })
    if (outcome.kind !== 'different') throw new Error(`${outcome.kind}, wanted ${JSON.stringify(wanted)}`)

    const found = outcome.differences.map(({ pointer, change }): [string, string] => [pointer, change])
    const known = wanted.map(entry => JSON.stringify(entry))
    if (found.some(entry => !known.includes(JSON.stringify(entry)))) throw new Error(`found ${JSON.stringify(found)}, wanted ${known}`)
    // Of many alike a few are listed.
    same(outcome.truncated, found.length < wanted.length, 'truncated')
    if (!outcome.truncated) same(found.map(entry => JSON.stringify(entry)).sort(), known.sort())
    for (const { change, primary, shadow } of outcome.differences) {
      same([primary === undefined, shadow === undefined], [change === 'added', change === 'removed'], 'values')
    }
    if (found.length > 1) listed++
  }), 3000)
  t.ok(listed > 300, `${listed} differed in several places`)

  await holds(t, 'match once all that differs is ignored, and nothing is found twice', fc.property(pair, ([a, b]) => {
    const [primary, shadow] = [JSON.stringify(a), JSON.stringify(b)]
    const wanted = differences(a, b).map(([pointer]) => pointer)
    same(diff(primary, shadow, wanted), { kind: 'equal' })
    same(new Set(wanted).size, wanted.length)
  }), 1000)

  await holds(t, 'of which one is cut, or none, are not JSON', fc.property(json, json, fc.nat(), (a, b, cut) => {
    const whole = `[${JSON.stringify(a)}]`
    same(diff(whole.slice(0, cut % whole.length), JSON.stringify(b)), { kind: 'not json' })
    same(diff(JSON.stringify(b), whole + '}'), { kind: 'not json' })
  }), 500)

  const junk = fc.oneof(fc.string({ unit: fc.constantFrom(...'[]{},:"\\u0123eE+-. truefalsn'), maxLength: 12 }), fc.string({ unit: 'binary' }))
  await holds(t, 'are read as strictly as JSON.parse does', fc.property(junk, text => {
    let valid = true
    try { JSON.parse(text) } catch { valid = false }
    const outcome = diff(text, text)
    // A repeated key is JSON for JSON.parse.
    if ((outcome.kind !== 'not json') !== valid) throw new Error(`${JSON.stringify(text)}: ${outcome.kind}`)
  }), 3000)
})
