import { diffJson } from './json/diff'
import { readRule } from './rules/rule'
import { Rules } from './rules/set'
import { atOnce } from '../steps'
import type { CompareRule } from '../../types/index'

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
