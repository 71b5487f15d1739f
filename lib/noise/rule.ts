import { CLOSENESS, NEARNESS, shapeName, stepOf, wider } from '../compare/shape'
import type { Shape, ShapeName } from '../compare/shape'

export type NoiseKind = 'unordered' | 'tolerance' | 'format' | 'type' | 'presence' | 'optional' | 'ignore'

/** A rule by which pairs of one place match. */
export interface NoiseRule {
  readonly kind: NoiseKind
  readonly value: true | string
  /** Of `tolerance`: the step up to which. */
  readonly step: number
}

/**
 * Seconds that date-times may be apart in any case: as long as a copy may be behind its request, whatever the repeats
 * showed.
 */
const LEAST_CLOSENESS = 5

const NOT_TYPED: ReadonlySet<ShapeName> = new Set(['other', 'order', 'absent'])
const TEXTS: ReadonlySet<ShapeName> = new Set(['digits', 'date-time', 'date', 'uuid', 'ulid', 'url', 'opaque'])

/** The tightest rule by which all of them match. `ofHeader`: they are of a header, which has no type. */
export function tightest (shapes: Iterable<Shape>, ofHeader: boolean): NoiseRule {
  const widest = [...shapes].reduce(wider)
  const step = stepOf(widest)
  switch (shapeName(widest)) {
    case 'order': return rule('unordered')
    case 'absent': return rule('optional')
    case 'number': return near(step) ?? rule('type')
    case 'digits': return near(step) ?? rule('format', 'opaque')
    case 'date-time': return close(step) ?? rule('format', 'date-time')
    case 'type': return rule(ofHeader ? 'presence' : 'type')
    case 'other': return rule('ignore')
    default: return rule('format', shapeName(widest))
  }
}

function rule (kind: NoiseKind, value: true | string = true, step = -1): NoiseRule {
  return { kind, value, step }
}

/** With some room over the largest that was seen. */
function near (seen: number): NoiseRule | null {
  const step = seen + 1
  return step < NEARNESS.length ? rule('tolerance', `${decimal(NEARNESS[step] * 100)}%`, step) : null
}

function close (seen: number): NoiseRule | null {
  const step = Math.max(seen + 1, CLOSENESS.indexOf(LEAST_CLOSENESS))
  return step < CLOSENESS.length ? rule('tolerance', `${CLOSENESS[step]}s`, step) : null
}

/** Without an exponent. */
function decimal (value: number): string {
  return value.toFixed(9).replace(/\.?0+$/, '')
}

export function explains ({ kind, value, step }: NoiseRule, shape: Shape): boolean {
  const name = shapeName(shape)
  switch (kind) {
    case 'unordered': return name === 'order'
    case 'optional': return name === 'absent'
    case 'tolerance': return isOf(`${value}`, name) && stepOf(shape) <= step
    case 'format': return value === 'opaque' ? TEXTS.has(name) : value === name
    case 'type': return !NOT_TYPED.has(name)
    case 'presence': return name !== 'absent'
    default: return true
  }
}

function isOf (tolerance: string, name: ShapeName): boolean {
  return tolerance.endsWith('%') ? name === 'number' || name === 'digits' : name === 'date-time'
}

/** What is said of pairs that a rule explains. */
export function wordsOf ({ kind, value }: NoiseRule): string {
  switch (kind) {
    case 'unordered': return 'in another order'
    case 'optional': return 'there on one side alone, or null'
    case 'tolerance': return `at most ${value} apart`
    case 'format': return value === 'opaque' ? 'both text without spaces' : `both in the format ${value}`
    case 'type': return 'of the same type'
    case 'presence': return 'there on both sides'
    default: return 'anything'
  }
}
