import type { Origins } from './origins'
import type { Kind } from './rule'

/** What rules leave to all that is below a place. */
export interface Bequest {
  /** Rules before this one are over. */
  readonly floor: number
  /** What is there is not compared, unless a rule says otherwise. */
  readonly free: boolean
  /** It is at or below a place that is to be compared, where only such places are. */
  readonly selected: boolean
  /** The rule by which keys may be added; -1: none. */
  readonly adding: number
}

/** What a standing needs of the rules. */
export interface Table {
  readonly origins: Origins | null
  /** The first rule that says what is compared. */
  readonly firstOnly: number
  /** Whether any rule has this key in its path. */
  isNamed (segment: string): boolean
  kindOf (rule: number): Kind
  /** The rules whose path ends here, in their order. */
  fitting (active: readonly number[]): number[]
  /** Whether a rule may have any say below. */
  mayFit (active: readonly number[], below: Bequest): boolean
  /** Whether the next step of a rule is an index. */
  namesIndex (active: readonly number[]): boolean
  /** One key further; `null`: one that is in no path. */
  step (active: readonly number[], segment: string | null, below: Bequest): Standing
}

/** How the two values at one place are compared. */
export type ValueKind = Extract<Kind, { name: 'type' | 'presence' | 'tolerance' | 'format' }>

/**
 * Where a walk through two documents stands among the rules. Rules answer questions: is it compared at all, may it be
 * missing, does its order count, how is its value compared. The last rule that fits the place and has an answer gives
 * it. A step further costs a look into a map.
 */
export class Standing {
  /** What is here matches, whatever it is. */
  readonly free: boolean
  /** A rule may fit something below. */
  readonly inside: boolean
  /** No rule has any say here or below: only what is equal matches. */
  readonly exact: boolean
  /** Of an array: its order says nothing. Text: elements with the same value at this key belong together. */
  readonly unordered: boolean | string
  /** How values are compared, where both sides have one; `null`: exactly. */
  readonly value: ValueKind | null
  /** Absent, `null` and present are alike. */
  readonly optional: boolean
  /** The shadow may have this key where the primary has none. */
  readonly mayBeAdded: boolean
  readonly table: Table
  readonly #active: readonly number[]
  readonly #below: Bequest
  readonly #named = new Map<string, Standing>()
  #other: Standing | null = null

  /** @internal `active`: where in the paths of rules it stands. `above`: what is left to it. */
  constructor (table: Table, active: readonly number[], above: Bequest) {
    const answers = new Answers(above, table.firstOnly)
    for (const rule of table.fitting(active)) if (rule >= answers.floor) answers.take(rule, table.kindOf(rule))
    const { unordered, value, optional, below } = answers
    this.table = table
    this.#active = active
    this.#below = below
    this.unordered = unordered
    this.value = value
    this.optional = optional
    this.mayBeAdded = answers.mayBeAdded
    this.free = answers.free || !answers.selected
    this.inside = table.mayFit(active, below)
    this.exact = !this.free && !this.inside && value === null && unordered === false && !optional &&
      !this.mayBeAdded && below.adding === -1 && table.origins === null
  }

  /** Nothing here or below is compared. */
  get skipped (): boolean {
    return this.free && !this.inside
  }

  /** A rule is for one index of an array here: then it has places rather than items. */
  get namesIndex (): boolean {
    return this.table.namesIndex(this.#active)
  }

  /** What both sides have below a value that matches by this rule is not compared. */
  get opaque (): boolean {
    return this.#below.free || !this.#below.selected
  }

  /** At a key, or at an index, of what is here. */
  below (segment: string): Standing {
    const known = this.#named.get(segment)
    if (known !== undefined) return known
    if (!this.table.isNamed(segment)) {
      this.#other ??= this.table.step(this.#active, null, this.#below)
      return this.#other
    }
    const next = this.table.step(this.#active, segment, this.#below)
    this.#named.set(segment, next)
    return next
  }
}

/** What the rules that fit a place answer. */
class Answers {
  floor: number
  free: boolean
  selected: boolean
  unordered: boolean | string = false
  value: ValueKind | null = null
  readonly #firstOnly: number
  #adding: number
  /** The rule from above by which this place may be added. */
  #addedBy: number
  #valueBy = -1
  #missing: 'may' | 'must not' | null = null
  #missingBy = -1

  /** `firstOnly`: the first rule that says what is compared; what comes before it says only how. */
  constructor (above: Bequest, firstOnly: number) {
    this.#firstOnly = firstOnly
    this.floor = above.floor
    this.free = above.free
    this.selected = above.selected
    this.#adding = this.#addedBy = above.adding
  }

  /** In their order. */
  take (rule: number, kind: Kind): void {
    if (kind.name === 'ignore') {
      this.unordered = false
      this.value = this.#missing = null
      this.#adding = this.#addedBy = this.#valueBy = this.#missingBy = -1
      this.floor = rule + 1
      this.free = true
      return
    }
    this.free = false
    if (rule >= this.#firstOnly) this.selected = true
    switch (kind.name) {
      // Rules before it, for what is below, count: it says where, and not how.
      case 'only': this.floor = 0; break
      case 'unordered': this.unordered = kind.key ?? true; break
      case 'additions': this.#adding = rule; break
      case 'optional': this.#setMissing('may', rule); break
      case 'presence': this.#setMissing('must not', rule); this.#setValue(kind, rule); break
      default: this.#setValue(kind, rule)
    }
  }

  #setMissing (answer: 'may' | 'must not', rule: number): void {
    this.#missing = answer
    this.#missingBy = rule
  }

  #setValue (kind: ValueKind, rule: number): void {
    this.value = kind
    this.#valueBy = rule
  }

  get optional (): boolean {
    return this.#missing === 'may'
  }

  get mayBeAdded (): boolean {
    return this.#addedBy > this.#missingBy
  }

  get below (): Bequest {
    const { floor, free, selected, value } = this
    const isOpaque = value !== null && (value.name === 'type' || value.name === 'presence')
    return {
      floor: isOpaque ? Math.max(floor, this.#valueBy + 1) : floor,
      free: free || isOpaque,
      selected,
      adding: this.#adding
    }
  }
}
