import { isUtf8 } from 'node:buffer'
import { Decoder, sameCodings } from './decode'
import { diffJson } from './json'
import { essence, isJson } from './redact'
import { Slices } from './slices'
import type { LoopTime } from '../metrics/loop-time'
import type { BodyDifference } from '../../types/index'
import type { DecodeFailure } from './decode'
import type { IgnoredPlaces } from './ignored'
import type { JsonDiffOptions } from './json'
import type { Redactor } from './redact'
import type { Steps } from './tape'

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
  | { outcome: 'mismatch', difference: BodyDifference }
  /**
   * The hashes say nothing: `encoding` where the bodies are coded differently and could not both be decoded, `busy` where too
   * many comparisons wait, `memory` where there is none to decode.
   */
  | { outcome: 'unknown', reason: 'encoding' | 'busy' | 'memory' }

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
  ignore: IgnoredPlaces
  redactor: Pick<Redactor, 'isSecret' | 'json' | 'text'>
  /** Default: those of this thread, which all comparers share. */
  decoder?: Decoder
  slices?: Slices
  /** Is told of the time that it takes. */
  loopTime?: LoopTime
}

export const sharedDecoder = new Decoder()
export const sharedSlices = new Slices()

const MATCH: BodyOutcome = { outcome: 'match' }
const TOO_COMPLEX: BodyOutcome = { outcome: 'mismatch', difference: { kind: 'hash', reason: 'too complex' } }
const BUSY: BodyOutcome = { outcome: 'unknown', reason: 'busy' }
const NO_MEMORY: BodyOutcome = { outcome: 'unknown', reason: 'memory' }

/** Looks into pairs of bodies whose hashes differ. */
export class BodyComparer {
  readonly #limit: number
  readonly #memory: Memory
  readonly #options: JsonDiffOptions
  readonly #decoder: Decoder
  readonly #slices: Slices
  readonly #loopTime: LoopTime | undefined

  constructor ({ limit, memory, ignore, redactor, decoder = sharedDecoder, slices = sharedSlices, loopTime }: BodyComparerOptions) {
    this.#limit = limit
    this.#memory = memory
    this.#options = { ignore, redactor }
    this.#decoder = decoder
    this.#slices = slices
    this.#loopTime = loopTime
  }

  /**
   * Calls back once, before it returns where the bodies are short and not coded, later otherwise; until then both bodies
   * are held. Throws nothing; the callback must not throw either.
   */
  compare (primary: CapturedBody, mirror: CapturedBody, callback: (outcome: BodyOutcome) => void): void {
    if (primary.bytes === null || mirror.bytes === null) return callback(undecided(primary, mirror, 'too long'))
    let held = 0
    const end = (outcome: BodyOutcome): void => {
      this.#memory.free(held)
      callback(outcome)
    }
    const decode = (body: Buffer, { contentEncoding }: CapturedBody, onDecoded: (decoded: Buffer) => void): void => {
      this.#decoder.decode(body, contentEncoding, this.#limit, (decoded) => {
        if (typeof decoded === 'string') return end(undecided(primary, mirror, decoded))
        // What was not coded is held by whoever called.
        const more = decoded === body ? 0 : decoded.length
        if (!this.#memory.take(more)) return end(NO_MEMORY)
        held += more
        onDecoded(decoded)
      })
    }
    decode(asBuffer(primary.bytes), primary, (before) => decode(asBuffer(mirror.bytes as Uint8Array), mirror, (after) => {
      const json = maybeJson(primary) && maybeJson(mirror)
      if (!this.#slices.run(compareBytes(before, after, json, this.#options), end, this.#loopTime)) end(BUSY)
    }))
  }
}

/** The bytes could not be looked into. Their hashes decide, unless they are hashes of different codings. */
function undecided (primary: CapturedBody, mirror: CapturedBody, reason: DecodeFailure): BodyOutcome {
  if (reason === 'busy') return BUSY
  if (!sameCodings(primary.contentEncoding, mirror.contentEncoding)) return { outcome: 'unknown', reason: 'encoding' }
  return { outcome: 'mismatch', difference: { kind: 'hash', reason } }
}

function maybeJson ({ contentType }: CapturedBody): boolean {
  const type = essence(contentType)
  return type === '' || isJson(type)
}

function * compareBytes (primary: Buffer, mirror: Buffer, json: boolean, options: JsonDiffOptions): Steps<BodyOutcome> {
  if (primary.equals(mirror)) return MATCH
  // Only then is the text what the bytes say: others are decoded with replacements, and different bytes to equal text.
  const text = isUtf8(primary) && isUtf8(mirror)
  if (text && json) {
    const outcome = yield * lookInto(primary, mirror, options)
    if (outcome !== null) return outcome
  }
  return {
    outcome: 'mismatch',
    difference: {
      kind: text && !primary.includes(0) && !mirror.includes(0) ? 'text' : 'binary',
      primaryLength: primary.length,
      mirrorLength: mirror.length,
      offset: firstDifference(primary, mirror)
    }
  }
}

/** `null`: not JSON. */
function * lookInto (primary: Buffer, mirror: Buffer, options: JsonDiffOptions): Steps<BodyOutcome | null> {
  if (Math.max(primary.length, mirror.length) > MAX_JSON) return TOO_COMPLEX
  try {
    const result = yield * diffJson(primary.toString(), mirror.toString(), options)
    if (result.kind === 'not json') return null
    if (result.kind === 'equal') return MATCH
    if (result.kind === 'too complex') return TOO_COMPLEX
    const { differences, truncated } = result
    return { outcome: 'mismatch', difference: { kind: 'json', differences, truncated } }
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
