import { BodyComparer } from './bodies'
import { diffHeaders, ignoredHeaders } from './headers'
import type { HeaderList } from './headers'
import { compileIgnored } from './ignored'
import { createRedactor } from './redact'
import type { BodyDifference, HeaderDifference, MismatchPart } from '../../types/index'

/** What a detailed diff leaves out, hides and keeps. Plain data. */
export interface DiffOptions {
  /** Bytes of each body that are looked into. */
  maxBodyCapture: number
  ignoreHeaders: readonly string[]
  ignoreJsonFields: readonly string[]
  redact: readonly string[]
}

/** One side's complete answer. */
export interface ComparedAnswer {
  status: number
  /** Content-Encoding in lower case; empty without one. */
  encoding: string
  /** SHA-256 of the body, in hexadecimal. */
  hash: string
  /** For a detailed diff. */
  headers: HeaderList
  /** For a detailed diff; `null`: not captured. */
  body: Uint8Array | null
}

/** Two complete answers that differ. Plain data. */
export interface Difference {
  primaryStatus: number
  mirrorStatus: number
  primaryHash: string
  mirrorHash: string
  /** At least one part. */
  differs: MismatchPart[]
  /** Empty without a detailed diff. */
  headers: HeaderDifference[]
  /** `null`: the bodies match, or can not be compared. */
  body: BodyDifference | null
}

/** `null`: they match. A word: they can not be compared. */
export type Comparison = Difference | null | 'encoding' | 'memory'

/** Compares answers by status and hash. */
export function compareByHash (primary: ComparedAnswer, mirror: ComparedAnswer): Comparison {
  const bodiesMatch = primary.hash === mirror.hash
  const statusMatches = primary.status === mirror.status
  // Coded differently, the bytes say nothing of what they decode to. A status that differs is a difference all the same.
  const coded = primary.encoding !== mirror.encoding && !bodiesMatch
  if (coded && statusMatches) return 'encoding'
  return differenceOf(primary, mirror, [], bodiesMatch || coded ? null : { kind: 'hash', reason: 'off' })
}

/** Compares answers in detail: headers always, bodies only when their hashes differ. */
export class AnswerComparer {
  readonly #ignore: ReadonlySet<string>
  readonly #bodies: BodyComparer

  constructor (options: DiffOptions) {
    this.#ignore = ignoredHeaders(options.ignoreHeaders)
    this.#bodies = new BodyComparer({
      limit: options.maxBodyCapture,
      ignore: compileIgnored(options.ignoreJsonFields),
      redactor: createRedactor(options.redact)
    })
  }

  /** Calls back once, at once or later; until then both bodies are held. */
  compare (primary: ComparedAnswer, mirror: ComparedAnswer, callback: (comparison: Comparison) => void): void {
    const headers = diffHeaders(primary.headers, mirror.headers, this.#ignore)
    if (primary.hash === mirror.hash) {
      callback(differenceOf(primary, mirror, headers, null))
      return
    }
    this.#bodies.compare(captured(primary), captured(mirror), outcome => {
      if (outcome.outcome !== 'unknown') {
        callback(differenceOf(primary, mirror, headers, outcome.outcome === 'match' ? null : outcome.difference))
      } else {
        const reason = outcome.reason === 'busy' ? 'memory' : 'encoding'
        callback(differenceOf(primary, mirror, headers, null) ?? reason)
      }
    })
  }
}

function captured ({ body, headers, encoding }: ComparedAnswer) {
  return { bytes: body, contentType: headerOf(headers, 'content-type'), contentEncoding: encoding }
}

function headerOf (headers: HeaderList, name: string): string | undefined {
  for (let i = 0; i < headers.length; i += 2) if (headers[i].toLowerCase() === name) return headers[i + 1]
}

function differenceOf (
  primary: ComparedAnswer, mirror: ComparedAnswer, headers: HeaderDifference[], body: BodyDifference | null
): Difference | null {
  const differs: MismatchPart[] = []
  if (primary.status !== mirror.status) differs.push('status')
  if (headers.length > 0) differs.push('headers')
  if (body !== null) differs.push('body')
  if (differs.length === 0) return null
  return {
    primaryStatus: primary.status,
    mirrorStatus: mirror.status,
    primaryHash: primary.hash,
    mirrorHash: mirror.hash,
    differs,
    headers,
    body
  }
}
