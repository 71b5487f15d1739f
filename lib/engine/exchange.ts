import { Digest, digestOf } from '../compare/digest'
import { Copy } from './copy'
import type { Backlog } from './backlog'
import type { Target } from './target'
import type { Comparison, ExchangeHandle, ExchangeInit, MismatchPart, NotComparedReason } from './types'

const CUT = new Error('the request ended before its body was complete')
const OVERFLOW = new Error('the backend takes the request body too slowly')

type Primary = 'open' | 'complete' | NotComparedReason

/**
 * One mirrored request: the client's body goes in and on to every copy; the primary's answer goes in and is compared with
 * each copy's. Plain data in, each copy's sink hears the outcome.
 */
export class Exchange implements ExchangeHandle {
  readonly method: string
  readonly backlog: Backlog | null
  readonly length: number
  readonly #copies: Copy[] = []
  readonly #onCopyEnded: () => void
  #live: number
  #answered: Copy[] | null = null

  #primary: Primary
  #primaryStatus = 0
  #primaryEncoding = ''
  #primaryHeaders: string[] | null = null
  #primaryHash = ''
  #primaryMs = NaN
  #primaryDigest: Digest | null = null

  constructor (init: ExchangeInit<Target>, onCopyEnded: () => void) {
    this.method = init.method
    this.backlog = init.backlog
    this.length = init.length
    this.#primary = init.compare ? 'open' : 'off'
    this.#onCopyEnded = onCopyEnded
    this.#live = init.copies.length
    for (const { target, head, sink } of init.copies) {
      this.#copies.push(new Copy(this, target, head, sink, init.compare))
    }
  }

  get wantsPrimary (): boolean {
    return this.#primary === 'open' && (this.#live > 0 || this.#answered !== null)
  }

  get hasAllOfBody (): boolean {
    return this.backlog === null || this.backlog.ended
  }

  dispatch (): void {
    const timed = this.hasAllOfBody
    for (const copy of this.#copies) {
      if (copy.ended) continue
      if (timed && copy.deadline === 0) copy.target.deadlines.start(copy)
      copy.dispatch()
    }
  }

  write (chunk: Buffer): void {
    const { backlog } = this
    if (backlog === null || this.#live === 0) return
    if (!backlog.append(chunk)) {
      this.overflow()
      return
    }
    for (const copy of this.#copies) {
      copy.wake()
      if (backlog.received - copy.sent > copy.target.maxBacklogBytes) copy.abort('overflow', OVERFLOW)
    }
  }

  end (): void {
    if (this.backlog === null || this.#live === 0) return
    this.backlog.ended = true
    for (const copy of this.#copies) {
      if (copy.ended) continue
      copy.target.deadlines.start(copy)
      copy.wake()
    }
  }

  /** The body can't be held any longer. */
  overflow (): void {
    for (const copy of this.#copies) copy.abort('overflow', OVERFLOW)
  }

  cut (): void {
    for (const copy of this.#copies) copy.abort('aborted', CUT)
  }

  /** The backend of some copy has taken more of the body: what all have is freed. */
  advanced (): void {
    let slowest = Infinity
    for (const copy of this.#copies) {
      if (!copy.ended && copy.sent < slowest) slowest = copy.sent
    }
    this.backlog?.release(slowest)
  }

  copyEnded (): void {
    this.#live--
    if (this.#live === 0) this.backlog?.dispose()
    else this.advanced()
    this.#onCopyEnded()
  }

  primaryWhole (status: number, encoding: string, headers: string[] | null, body: string | Uint8Array, ms: number): void {
    if (!this.wantsPrimary) return
    this.#primaryHead(status, encoding, headers)
    this.#primaryComplete(digestOf(body), ms)
  }

  primaryStarts (status: number, encoding: string, headers: string[] | null): void {
    if (!this.wantsPrimary) return
    this.#primaryHead(status, encoding, headers)
    this.#primaryDigest = new Digest()
  }

  primaryData (chunk: Uint8Array): void {
    if (this.wantsPrimary) this.#primaryDigest?.update(chunk)
  }

  primaryEnds (ms: number): void {
    if (this.wantsPrimary && this.#primaryDigest !== null) this.#primaryComplete(this.#primaryDigest.end(), ms)
  }

  primaryLost (reason: NotComparedReason): void {
    if (this.#primary !== 'open') return
    this.#primary = reason
    this.#settle()
  }

  #primaryHead (status: number, encoding: string, headers: string[] | null): void {
    this.#primaryHeaders = headers
    this.#primaryStatus = status
    this.#primaryEncoding = encoding
  }

  #primaryComplete (hash: string, ms: number): void {
    this.#primary = 'complete'
    this.#primaryHash = hash
    this.#primaryMs = ms
    this.#settle()
  }

  #settle (): void {
    const answered = this.#answered
    this.#answered = null
    this.#primaryDigest = null
    if (answered !== null) for (const copy of answered) this.#judge(copy)
  }

  answered (copy: Copy): void {
    copy.sink.onAnswered(copy.status, copy.ms)
    if (this.#primary === 'open') (this.#answered ??= []).push(copy)
    else this.#judge(copy)
  }

  #judge (copy: Copy): void {
    if (this.#primary !== 'complete') {
      copy.sink.onNotCompared(this.#primary as NotComparedReason)
    } else if (this.#differsInEncodingAlone(copy)) {
      copy.sink.onNotCompared('encoding')
    } else {
      const ms = this.#primaryMs
      copy.sink.onCompared(this.#comparison(copy), Number.isNaN(ms) ? null : { primary: ms, difference: copy.ms - ms })
    }
  }

  /** Then the bytes say nothing of what they decode to. A status that differs is a difference all the same. */
  #differsInEncodingAlone (copy: Copy): boolean {
    return copy.encoding !== this.#primaryEncoding && copy.status === this.#primaryStatus && copy.hash !== this.#primaryHash
  }

  #comparison (copy: Copy): Comparison {
    const bodyMatch = copy.hash === this.#primaryHash
    const differs: MismatchPart[] = []
    if (copy.status !== this.#primaryStatus) differs.push('status')
    if (!bodyMatch) differs.push('body')
    return { primaryStatus: this.#primaryStatus, mirrorStatus: copy.status, bodyMatch, differs }
  }
}
