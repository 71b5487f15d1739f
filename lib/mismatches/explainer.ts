import { explainsDifference } from '../compare/explain'
import { Rules } from '../compare/rules/set'
import type { RuleOptions } from '../compare/rules/set'
import type { Place } from './place'

/** Says of places from before a change of rules which of the rules explains them, as far as their examples tell. */
export class Explainer {
  readonly #options: RuleOptions
  readonly #since: number
  readonly #all: Rules
  /** Each rule alone. */
  #each: Rules[] | null = null
  readonly #known = new WeakMap<Place, string | null>()

  /** `since`: when the rules were changed, in milliseconds since 1970. */
  constructor (options: RuleOptions, since: number) {
    this.#options = options
    this.#since = since
    this.#all = new Rules(options)
  }

  /** `null`: none, or it is still met. */
  of (place: Place): string | null {
    if (place.last >= this.#since) return null
    let known = this.#known.get(place)
    if (known === undefined) this.#known.set(place, known = this.explain(place))
    return known
  }

  /** Whenever it was met. */
  explain (place: Place): string | null {
    if (!this.#explains(this.#all, place)) return null
    const { rules, origins, ignoreHeaders, ignoreJsonFields } = this.#options
    this.#each ??= rules.map(rule => new Rules({ rules: [rule], origins, ignoreHeaders, ignoreJsonFields }))
    const rule = this.#each.findLastIndex(alone => this.#explains(alone, place))
    return rule === -1 ? 'the rules together (by its examples)' : `rule ${rule + 1} (by its examples)`
  }

  #explains (rules: Rules, { differences, endpoint }: Place): boolean {
    const set = rules.of(endpoint.name)
    return differences.length > 0 && differences.every(own => own !== null && explainsDifference(set, own))
  }
}
