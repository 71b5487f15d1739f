import { diffJson } from './json/diff'
import { fromPointer } from './pointer'
import { readRule } from './rules/rule'
import type { Standing } from './rules/standing'
import { matches, mayLack } from './rules/values'
import { Rules } from './rules/set'
import { readTape } from './tape'
import { atOnce } from '../steps'
import type { RuleSet } from './rules/set'
import type { CompareRule, HeaderDifference, JsonDifference } from '../../types/index'

/** What a pair is put into: an object that may lack it. */
const KEY = 'v'

/** Nothing is shown of what differs. */
const MUTE = { isSecret: () => false, json: () => '', text: (text: string) => text }

/**
 * Whether a rule would make a pair of values match that stands where the rule is for. Each as JSON; `undefined`: that
 * side has none. A header's value, and a cookie's, is a JSON string. `at` and `endpoint` are not looked at. In a time
 * that grows with the values: bound them.
 */
export function explains (rule: CompareRule, primary: string | undefined, shadow: string | undefined): boolean {
  const kind = { ...rule, at: rule.additions === true ? '' : `/${KEY}`, endpoint: undefined }
  const [one, other] = [primary, shadow].map(value => value === undefined ? '{}' : `{"${KEY}":${value}}`)
  if ('allowed' in readRule(kind)) return false
  const { json } = new Rules({ rules: [kind], ignoreHeaders: [], ignoreJsonFields: [], origins: {} }).of('')
  return atOnce(diffJson(one, other, { at: json.root, redactor: MUTE })).kind === 'equal'
}

/** Whether rules would have made match what differed. Its values may have been cut or masked: then it is not known. */
export function explainsDifference (rules: RuleSet, difference: HeaderDifference | JsonDifference): boolean {
  if ('name' in difference) return rules.headers.explains(difference)
  let at: Standing = rules.json.root
  for (const segment of fromPointer(difference.pointer)) at = at.below(segment)
  const { change, primary, shadow } = difference
  if (change === 'order') return at.free || at.opaque || at.unordered !== false
  if (at.free) return true
  // Of an index it may be an item, to which no key can be added.
  if (primary === undefined || shadow === undefined) {
    return mayLack(at, change === 'added' ? 'shadow' : 'primary', !isIndex(difference.pointer))
  }
  const [a, b] = [primary, shadow].map(value => atOnce(readTape(value)))
  if (a.state !== 'complete' || b.state !== 'complete') return at.value?.name === 'presence'
  return matches(at, a, 0, b, 0)
}

function isIndex (pointer: string): boolean {
  return /\/\d+$/.test(pointer)
}
