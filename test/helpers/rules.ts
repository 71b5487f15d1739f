import { Rules } from '../../lib/compare/rules/set'
import type { RuleOptions, RuleSet } from '../../lib/compare/rules/set'

/** Compiled rules, for requests of an endpoint. */
export function ruleSet (options: Partial<RuleOptions> = {}, endpoint = 'GET /'): RuleSet {
  return new Rules({ rules: [], ignoreHeaders: [], ignoreJsonFields: [], origins: {}, ...options }).of(endpoint)
}
