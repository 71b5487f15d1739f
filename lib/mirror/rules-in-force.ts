import type { CompareRule, RuleInForce } from '../../types/index'

/** Who has set the rules that a mirror begins with. */
const OPTIONS = 'options'

/** The rules by which a mirror's answers are compared, and who set each of them when. */
export class RulesInForce {
  /** In their order. */
  readonly rules: readonly CompareRule[]
  /** Since when they are as they are. */
  readonly since: Date
  readonly #entries: readonly RuleInForce[]

  private constructor (entries: readonly RuleInForce[], since: Date) {
    this.#entries = entries
    this.rules = entries.map(({ rule }) => rule)
    this.since = since
  }

  static ofOptions (rules: readonly CompareRule[]): RulesInForce {
    const since = new Date()
    return new RulesInForce(rules.map(rule => ({ rule, by: OPTIONS, since: since.toISOString() })), since)
  }

  /** Those that were in force stay who set them. `since`: when the others begin. */
  changed (rules: readonly CompareRule[], by: string, since: Date): RulesInForce {
    const before = new Map(this.#entries.map(entry => [JSON.stringify(entry.rule), entry]))
    const entries = rules.map(rule => before.get(JSON.stringify(rule)) ?? { rule, by, since: since.toISOString() })
    return new RulesInForce(entries, since)
  }

  isOf (rules: readonly CompareRule[]): boolean {
    return JSON.stringify(this.rules) === JSON.stringify(rules)
  }

  /** Whether some are not for every endpoint. */
  get byEndpoint (): boolean {
    return this.rules.some(({ endpoint }) => endpoint !== undefined)
  }

  /** Those that somebody has set. */
  setBy (by: string): CompareRule[] {
    return this.#entries.filter(entry => entry.by === by).map(({ rule }) => rule)
  }

  /** A copy. */
  list (): RuleInForce[] {
    return structuredClone(this.#entries) as RuleInForce[]
  }
}
