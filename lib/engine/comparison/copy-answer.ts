import type { CapturedBody, ComparedAnswer } from '../../compare/answer'
import type { Comparer } from '../../compare/answers'
import { isConditional, validatorsOf } from '../../compare/conditional'
import { Digest, NO_DIGEST } from '../../compare/digest'
import { valueOf } from '../../compare/headers'
import { latin1 } from '../../compare/latin1'
import type { Share } from '../budget'
import { Capture } from './capture'

const NO_HEADERS: readonly string[] = []
const CONTENT_ENCODING = 'content-encoding'

/** Parts that keep an answer. */
export interface Keeper {
  readonly comparer: Comparer
  /** Of answers of one version. */
  readonly repeatComparer: Pick<Comparer, 'compare'>
  readonly share: Share
  /** Bytes of an answer that are kept for the comparer. */
  readonly maxCapture: number
}

/** A backend's answer to one copy, as far as a comparison may need it. */
export class CopyAnswer implements ComparedAnswer {
  /** The final answer's; 0: no head yet. */
  status = 0
  encoding = ''
  headers: readonly string[] = NO_HEADERS
  /** There was no memory for them. */
  headersLost = false
  digest: Digest
  body: CapturedBody = 'memory'
  /** Milliseconds from dispatch on a connection to the answer's end; NaN: it gives no sample, see `LoopClock.since`. */
  ms = 0
  readonly #keeper: Keeper
  #capture: Capture | null = null
  /** Bytes of digest and headers that are counted. */
  #kept = 0

  constructor (keeper: Keeper, compare: boolean) {
    this.#keeper = keeper
    this.digest = compare ? new Digest() : NO_DIGEST
  }

  /** `asked`: the copy's headers. */
  start (status: number, headers: Buffer[], asked: readonly string[]): void {
    this.status = status
    if (this.digest !== NO_DIGEST) this.#keep(headers, asked)
  }

  #keep (headers: Buffer[], asked: readonly string[]): void {
    const { comparer, share, maxCapture } = this.#keeper
    this.encoding = contentEncoding(headers)
    // Header values are text of ISO 8859-1 (RFC 9110, section 5.5).
    if (comparer.detailed || isConditional(asked)) {
      const all = headers.map(latin1)
      this.headers = comparer.detailed ? all : validatorsOf(name => valueOf(all, name))
    }
    // Nobody else has what this connection reads.
    if (comparer.keeps(this.encoding)) this.#capture = new Capture(share, maxCapture, true)
  }

  add (chunk: Buffer): void {
    if (this.digest !== NO_DIGEST) this.digest.update(chunk)
    this.#capture?.add(chunk)
  }

  complete (ms: number): void {
    this.ms = ms
    if (this.digest !== NO_DIGEST) this.digest.end()
  }

  /** It has to wait for the primary's, which may take any time: what it keeps is counted. */
  wait (): void {
    const { share } = this.#keeper
    const length = lengthOf(this.headers)
    const kept = this.digest.kept + length
    if (share.take(kept)) {
      this.#kept = kept
      return
    }
    this.digest.seal()
    // Rather its headers than its body.
    this.#capture?.dispose()
    if (share.take(length)) {
      this.#kept = length
    } else {
      this.headersLost = this.headers.length > 0
      this.headers = NO_HEADERS
    }
  }

  /** It is about to be compared. */
  gather (): void {
    if (this.#capture !== null) this.body = this.#capture.bytes
  }

  /** It will not be looked into any more. */
  free (): void {
    this.#capture?.dispose()
    this.body = 'memory'
    this.digest = NO_DIGEST
    this.headers = NO_HEADERS
    this.#keeper.share.free(this.#kept)
    this.#kept = 0
  }
}

/** Characters of all headers. */
export function lengthOf (list: readonly string[]): number {
  let length = 0
  for (const item of list) length += item.length
  return length
}

/** All Content-Encoding values in lower case, joined as RFC 9110, section 5.3 says; `''` without any. */
function contentEncoding (headers: Buffer[]): string {
  let found = ''
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i].length === CONTENT_ENCODING.length && latin1(headers[i]).toLowerCase() === CONTENT_ENCODING) {
      found = (found === '' ? '' : found + ', ') + latin1(headers[i + 1]).toLowerCase()
    }
  }
  return found
}
