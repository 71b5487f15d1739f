import { isUtf8 } from 'node:buffer'
import { Decoder } from './decode'
import { diffJson } from './json/diff'
import { essence, isJson } from './redact'
import { Slices } from './slices'
import { isFinal, lengthOfUncaptured, undecided } from './undecided'
import { UNTOLD } from '../guard'
import type { Guard, Holder } from '../guard'
import type { BodyDifference } from '../../types/index'
import type { JsonDiffOptions, JsonPlaces } from './json/diff'
import type { Redactor } from './redact'
import type { RuleSet } from './rules/set'
import type { DecodedLength } from './undecided'
import type { Steps } from '../steps'

/** Bytes of a JSON document that is looked into: a longer one cannot be read in short steps. */
const MAX_JSON = 8 * 1024 * 1024
/** Bytes that are compared at a stretch. */
const BLOCK = 4096

/** One side's body as it came. */
export interface CapturedBody {
  /** `null`: longer than what is captured. */
  bytes: Uint8Array | null
  contentType: string | undefined
  contentEncoding: string | undefined
}

export type BodyOutcome =
  /** Equal bytes once decoded, or equal JSON values; fields to be ignored left out. */
  | { outcome: 'match' }
  /** `places`: of JSON. */
  | { outcome: 'mismatch', difference: BodyDifference, places?: JsonPlaces }
  /**
   * The hashes say nothing: `encoding` where the bodies are coded differently and could not both be decoded, `busy` where too
   * many comparisons wait, `memory` where there is none to decode, `error` where the mirror itself failed.
   */
  | { outcome: 'unknown', reason: 'encoding' | 'busy' | 'memory' | 'error' }

/** Bytes that may be held: taken before, given back once. */
export interface Memory {
  take (bytes: number): boolean
  free (bytes: number): void
}

export interface BodyComparerOptions {
  /** Bytes that a body may decode to. */
  limit: number
  /** What decoded bodies are held in. */
  memory: Memory
  redactor: Pick<Redactor, 'isSecret' | 'json' | 'text'>
  /** Default: those of this thread, which all comparers share. */
  decoder?: Decoder
  slices?: Slices
  /** What comes back later comes behind it. */
  guard?: Guard
}

export const sharedDecoder = new Decoder()
export const sharedSlices = new Slices()

const MATCH: BodyOutcome = { outcome: 'match' }
const TOO_COMPLEX: BodyOutcome = { outcome: 'mismatch', difference: { kind: 'hash', reason: 'too complex' } }
const BUSY: BodyOutcome = { outcome: 'unknown', reason: 'busy' }
const BROKEN: BodyOutcome = { outcome: 'unknown', reason: 'error' }

/** Looks into pairs of bodies whose hashes differ. */
export class BodyComparer {
  readonly #limit: number
  readonly #memory: Memory
  readonly #redactor: JsonDiffOptions['redactor']
  readonly #decoder: Decoder
  readonly #slices: Slices
  readonly #guard: Guard

  constructor ({ limit, memory, redactor, decoder = sharedDecoder, slices = sharedSlices, guard = UNTOLD }: BodyComparerOptions) {
    this.#limit = limit
    this.#memory = memory
    this.#redactor = redactor
    this.#decoder = decoder
    this.#slices = slices
    this.#guard = guard
  }

  /**
   * Calls back once, before it returns where the bodies are short and not coded, later otherwise; until then both bodies
   * are held. Throws nothing; the callback must not throw either.
   */
  compare (
    primary: CapturedBody, shadow: CapturedBody, rules: RuleSet, callback: (outcome: BodyOutcome) => void
  ): void {
    const pair = new Pair(this, this.#memory, primary, shadow, rules, callback)
    this.#guard.enter(pair, decodeBoth)
  }

  /** @internal */
  decode (pair: Pair, { bytes, contentEncoding }: CapturedBody, then: (decoded: Buffer | DecodedLength) => void): void {
    if (bytes === null) return then(lengthOfUncaptured(contentEncoding, this.#limit))
    const body = asBuffer(bytes)
    this.#decoder.decode(body, contentEncoding, this.#limit, decoded => {
      // What was not coded is held by whoever called.
      if (typeof decoded === 'string' || decoded === body || pair.hold(decoded.length)) then(decoded)
      else then('memory')
    }, this.#guard)
  }

  /** @internal */
  decoded (pair: Pair, before: Buffer | DecodedLength, after: Buffer | DecodedLength): void {
    if (typeof before === 'object' && typeof after === 'object') return this.#compareBytes(pair, before, after)
    const sides = ([[pair.primary, before], [pair.shadow, after]] as const).map(([{ contentEncoding }, decoded]) => (
      { contentEncoding, length: typeof decoded === 'object' ? decoded.length : decoded }
    ))
    const reason = undecided(sides[0], sides[1], this.#limit)
    if (reason === 'too long' || reason === 'not decodable') {
      pair.end({ outcome: 'mismatch', difference: { kind: 'hash', reason } })
    } else {
      pair.end({ outcome: 'unknown', reason })
    }
  }

  #compareBytes (pair: Pair, primary: Buffer, shadow: Buffer): void {
    const json = maybeJson(pair.primary) && maybeJson(pair.shadow)
    const steps = compareBytes(primary, shadow, json, pair.rules, this.#redactor)
    if (!this.#slices.run(steps, outcome => pair.end(outcome), this.#guard, BROKEN)) pair.end(BUSY)
  }
}

/** Two bodies that are compared, and who hears of it: once, whatever throws. */
class Pair implements Holder {
  readonly comparer: BodyComparer
  readonly primary: CapturedBody
  readonly shadow: CapturedBody
  readonly rules: RuleSet
  readonly #memory: Memory
  readonly #callback: (outcome: BodyOutcome) => void
  #held = 0
  #ended = false

  constructor (
    comparer: BodyComparer, memory: Memory, primary: CapturedBody, shadow: CapturedBody, rules: RuleSet,
    callback: (outcome: BodyOutcome) => void
  ) {
    this.comparer = comparer
    this.#memory = memory
    this.primary = primary
    this.shadow = shadow
    this.rules = rules
    this.#callback = callback
  }

  /** `false`: there is not so much memory. */
  hold (bytes: number): boolean {
    if (!this.#memory.take(bytes)) return false
    this.#held += bytes
    return true
  }

  end (outcome: BodyOutcome): void {
    if (this.#ended) return
    this.#memory.free(this.#held)
    this.#held = 0
    this.#callback(outcome)
    this.#ended = true
  }

  fail (): void {
    this.end(BROKEN)
  }
}

function decodeBoth (pair: Pair): void {
  const { comparer, primary, shadow } = pair
  comparer.decode(pair, primary, before => {
    if (typeof before !== 'object' && isFinal(before)) comparer.decoded(pair, before, before)
    else comparer.decode(pair, shadow, after => comparer.decoded(pair, before, after))
  })
}

function maybeJson ({ contentType }: CapturedBody): boolean {
  const type = essence(contentType)
  return type === '' || isJson(type)
}

function * compareBytes (
  primary: Buffer, shadow: Buffer, json: boolean, rules: RuleSet, redactor: JsonDiffOptions['redactor']
): Steps<BodyOutcome> {
  if (primary.equals(shadow)) return MATCH
  // Only then is the text what the bytes say: others are decoded with replacements, and different bytes to equal text.
  const text = isUtf8(primary) && isUtf8(shadow)
  if (text && json) {
    const outcome = yield * lookInto(primary, shadow, { at: rules.json.root, redactor })
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

/** `null`: not JSON. */
function * lookInto (primary: Buffer, shadow: Buffer, options: JsonDiffOptions): Steps<BodyOutcome | null> {
  if (Math.max(primary.length, shadow.length) > MAX_JSON) return TOO_COMPLEX
  try {
    const result = yield * diffJson(primary.toString(), shadow.toString(), options)
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

function firstDifference (a: Buffer, b: Buffer): number {
  const end = Math.min(a.length, b.length)
  let offset = 0
  while (offset + BLOCK <= end && a.compare(b, offset, offset + BLOCK, offset, offset + BLOCK) === 0) offset += BLOCK
  while (offset < end && a[offset] === b[offset]) offset++
  return offset
}

function asBuffer (bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
