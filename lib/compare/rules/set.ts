import type { CompareRule } from '../../../types/index'
import { ignoredHeaders } from '../headers'
import { ANY, pathOf } from './at'
import type { Segment } from './at'
import { fitsGlob, globFrom } from './glob'
import { HeaderRules } from './headers'
import { Origins } from './origins'
import { isFor, readRule } from './rule'
import type { Rule } from './rule'
import { StandingTable } from './table'
import type { JsonRule } from './table'
import { TextRules } from './text'

/** What answers are compared by. Plain data, and checked. */
export interface RuleOptions {
  readonly rules: readonly CompareRule[]
  readonly ignoreJsonFields: readonly string[]
  /** In lower case. */
  readonly ignoreHeaders: readonly string[]
  /** Of links: the primary's, each with the shadow's. */
  readonly origins: Readonly<Record<string, string>>
}

/** Endpoints whose rules are remembered; past that, it begins anew. */
const MAX_ENDPOINTS = 2000

/** The rules for one endpoint. */
export class RuleSet {
  readonly json: StandingTable
  readonly headers: HeaderRules
  readonly text: TextRules
  readonly #ofJson: readonly JsonRule[]
  readonly #origins: Origins | null
  /** By the number of levels. */
  readonly #below: StandingTable[] = []

  constructor (rules: readonly Rule[], fields: readonly JsonRule[], origins: Origins | null) {
    const ofJson = rules.flatMap(({ at, kind }) => at.on === 'json' ? [{ path: at.path, kind }] : [])
    this.#ofJson = [...fields, ...ofJson]
    this.#origins = origins
    this.json = new StandingTable(this.#ofJson, origins)
    this.headers = new HeaderRules(rules, origins)
    this.text = new TextRules(rules, origins)
  }

  /** Those for JSON, of documents that are so many keys or indices, whatever they are, below another one. */
  below (levels: number): StandingTable {
    const above = new Array<Segment>(levels).fill(ANY)
    this.#below[levels] ??= new StandingTable(
      this.#ofJson.map(({ path, kind }) => ({ path: [...above, ...path], kind })), this.#origins
    )
    return this.#below[levels]
  }
}

/** A mirror's rules, by endpoint. */
export class Rules {
  /** Whether some are not for every endpoint. */
  readonly byEndpoint: boolean
  /** Headers that are never compared, by their names. */
  readonly ignored: ReadonlySet<string>
  readonly #rules: readonly Rule[]
  readonly #fields: readonly JsonRule[]
  readonly #origins: Origins | null
  #byEndpoint = new Map<string, RuleSet>()
  /** By the numbers of the rules in it: most endpoints have the same. */
  #sets = new Map<string, RuleSet>()

  constructor ({ rules, ignoreHeaders, ignoreJsonFields, origins }: RuleOptions) {
    const given = rules.map(rule => readRule(rule) as Rule)
    const [spoken, silent] = split(ignoreHeaders, name => given.some(rule => isOfHeader(rule, name)))
    this.ignored = ignoredHeaders(silent)
    this.#rules = [...spoken.map(ignoreHeader), ...given]
    this.#fields = ignoreJsonFields.map(field => ({ path: pathOf(field), kind: { name: 'ignore' } }))
    const pairs = Object.entries(origins)
    this.#origins = pairs.length === 0 ? null : new Origins(pairs)
    this.byEndpoint = this.#rules.some(({ endpoint }) => endpoint !== null)
  }

  of (endpoint: string): RuleSet {
    const name = this.byEndpoint ? endpoint : ''
    const known = this.#byEndpoint.get(name)
    if (known !== undefined) return known
    if (this.#byEndpoint.size === MAX_ENDPOINTS) {
      this.#byEndpoint = new Map()
      this.#sets = new Map()
    }
    const set = this.#setFor(name)
    this.#byEndpoint.set(name, set)
    return set
  }

  #setFor (endpoint: string): RuleSet {
    const rules = this.#rules.filter(rule => isFor(rule, endpoint))
    const key = this.#rules.map(rule => rules.includes(rule) ? '1' : '0').join('')
    const known = this.#sets.get(key)
    if (known !== undefined) return known
    const set = new RuleSet(rules, this.#fields, this.#origins)
    this.#sets.set(key, set)
    return set
  }
}

/** Those of which it is true, and the others. */
function split (names: readonly string[], isTrue: (name: string) => boolean): [string[], string[]] {
  return [names.filter(isTrue), names.filter(name => !isTrue(name))]
}

/** Whether a rule may say otherwise of a header that is to be ignored. */
function isOfHeader ({ at }: Rule, name: string): boolean {
  return at.on === 'header' ? fitsGlob(at.name, name) : at.on === 'cookie' && name === 'set-cookie'
}

function ignoreHeader (name: string): Rule {
  return { at: { on: 'header', name: globFrom(name) }, endpoint: null, kind: { name: 'ignore' } }
}
