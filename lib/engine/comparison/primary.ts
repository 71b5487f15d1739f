import type { CapturedBody, ComparedAnswer } from '../../compare/answer'
import type { Comparer } from '../../compare/answers'
import { Digest, NO_DIGEST } from '../../compare/digest'
import type { Budget } from '../budget'
import { Capture } from './capture'
import { lengthOf } from './copy-answer'

const NO_HEADERS: readonly string[] = []

/** Parts that keep the primary's answer. */
export interface PrimaryKeeper {
  readonly comparer: Comparer
  readonly budget: Budget
  readonly maxCapture: number
}

/** The primary's answer to a request, or another first one, as far as others are compared with it. */
export class ComparedPrimary implements ComparedAnswer {
  status = 0
  encoding = ''
  headers: readonly string[] = NO_HEADERS
  /** `NO_DIGEST`: it has not begun, or will not be looked into any more. */
  digest: Digest = NO_DIGEST
  body: CapturedBody = 'memory'
  /** NaN: its time says nothing of the primary. */
  ms = NaN
  #capture: Capture | null = null
  #budget: Budget | null = null
  /** Bytes of digest and headers that are counted. */
  #kept = 0

  start (keeper: PrimaryKeeper, status: number, encoding: string, headers: string[] | null): void {
    this.#head(keeper, status, encoding, headers)
    this.digest = new Digest()
  }

  add (chunk: Uint8Array): void {
    this.digest.update(chunk)
    this.#capture?.add(chunk)
  }

  end (ms: number): void {
    this.digest.end()
    this.ms = ms
  }

  whole (
    keeper: PrimaryKeeper, status: number, encoding: string, headers: string[] | null, body: string | Uint8Array,
    ms: number
  ): void {
    this.#head(keeper, status, encoding, headers)
    if (typeof body === 'string') this.#capture?.addText(body)
    else this.#capture?.add(body)
    this.digest = Digest.of(body)
    this.ms = ms
  }

  /** It is another answer, which has to wait for one that is compared with it. `false`: there is no memory for that. */
  keep (keeper: PrimaryKeeper, { status, encoding, headers, digest, body }: ComparedAnswer): boolean {
    const { budget, maxCapture } = keeper
    const kept = digest.kept + lengthOf(headers)
    if (body === 'memory' || !budget.take(kept)) return false
    this.#budget = budget
    this.#kept = kept
    this.status = status
    this.encoding = encoding
    this.headers = headers
    this.digest = digest
    if (body === 'too long') {
      this.body = body
      return true
    }
    this.#capture = new Capture(budget, maxCapture, true)
    this.#capture.add(body)
    return this.#capture.bytes !== 'memory'
  }

  #head (keeper: PrimaryKeeper, status: number, encoding: string, headers: string[] | null): void {
    const { comparer, budget, maxCapture } = keeper
    this.status = status
    this.encoding = encoding
    if (headers !== null) this.headers = headers
    // Who made the answer may write to its bytes again, and so may who sends it on.
    if (comparer.keeps(encoding)) this.#capture = new Capture(budget, maxCapture, false)
  }

  /** It is about to be compared. */
  gather (): void {
    if (this.#capture !== null) this.body = this.#capture.bytes
  }

  /** Its body will not be looked into any more. */
  free (): void {
    this.#capture?.dispose()
    this.#capture = null
    this.body = 'memory'
    this.digest = NO_DIGEST
    this.#budget?.free(this.#kept)
    this.#budget = null
  }
}
