import fc from 'fast-check'
import t from 'tap'
import { diffJson } from '../../lib/compare/json/diff'
import { isWithin, isWithinPercent } from '../../lib/compare/rules/within'
import { atOnce } from '../../lib/steps'
import { holds, same } from '../helpers/property'
import { ruleSet } from '../helpers/rules'
import type { CompareRule } from '../../types/index'

type Json = null | boolean | number | string | { [key: string]: Json }

const UUIDS = ['0b7c6e9e-8d0f-4d53-9d0f-3f1e6a5b4c3d', '1b7c6e9e-8d0f-4d53-9d0f-3f1e6a5b4c3d']
const scalar = fc.constantFrom<Json>(null, true, 0, 1, 2, 9, 'x', 'y', ...UUIDS)
const key = fc.constantFrom('a', 'b', 'c')

const { json } = fc.letrec<{ json: Json }>(tie => ({
  json: fc.oneof({ maxDepth: 4, withCrossShrink: true, depthSize: 'large' }, scalar, fc.dictionary(key, tie('json'), { maxKeys: 3 }) as fc.Arbitrary<Json>)
}))

const kinds: Array<Omit<CompareRule, 'at'>> = [
  { ignore: true }, { type: true }, { presence: true }, { optional: true }, { additions: true }, { only: true }, { tolerance: 1 }, { format: 'uuid' }
]
const rule = fc.tuple(fc.array(fc.constantFrom('a', 'b', 'c', '*', '**'), { maxLength: 3 }), fc.constantFrom(...kinds))
  .filter(([path, kind]) => path.length > 0 || kind.only === undefined)
  .map(([path, kind]): CompareRule => ({ at: path.map(segment => `/${segment}`).join(''), ...kind }))

/** Whether a path fits a pattern. */
function fits (pattern: string[], path: string[]): boolean {
  if (pattern.length === 0) return path.length === 0
  const [first, ...rest] = pattern
  if (first === '**') {
    // At the end it is one key at least, elsewhere any number.
    if (rest.every(segment => segment === '**')) return path.length > 0
    return fits(rest, path) || (path.length > 0 && fits(pattern, path.slice(1)))
  }
  return path.length > 0 && (first === '*' || first === path[0]) && fits(rest, path.slice(1))
}

interface Below { floor: number, free: boolean, selected: boolean, adding: number }

interface Found extends Below { optional: boolean, addable: boolean, value: CompareRule | null, below: Below }

/** What rules say of a place, one after the other, from the document down to it. */
function answersAt (rules: CompareRule[], path: string[]): Found {
  const first = rules.findIndex(({ only }) => only)
  const above = path.length === 0 ? { floor: 0, free: false, selected: first === -1, adding: -1 } : answersAt(rules, path.slice(0, -1)).below
  const found: Found = { ...above, optional: false, addable: above.adding !== -1, value: null, below: above }
  let valueBy = -1
  for (const [index, rule] of rules.entries()) {
    if (!fits(rule.at.split('/').slice(1), path) || index < found.floor) continue
    if (rule.ignore) {
      Object.assign(found, { floor: index + 1, free: true, adding: -1, optional: false, addable: false, value: null })
      continue
    }
    found.free = false
    if (first !== -1 && index >= first) found.selected = true
    if (rule.only) found.floor = 0
    else if (rule.additions) found.adding = index
    else if (rule.optional) found.optional = true
    else {
      found.value = rule
      valueBy = index
    }
    if (rule.optional || rule.presence) found.addable = above.adding > index
    if (rule.presence) found.optional = false
  }
  const { floor, free, selected, adding, value } = found
  const opaque = value?.type === true || value?.presence === true
  found.below = { floor: opaque ? Math.max(floor, valueBy + 1) : floor, free: free || opaque, selected, adding }
  return found
}

function differences (rules: CompareRule[], a: Json | undefined, b: Json | undefined, path: string[] = []): string[] {
  const at = answersAt(rules, path)
  const where = path.map(segment => `/${segment}`).join('')
  const free = at.free || !at.selected
  if (!isObject(a) || !isObject(b)) {
    if (free) return [...inside(a, undefined), ...inside(undefined, b)]
    if (a === undefined || b === undefined) {
      if (at.optional || (at.addable && a === undefined)) return []
      return [`${a === undefined ? 'added' : 'removed'} ${where}`]
    }
    if (a === b) return []
    if (at.value?.presence || (at.optional && (a === null || b === null))) {
      return at.below.free || !at.below.selected ? [...inside(a, undefined), ...inside(undefined, b)] : []
    }
    if (typeOf(a) !== typeOf(b)) return [`type ${where}`]
    if (at.value?.type) return []
    if (at.value?.tolerance !== undefined && typeof a === 'number' && Math.abs(a - (b as number)) <= 1) return []
    if (at.value?.format !== undefined && [a, b].every(value => UUIDS.includes(value as string))) return []
    return [`changed ${where}`]
  }
  return inside(a, b)

  function inside (a: Json | undefined, b: Json | undefined): string[] {
    const [one, other] = [a, b].map(value => isObject(value) ? value : {})
    const keys = new Set([...Object.keys(one), ...Object.keys(other)])
    return [...keys].flatMap(key => differences(rules, one[key], other[key], [...path, key]))
  }
}

function isObject (value: Json | undefined): value is { [key: string]: Json } {
  return typeof value === 'object' && value !== null
}

function typeOf (value: Json): string {
  return value === null ? 'null' : typeof value
}

const open = { isSecret: () => false, json: () => '', text: (text: string) => text }

t.test('two documents under rules', async t => {
  const counted = { matched: 0, differed: 0 }
  await holds(t, 'differ where a plain reading of the rules says so', fc.property(json, json, fc.array(rule, { maxLength: 5 }), (a, b, rules) => {
    const wanted = differences(rules, a, b).sort()
    const { json: table } = ruleSet({ rules })
    for (let times = 0; times < 2; times++) {
      const outcome = atOnce(diffJson(JSON.stringify(a), JSON.stringify(b), { at: table.root, redactor: open }))
      const found = outcome.kind === 'different' ? outcome.differences.map(({ change, pointer }) => `${change} ${pointer}`) : []
      same(found.sort(), wanted, JSON.stringify([a, b, rules]))
    }
    counted[wanted.length === 0 ? 'matched' : 'differed']++
  }), 20_000)
  t.ok(Math.min(counted.matched, counted.differed) > 2000, JSON.stringify(counted))
})

t.test('two numbers', async t => {
  const digits = fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n })
  const decimal = fc.tuple(fc.oneof(digits, fc.bigInt({ min: -20n, max: 20n })), fc.oneof(fc.integer({ min: -40, max: 40 }), fc.integer({ min: -3, max: 3 })))
  const write = ([value, exponent]: [bigint, number]) => `${value}e${exponent}`
  const scale = ([value, exponent]: [bigint, number]) => value * 10n ** BigInt(exponent + 100)
  const size = (value: bigint) => value < 0n ? -value : value
  await holds(t, 'are near each other by exact reckoning', fc.property(decimal, decimal, decimal, (a, b, most) => {
    if (most[0] === 0n) return
    const allowed: [bigint, number] = [size(most[0]), most[1]]
    same(isWithin(write(a), write(b), write(allowed)), size(scale(a) - scale(b)) <= scale(allowed), `${write(a)} ${write(b)} ${write(allowed)}`)
    const percent = size(scale(a) - scale(b)) * 100n * 10n ** 100n <= size(scale(a)) * scale(allowed)
    same(isWithinPercent(write(a), write(b), write(allowed)), percent, `${write(a)} ${write(b)} ${write(allowed)} %`)
  }), 20_000)
})
