import { isUtf8 } from 'node:buffer'
import { LEVELS, eventDocument, eventKind } from './events/document'
import { diffJson } from './json/diff'
import { essence, isJson } from './redact'
import type { BodyDifference } from '../../types/index'
import type { EventKind } from './events/document'
import type { JsonDiffOptions, JsonOutcome, JsonPlaces } from './json/diff'
import type { RuleSet } from './rules/set'
import type { Steps } from '../steps'

/** Bytes of a JSON document that is looked into: a longer one cannot be read in short steps. */
const MAX_JSON = 8 * 1024 * 1024
/** Bytes that are compared at a stretch. */
const BLOCK = 4096

/** How differences of JSON are told. */
export type Telling = Pick<JsonDiffOptions, 'redactor' | 'shapes'>

export type ContentOutcome =
  /** Equal bytes once decoded, or equal values by the rules. */
  | { outcome: 'match' }
  /** `places`: of JSON. */
  | { outcome: 'mismatch', difference: BodyDifference, places?: JsonPlaces }

/** What is looked into as values; `null`: bytes. */
export type ContentKind = 'json' | EventKind | null

const MATCH: ContentOutcome = { outcome: 'match' }
const TOO_COMPLEX: ContentOutcome = { outcome: 'mismatch', difference: { kind: 'hash', reason: 'too complex' } }

export function contentKind (contentType: string | undefined): ContentKind {
  const type = essence(contentType)
  return type === '' || isJson(type) ? 'json' : eventKind(type)
}

/** Compares two bodies of one kind, whose codings are taken off. */
export function * compareContents (
  primary: Buffer, shadow: Buffer, kind: ContentKind, rules: RuleSet, telling: Telling
): Steps<ContentOutcome> {
  if (primary.equals(shadow)) return MATCH
  // Only then is the text what the bytes say: others are decoded with replacements, and different bytes to equal text.
  const text = isUtf8(primary) && isUtf8(shadow)
  if (text && kind !== null) {
    const outcome = yield * lookInto(primary, shadow, kind, rules, telling)
    if (outcome !== null) return outcome
  }
  const readable = text && !primary.includes(0) && !shadow.includes(0)
  let offset = -1
  if (readable && rules.text.any) {
    const before = primary.toString()
    const at = yield * rules.text.differ(before, shadow.toString())
    if (at === -1) return MATCH
    offset = Buffer.byteLength(before.slice(0, at))
  }
  return {
    outcome: 'mismatch',
    difference: {
      kind: readable ? 'text' : 'binary',
      primaryLength: primary.length,
      shadowLength: shadow.length,
      offset: offset === -1 ? firstDifference(primary, shadow) : offset
    }
  }
}

/** `null`: not what it is said to be. */
function * lookInto (
  primary: Buffer, shadow: Buffer, kind: 'json' | EventKind, rules: RuleSet, telling: Telling
): Steps<ContentOutcome | null> {
  if (Math.max(primary.length, shadow.length) > MAX_JSON) return TOO_COMPLEX
  try {
    const result = yield * kind === 'json'
      ? diffJson(primary.toString(), shadow.toString(), { at: rules.json.root, ...telling })
      : diffEvents(kind, primary.toString(), shadow.toString(), rules, telling)
    if (result.kind === 'not json') return null
    if (result.kind === 'equal') return MATCH
    if (result.kind === 'too complex') return TOO_COMPLEX
    const { differences, truncated, byIndex, places } = result
    const difference: BodyDifference = { kind: 'json', differences, truncated }
    if (byIndex) difference.byIndex = true
    return { outcome: 'mismatch', difference, places }
  } catch {
    // Not expected; but it runs off a timer, where a throw would end the process.
    return TOO_COMPLEX
  }
}

function * diffEvents (
  kind: EventKind, primary: string, shadow: string, rules: RuleSet, telling: Telling
): Steps<JsonOutcome> {
  // All of the body is left out, and not all of each event alone.
  if (rules.json.root.skipped) return { kind: 'equal' }
  const documents: string[] = []
  for (const text of [primary, shadow]) {
    const document = yield * eventDocument(kind, text)
    if (document === null) return { kind: 'not json' }
    if (document === 'too complex') return { kind: document }
    documents.push(document)
  }
  const levels = LEVELS[kind]
  return yield * diffJson(documents[0], documents[1], { at: rules.below(levels).root, ...telling }, levels)
}

function firstDifference (a: Buffer, b: Buffer): number {
  const end = Math.min(a.length, b.length)
  let offset = 0
  while (offset + BLOCK <= end && a.compare(b, offset, offset + BLOCK, offset, offset + BLOCK) === 0) offset += BLOCK
  while (offset < end && a[offset] === b[offset]) offset++
  return offset
}
