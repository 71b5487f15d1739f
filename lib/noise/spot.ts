import { hash } from 'node:crypto'
import type { Shape } from '../compare/shape'
import { explains, tightest } from './rule'
import type { NoiseRule } from './rule'
import { isClearlyMore } from './bounds'

/** Repeats that must differ at a place before anything is proposed. */
const LEAST = 3
/** Examples of a place, and characters of a value in one. */
const MAX_EXAMPLES = 3
/** By so much counts must have grown before rates are compared again. */
const GROWTH = 1.25

/** Two values of one version that differ, masked, as JSON or a header has them; `null`: there is none. */
export interface NoiseExample {
  readonly first: string | null
  readonly second: string | null
}

/** How often pairs differed at a place, by what they look like. */
export class Tally {
  count = 0
  /** There are no more of them than shapes. */
  readonly #byShape = new Map<Shape, number>()

  add (shape: Shape): void {
    this.count++
    this.#byShape.set(shape, (this.#byShape.get(shape) ?? 0) + 1)
  }

  get shapes (): Iterable<Shape> {
    return this.#byShape.keys()
  }

  /** Those that would match by a rule. */
  explainedBy (rule: NoiseRule): number {
    let explained = 0
    for (const [shape, count] of this.#byShape) if (explains(rule, shape)) explained += count
    return explained
  }
}

/** How many pairs there were, whether they differed or not. */
export interface Pairs {
  /** Of one version, those that a cache gave among them. */
  readonly within: number
  /** Of the two versions. */
  readonly between: number
}

/** Where the answers of one endpoint differ: within one version, and between the two. */
export class Spot {
  readonly where: string
  readonly within = new Tally()
  readonly between = new Tally()
  readonly examples: NoiseExample[] = []
  /** What is proposed here; `null`: nothing. */
  standing: NoiseRule | null = null
  /** Whether it is the document as a whole, of which no more is proposed than that its order says nothing. */
  readonly ofWhole: boolean
  /** Whether a rule could be made for this place at all. */
  readonly #canBeRuled: boolean
  readonly #ofHeader: boolean
  #compareAt = 0

  constructor (where: string) {
    this.where = where
    this.#ofHeader = where.startsWith('header:')
    this.ofWhole = where === 'body'
    this.#canBeRuled = canBeRuled(where)
  }

  /** The same in every process. */
  idOf (mirror: string, endpoint: string): string {
    return hash('sha256', JSON.stringify([mirror, endpoint, this.where, 'noise'])).slice(0, 12)
  }

  keep (example: NoiseExample): void {
    if (this.examples.length < MAX_EXAMPLES) this.examples.push(example)
  }

  get wantsExample (): boolean {
    return this.examples.length < MAX_EXAMPLES
  }

  /** Two answers of one version differ here. */
  addWithin (shape: Shape, pairs: Pairs): void {
    this.within.add(shape)
    if (!this.#canBeRuled || this.within.count < LEAST) return
    if (this.standing === null || !explains(this.standing, shape)) {
      this.standing = this.#ruleOf(this.within)
      this.#compareAt = 0
    }
    this.#compare(pairs)
  }

  #ruleOf ({ shapes }: Tally): NoiseRule | null {
    const rule = tightest(shapes, this.#ofHeader)
    return this.ofWhole && rule.kind !== 'unordered' ? null : rule
  }

  /** Answers of the two versions differ here. */
  addBetween (shape: Shape, pairs: Pairs): void {
    this.between.add(shape)
    if (this.standing !== null) this.#compare(pairs)
  }

  /** What differs between versions clearly more often than within one is a change, and never proposed. */
  #compare ({ within, between }: Pairs): void {
    const total = this.within.count + this.between.count
    if (total < this.#compareAt || this.standing === null) return
    this.#compareAt = total * GROWTH
    const seen = { count: this.within.count, total: within }
    const explained = { count: this.between.explainedBy(this.standing), total: between }
    if (isClearlyMore(explained, seen)) this.standing = null
  }

  /** Without repeats: the rule that explains all that differed between versions, if it is one of form. */
  byForm (compared: number): NoiseRule | null {
    const { count } = this.between
    if (!this.#canBeRuled || count < LEAST_OF_FORM) return null
    const rule = this.#ruleOf(this.between)
    return rule !== null && count >= compared * shareOfForm(rule, this.where) ? rule : null
  }
}

/** Comparisons that a proposal by form needs. */
const LEAST_OF_FORM = 30
/** The share of all that must differ: of what is made anew for each answer or at each moment, and of the rest. */
const MOSTLY = 0.5
const ALWAYS = 0.95
/** What is made for one answer, and means nothing to whoever gets it (RFC 9110, section 8.8.3; RFC 6265). */
const MADE_ANEW = /^header:(?:etag|location|set-cookie\/[^/]+\/value)$/

/** Infinity: such a rule is not proposed by form. */
function shareOfForm ({ kind, value }: NoiseRule, where: string): number {
  if (kind === 'unordered' || value === 'uuid' || value === 'ulid') return MOSTLY
  if (kind === 'tolerance') return `${value}`.endsWith('s') ? MOSTLY : ALWAYS
  return kind === 'format' && (value !== 'opaque' || MADE_ANEW.test(where)) ? ALWAYS : Infinity
}

/** Not of statuses, of what is not told apart, and of names that are cut. */
function canBeRuled (where: string): boolean {
  if (where.includes('…') || where.includes('[redacted]') || where.includes('**')) return false
  return where === 'body' || where.startsWith('/') || (where.startsWith('header:') && where !== 'header:*')
}
