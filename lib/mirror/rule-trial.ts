import type { CompareRule, RuleTrial } from '../../types/index'
import { Explainer } from '../mismatches/explainer'
import { readMirrorPatch } from '../options'
import type { Steps } from '../steps'
import type { Mirror } from './mirror'

/**
 * Which of a mirror's places rules would explain, as far as their examples tell: one at a step.
 * @throws an error with status code 400
 */
export function tryRules (mirror: Mirror, given: unknown): Steps<RuleTrial> {
  const { id, config: { compare } } = mirror
  const { rules = [] } = readMirrorPatch({ rules: given }, id, [], compare.detailedDiff)
  return trySteps(mirror, rules)
}

function * trySteps ({ config, period }: Mirror, rules: readonly CompareRule[]): Steps<RuleTrial> {
  const explainer = new Explainer({ ...config.compare, rules }, Infinity)
  const { places } = period.places.index('frequent')
  const explained: RuleTrial['places'] = []
  for (const { place } of places) {
    const by = explainer.explain(place)
    const { id, endpoint: { name }, where, kind, count } = place
    if (by !== null) explained.push({ id, endpoint: name, where, kind, count, explained: by })
    yield
  }
  return { of: places.length, places: explained }
}
