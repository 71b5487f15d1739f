import { compareContents, contentKind } from './contents'
import { Decoder } from './decode'
import { Slices } from './slices'
import { isFinal, lengthOfUncaptured, undecided } from './undecided'
import { UNTOLD } from '../guard'
import type { Guard, Holder } from '../guard'
import type { ContentOutcome, Telling } from './contents'
import type { Redactor } from './redact'
import type { RuleSet } from './rules/set'
import type { DecodedLength } from './undecided'

/** One side's body as it came. */
export interface CapturedBody {
  /** `null`: longer than what is captured. */
  bytes: Uint8Array | null
  contentType: string | undefined
  contentEncoding: string | undefined
}

export type BodyOutcome =
  | ContentOutcome
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
  /** Whether it is told what differences look like. */
  shapes?: boolean
  /** Default: those of this thread, which all comparers share. */
  decoder?: Decoder
  slices?: Slices
  /** What comes back later comes behind it. */
  guard?: Guard
}

export const sharedDecoder = new Decoder()
export const sharedSlices = new Slices()

const BUSY: BodyOutcome = { outcome: 'unknown', reason: 'busy' }
const BROKEN: BodyOutcome = { outcome: 'unknown', reason: 'error' }

/** Looks into pairs of bodies whose hashes differ. */
export class BodyComparer {
  readonly #limit: number
  readonly #memory: Memory
  readonly #telling: Telling
  readonly #decoder: Decoder
  readonly #slices: Slices
  readonly #guard: Guard

  constructor ({
    limit, memory, redactor, decoder = sharedDecoder, slices = sharedSlices, guard = UNTOLD, shapes = false
  }: BodyComparerOptions) {
    this.#limit = limit
    this.#memory = memory
    this.#telling = { redactor, shapes }
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
    const kind = contentKind(pair.primary.contentType)
    const both = kind === contentKind(pair.shadow.contentType) ? kind : null
    const steps = compareContents(primary, shadow, both, pair.rules, this.#telling)
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

function asBuffer (bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
