import type { CompareRule, RuleFormat } from '../../../types/index'
import { readAt } from './at'
import type { At } from './at'
import { FORMATS, MAX_VALUE } from './formats'
import { fitsGlob, globFrom } from './glob'
import type { Glob } from './glob'
import { MAX_TEXT, compilePattern } from './pattern'
import { TOLERANCES, readTolerance } from './tolerance'

/** Says whether two texts are alike, of which each is short enough to be looked into. */
export type Likeness = (primary: string, shadow: string) => boolean

/** What a rule asks for. */
export type Kind =
  | Named<'ignore'> | Named<'optional'> | Named<'additions'> | Named<'only'> | Named<'type'> | Named<'presence'>
  /** `key`: of the elements; `null`: they belong together where they are equal. */
  | { readonly name: 'unordered', readonly key: string | null }
  /** `alike`: of numbers as they stand in JSON, and of the texts of strings. */
  | (Named<'tolerance'> | Named<'format'>) & { readonly alike: Likeness }

interface Named<Name extends string> {
  readonly name: Name
}

export type KindName = Kind['name']

/** A rule, ready to be used. */
export interface Rule {
  readonly at: At
  /** `null`: every one. */
  readonly endpoint: Glob | null
  readonly kind: Kind
}

/** What is wrong with a rule: at which of its keys, and what is allowed there. */
export interface RuleFault {
  readonly key: keyof CompareRule | null
  readonly allowed: string
}

export const KINDS: readonly KindName[] = [
  'ignore', 'unordered', 'tolerance', 'format', 'type', 'presence', 'optional', 'additions', 'only'
]

/** What can have an effect, by where a rule is for. Words begin with `an`: the first is always `ignore`. */
const EFFECTIVE: Readonly<Record<string, readonly KindName[]>> = {
  json: KINDS,
  header: ['ignore', 'unordered', 'tolerance', 'format', 'presence', 'optional', 'additions'],
  cookie: ['ignore', 'presence', 'optional', 'additions'],
  'cookie value': ['ignore', 'tolerance', 'format', 'presence'],
  'cookie attribute': ['ignore', 'tolerance', 'format', 'presence', 'optional', 'additions'],
  text: ['ignore']
}

/** A rule as it is given, each of whose values has the type that it should have; or what is wrong with it. */
export function readRule (given: CompareRule): Rule | RuleFault {
  const at = readAt(given.at)
  if (typeof at === 'string') return { key: 'at', allowed: at }
  const names = KINDS.filter(name => given[name] !== undefined)
  if (names.length !== 1) return { key: null, allowed: `a rule with exactly one of ${KINDS.join(', ')}` }
  const [name] = names
  const place = placeOf(at)
  const effective = EFFECTIVE[place]
  if (!effective.includes(name)) {
    return {
      key: name,
      allowed: `left out: for ${WHERE[place]} it has no effect, where a rule may be an ${effective.join(', ')}`
    }
  }
  if (name === 'only' && at.on === 'json' && at.path.length === 0) {
    return { key: 'only', allowed: 'left out: the whole document is compared anyway' }
  }
  const kind = readKind(name, given, at)
  if (typeof kind === 'string') return { key: name, allowed: kind }
  return { at, endpoint: given.endpoint === undefined ? null : globFrom(given.endpoint), kind }
}

const WHERE: Readonly<Record<string, string>> = {
  json: 'JSON',
  header: 'a header',
  cookie: 'a whole cookie',
  'cookie value': "a cookie's value",
  'cookie attribute': "a cookie's attribute",
  text: 'text that is found'
}

function placeOf (at: At): string {
  if (at.on !== 'cookie' || at.part === null) return at.on
  return at.part === 'value' ? 'cookie value' : 'cookie attribute'
}

/** As text: what it must be. */
function readKind (name: KindName, given: CompareRule, at: At): Kind | string {
  if (name === 'unordered') return readUnordered(given.unordered as true | string, at)
  if (name === 'tolerance') {
    const alike = readTolerance(given.tolerance as number | string)
    return alike === null ? TOLERANCES : { name, alike }
  }
  if (name === 'format') {
    const has = readFormat(given.format as RuleFormat | { pattern: string })
    return typeof has === 'string' ? has : { name, alike: (a, b) => isShort(a, b) && has(a) && has(b) }
  }
  return { name }
}

function readUnordered (given: true | string, { on }: At): Kind | string {
  if (given === true) return { name: 'unordered', key: null }
  return on === 'json' ? { name: 'unordered', key: given } : 'true: only elements of JSON have keys'
}

/** As text: what it must be. */
function readFormat (given: RuleFormat | { pattern: string }): ((text: string) => boolean) | string {
  if (typeof given === 'string') return FORMATS[given]
  const pattern = compilePattern(given.pattern)
  return typeof pattern === 'string'
    ? `an object whose pattern is ${pattern}`
    : text => text.length <= MAX_TEXT && pattern.matches(text)
}

function isShort (a: string, b: string): boolean {
  return a.length <= MAX_VALUE && b.length <= MAX_VALUE
}

/** Whether a rule is for an endpoint. */
export function isFor ({ endpoint }: Rule, name: string): boolean {
  return endpoint === null || fitsGlob(endpoint, name)
}
