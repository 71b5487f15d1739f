import { ANY, DEEP } from './at'
import type { Segment } from './at'
import type { Origins } from './origins'
import type { Kind } from './rule'
import { Standing } from './standing'
import type { Bequest, Table } from './standing'

/** A rule for places in JSON. Its number is its place among them. */
export interface JsonRule {
  readonly path: readonly Segment[]
  readonly kind: Kind
}

/** Standings that are remembered; past that, it begins anew. */
const MAX_REMEMBERED = 2000
/** Paths are shorter: so a rule and a step of its path are one number. */
const LONGEST_PATH = 4096
const INDEX = /^\d+$/

/** The standings among some rules. They are made when a document first gets there: it may be any document. */
export class StandingTable implements Table {
  readonly origins: Origins | null
  readonly firstOnly: number
  readonly #rules: readonly JsonRule[]
  readonly #names = new Set<string>()
  #remembered = new Map<string, Standing>()
  #root: Standing | null = null

  constructor (rules: readonly JsonRule[], origins: Origins | null) {
    this.#rules = rules
    this.origins = origins
    const only = rules.findIndex(({ kind }) => kind.name === 'only')
    this.firstOnly = only === -1 ? rules.length : only
    for (const { path } of rules) for (const segment of path) if (typeof segment === 'string') this.#names.add(segment)
  }

  /** Where every walk begins. */
  get root (): Standing {
    if (this.#root === null) {
      const active: number[] = []
      for (let rule = 0; rule < this.#rules.length; rule++) this.#reach(active, rule, 0)
      const selected = this.firstOnly === this.#rules.length
      this.#root = this.#standing(active, { floor: 0, free: false, selected, adding: -1 })
    }
    return this.#root
  }

  isNamed (segment: string): boolean {
    return this.#names.has(segment)
  }

  kindOf (rule: number): Kind {
    return this.#rules[rule].kind
  }

  fitting (active: readonly number[]): number[] {
    return active.filter(place => this.#isEnd(place)).map(ruleOf)
  }

  #isEnd (place: number): boolean {
    return stepOf(place) === this.#rules[ruleOf(place)].path.length
  }

  mayFit (active: readonly number[], { floor, free, selected }: Bequest): boolean {
    return active.some(place => {
      const rule = ruleOf(place)
      if (rule < floor || this.#isEnd(place)) return false
      return (!free && selected) || this.#rules[rule].kind.name !== 'ignore'
    })
  }

  namesIndex (active: readonly number[]): boolean {
    return active.some(place => {
      const segment = this.#rules[ruleOf(place)].path[stepOf(place)]
      return typeof segment === 'string' && INDEX.test(segment)
    })
  }

  step (active: readonly number[], segment: string | null, below: Bequest): Standing {
    const next: number[] = []
    for (const place of active) {
      const [rule, step] = [ruleOf(place), stepOf(place)]
      const { path } = this.#rules[rule]
      if (step === path.length) continue
      const wanted = path[step]
      if (wanted === DEEP) {
        this.#reach(next, rule, step)
        // At the end of a path it stands for one key at least.
        if (step + 1 === path.length) next.push(place + 1)
      } else if (wanted === ANY || wanted === segment) {
        this.#reach(next, rule, step + 1)
      }
    }
    return this.#standing(next, below)
  }

  #reach (active: number[], rule: number, step: number): void {
    active.push(rule * LONGEST_PATH + step)
    const { path } = this.#rules[rule]
    if (path[step] === DEEP && step + 1 < path.length) active.push(rule * LONGEST_PATH + step + 1)
  }

  #standing (places: readonly number[], above: Bequest): Standing {
    const active = [...new Set(places)].sort((a, b) => a - b)
    const { floor, free, selected, adding } = above
    const key = `${active.join()} ${floor} ${free} ${selected} ${adding}`
    let standing = this.#remembered.get(key)
    if (standing === undefined) {
      if (this.#remembered.size === MAX_REMEMBERED) {
        // Walks under way keep theirs. The first holds all others.
        this.#remembered = new Map()
        this.#root = null
      }
      standing = new Standing(this, active, above)
      this.#remembered.set(key, standing)
    }
    return standing
  }
}

function ruleOf (place: number): number {
  return Math.floor(place / LONGEST_PATH)
}

function stepOf (place: number): number {
  return place % LONGEST_PATH
}
