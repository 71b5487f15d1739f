import { readRule } from '../compare/rules/rule'
import type { CompareRule } from '../../types/index'
import { invalid } from './fail'
import type { Place } from './fail'
import { ORIGIN, originOf } from './origin'

/**
 * Checks what the schema cannot. `keys`: those that lead to the rules.
 * @throws FST_MIRROR_INVALID_OPTION
 */
export function checkRules (rules: readonly CompareRule[], keys: readonly string[], place: Place): void {
  for (const [index, rule] of rules.entries()) {
    const fault = readRule(rule)
    if (!('allowed' in fault)) continue
    const { key, allowed } = fault
    const own = [...keys, `${index}`]
    if (key === null) throw invalid(place, own, allowed, rule)
    throw invalid(place, [...own, key], allowed, rule[key])
  }
}

/**
 * The primary's origins, each with the shadow's, in one spelling.
 * @throws FST_MIRROR_INVALID_OPTION
 */
export function readOrigins (origins: Readonly<Record<string, string>>, keys: readonly string[], place: Place) {
  const shadows = new Set<string>()
  return Object.fromEntries(Object.entries(origins).map(([given, shadowGiven]) => {
    const [primary, shadow] = [originOf(given), originOf(shadowGiven)]
    if (primary === null) throw invalid(place, keys, `an object whose keys are each ${ORIGIN}`, origins)
    const wrong = (allowed: string) => invalid(place, [...keys, given], allowed, shadowGiven)
    if (shadow === null) throw wrong(ORIGIN)
    if (shadow === primary) throw wrong('another origin: to one and the same it has no effect')
    if (shadows.has(shadow)) throw wrong('an origin that stands for one of the primary\'s alone')
    shadows.add(shadow)
    return [primary, shadow]
  }))
}
