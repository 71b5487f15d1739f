import type { ComparedAnswer } from './answer'
import { BodyComparer } from './bodies'
import { CodedComparer } from './coded'
import type { Memory } from './bodies'
import { isCoded } from './decode'
import { diffHeaders, firstHeaders, valueOf } from './headers'
import type { JsonPlaces } from './json/diff'
import { placesOf } from './places'
import type { DifferencePlaces } from './places'
import { createRedactor } from './redact'
import { Rules } from './rules/set'
import type { RuleOptions } from './rules/set'
import type { Guard } from '../guard'
import type { BodyDifference, HashReason, HeaderDifference, MismatchPart } from '../../types/index'

/** What a detailed diff leaves out, hides and keeps. Plain data. */
export interface DiffOptions extends RuleOptions {
  /** Bytes of each body that are looked into. */
  maxBodyCapture: number
  redact: readonly string[]
  /** Whether it is told what differences look like. */
  shapes?: boolean
}

/** Two complete answers that differ. Plain data, of bounded size. */
export interface Difference {
  primaryStatus: number
  shadowStatus: number
  primaryHash: string
  shadowHash: string
  /** At least one part. */
  differs: MismatchPart[]
  /** Empty without a detailed diff. */
  headers: HeaderDifference[]
  /** `null`: the bodies match. Not among the parts that differ where it is not known whether they do. */
  body: BodyDifference | null
  /** At least one. */
  places: DifferencePlaces
}

/** `null`: they match. A word: they can not be compared. */
export type Comparison = Difference | null | 'encoding' | 'memory' | 'busy' | 'cached' | 'error'

/** Compares pairs of answers. */
export interface Comparer {
  /** Whether headers are compared. */
  readonly detailed: boolean
  /** Whether a body of this Content-Encoding may be looked into, so that it has to be kept. */
  keeps (encoding: string): boolean
  /**
   * Calls back once, at once or later; until then both bodies are held. `endpoint`: the name of that of the request,
   * where rules go by it.
   */
  compare (
    primary: ComparedAnswer, shadow: ComparedAnswer, endpoint: string, callback: (comparison: Comparison) => void
  ): void
}

/**
 * Compares answers by status and hash, those of coded bodies by what they decode to: the same content comes in other
 * bytes from each compressor, and from each version of one.
 */
export class HashComparer implements Comparer {
  readonly detailed = false
  readonly #coded: CodedComparer

  /** `limit`: bytes that a coded body may have, and decode to. `memory`: what decoded bodies are held in. */
  constructor (limit: number, memory: Memory, guard?: Guard) {
    this.#coded = new CodedComparer({ limit, memory, guard })
  }

  keeps (encoding: string): boolean {
    return isCoded(encoding)
  }

  compare (
    primary: ComparedAnswer, shadow: ComparedAnswer, _endpoint: string, callback: (comparison: Comparison) => void
  ): void {
    if (primary.digest.equals(shadow.digest)) {
      callback(differenceOf(primary, shadow, [], null))
    } else if (!isCoded(primary.encoding) && !isCoded(shadow.encoding)) {
      callback(differenceOf(primary, shadow, [], { kind: 'hash', reason: 'off' }))
    } else {
      this.#coded.compare(primary, shadow, outcome => {
        if (outcome === 'match') callback(differenceOf(primary, shadow, [], null))
        else if (outcome === 'mismatch') callback(differenceOf(primary, shadow, [], { kind: 'hash', reason: 'off' }))
        else if (outcome === 'not decodable' || outcome === 'too long') {
          callback(differenceOf(primary, shadow, [], { kind: 'hash', reason: outcome }))
        } else callback(withoutBodies(primary, shadow, [], outcome))
      })
    }
  }
}

/** Compares answers of which no more is known than their status, for there was no memory for the rest. */
export function compareByStatus (primary: ComparedAnswer, shadow: ComparedAnswer): Comparison {
  if (primary.digest.equals(shadow.digest)) return differenceOf(primary, shadow, [], null) ?? 'memory'
  return withoutBodies(primary, shadow, [], 'memory')
}

/** Compares answers in detail: headers always, bodies only when their hashes differ. */
export class AnswerComparer implements Comparer {
  readonly detailed = true
  readonly #rules: Rules
  readonly #bodies: BodyComparer
  readonly #shapes: boolean

  /** `memory`: what decoded bodies are held in. `guard`: what comes back later comes behind it. */
  constructor (options: DiffOptions, memory: Memory, guard?: Guard) {
    this.#rules = new Rules(options)
    this.#shapes = options.shapes === true
    this.#bodies = new BodyComparer({
      limit: options.maxBodyCapture,
      memory,
      guard,
      redactor: createRedactor(options.redact),
      shapes: options.shapes
    })
  }

  keeps (): boolean {
    return true
  }

  compare (
    primary: ComparedAnswer, shadow: ComparedAnswer, endpoint: string, callback: (comparison: Comparison) => void
  ): void {
    const differing = diffHeaders(primary.headers, shadow.headers, this.#rules.ignored)
    const headers = differing.length === 0 ? differing : this.#rules.of(endpoint).headers.left(differing)
    if (primary.digest.equals(shadow.digest)) {
      callback(differenceOf(primary, shadow, headers, null, undefined, this.#shapes))
      return
    }
    const ofPrimary = captured(primary)
    const ofShadow = captured(shadow)
    if (ofPrimary === null || ofShadow === null) {
      callback(withoutBodies(primary, shadow, headers, 'memory', this.#shapes))
      return
    }
    this.#bodies.compare(ofPrimary, ofShadow, this.#rules.of(endpoint), outcome => {
      if (outcome.outcome === 'unknown') {
        callback(withoutBodies(primary, shadow, headers, outcome.reason, this.#shapes))
      } else {
        const [body, places] = outcome.outcome === 'match' ? [null, undefined] : [outcome.difference, outcome.places]
        callback(differenceOf(primary, shadow, headers, body, places, this.#shapes))
      }
    })
  }
}

/** `null`: there was no memory for it. */
function captured ({ body, headers, encoding }: ComparedAnswer) {
  if (body === 'memory') return null
  return {
    bytes: body === 'too long' ? null : body, contentType: valueOf(headers, 'content-type'), contentEncoding: encoding
  }
}

/** The bodies can not be compared; where something else differs, that is a difference all the same. */
function withoutBodies (
  primary: ComparedAnswer, shadow: ComparedAnswer, headers: HeaderDifference[],
  reason: HashReason & ('encoding' | 'memory' | 'busy' | 'error'), shapes?: boolean
): Comparison {
  const difference = differenceOf(primary, shadow, headers, null, undefined, shapes)
  return difference === null ? reason : { ...difference, body: { kind: 'hash', reason } }
}

function differenceOf (
  primary: ComparedAnswer, shadow: ComparedAnswer, headers: HeaderDifference[], body: BodyDifference | null,
  ofJson?: JsonPlaces, shapes?: boolean
): Difference | null {
  const differs: MismatchPart[] = []
  if (primary.status !== shadow.status) differs.push('status')
  if (headers.length > 0) differs.push('headers')
  if (body !== null) differs.push('body')
  if (differs.length === 0) return null
  const first = firstHeaders(headers)
  return {
    primaryStatus: primary.status,
    shadowStatus: shadow.status,
    primaryHash: primary.digest.hex,
    shadowHash: shadow.digest.hex,
    differs,
    headers: first,
    body,
    places: placesOf(primary.status, shadow.status, first, headers.length > first.length, body, ofJson, shapes)
  }
}
