import { readTape } from '../tape'
import { Report } from './report'
import { walk } from './walk'
import type { Steps } from '../../steps'
import type { Standing } from '../rules/standing'
import type { JsonDifference, JsonPlaces, Masker } from './report'

export type { JsonDifference, JsonPlaces }

export type JsonOutcome =
  | { kind: 'equal' }
  /** `truncated`: there are more differences than those listed. `byIndex`: an array was too long for anything else. */
  | { kind: 'different', differences: JsonDifference[], truncated: boolean, byIndex: boolean, places: JsonPlaces }
  /** One of the texts is not JSON, or they hold an object that repeats a key, so that its value is anybody's guess. */
  | { kind: 'not json' }
  /** Too deep, or too many values. */
  | { kind: 'too complex' }

export interface JsonDiffOptions {
  /** Where the documents begin among the rules. */
  at: Standing
  redactor: Masker
  /** Whether it is told what differences look like. */
  shapes?: boolean
}

/** Of a document that is a row of events: how many of its levels are the row's own. */
export type Levels = 0 | 1 | 2

/**
 * Compares two JSON texts as values, in steps. Objects are compared by key, arrays by what their items are, numbers by
 * their exact decimal value. Keys that are repeated alike on both sides are compared in the order in which they stand;
 * where they are not, the texts are taken for something else than JSON. `levels`: of events, to whose data pointers
 * belong. Throws nothing.
 */
export function * diffJson (
  primary: string, shadow: string, options: JsonDiffOptions, levels: Levels = 0
): Steps<JsonOutcome> {
  const a = yield * readTape(primary)
  if (a.state === 'partial') return { kind: 'not json' }
  const b = yield * readTape(shadow)
  if (b.state === 'partial') return { kind: 'not json' }
  if (a.state === 'too complex' || b.state === 'too complex') return { kind: 'too complex' }
  const report = new Report(a, b, options.redactor, levels, options.shapes)
  const whole = yield * walk(a, b, options.at, report)
  if (!whole) return { kind: 'not json' }
  const { differences, truncated, byIndex, places } = report
  return differences.length === 0 ? { kind: 'equal' } : { kind: 'different', differences, truncated, byIndex, places }
}
