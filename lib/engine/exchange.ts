import type { Guard } from '../guard'
import { compareByStatus } from '../compare/answers'
import type { Comparison } from '../compare/answers'
import type { ComparedAnswer } from '../compare/answer'
import { Digest, NO_DIGEST } from '../compare/digest'
import { Capture } from './capture'
import { constantError } from './constant-error'
import { Copy } from './copy'
import type { Backlog } from './backlog'
import type { Expiring } from './deadlines'
import type { Target } from './target'
import type { CopySink, Difference, ExchangeHandle, ExchangeInit, FailureReason, NotComparedReason, PairLatency } from './types'

const CUT = constantError('the request ended before its body was complete')
const SLOW = constantError('the backend takes the request body too slowly')
const NO_MEMORY = constantError('the memory for request bodies is used up')
const STALLED = constantError('the client sends nothing more of its body')
const BEHIND = constantError('the mirror\'s thread fell behind')

const NO_HEADERS: readonly string[] = []

type Primary = 'open' | 'complete' | NotComparedReason

/**
 * One mirrored request: the client's body goes in and on to every copy; the primary's answer goes in and is compared with
 * each copy's. Plain data in, each copy's sink hears the outcome.
 */
export class Exchange implements ExchangeHandle, Expiring {
  deadline = 0
  earlier: this | null = null
  later: this | null = null
  /** Among those that its engine has open. */
  place = 0
  readonly method: string
  readonly backlog: Backlog | null
  readonly length: number
  readonly #copies: Copy[] = []
  readonly #onSettled: (exchange: Exchange) => void
  readonly #guard: Guard
  #live: number
  #answered: Copy[] | null = null

  #primary: Primary
  readonly #primaryAnswer: ComparedAnswer = { status: 0, encoding: '', digest: NO_DIGEST, headers: NO_HEADERS, body: 'memory' }
  #primaryMs = NaN
  #primaryCapture: Capture | null = null
  /** Copies that may still be compared with the primary's answer. */
  #undecided: number
  #settled = false

  constructor (init: ExchangeInit<Target>, guard: Guard, onSettled: (exchange: Exchange) => void) {
    this.#guard = guard
    this.method = init.method
    this.backlog = init.backlog
    this.length = init.length
    this.#primary = init.compare ? 'open' : 'off'
    this.#onSettled = onSettled
    this.#live = this.#undecided = init.copies.length
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

  /** What has come of the body is held for every backend, as far as each may hold it. */
  begin (): void {
    const { backlog } = this
    if (backlog === null) return
    this.#hold(backlog.received)
    if (!backlog.ended && this.#live > 0) this.#stalls.start(this)
  }

  get #stalls () {
    return this.#copies[0].target.stalls
  }

  #hold (bytes: number): void {
    for (const copy of this.#copies) this.#guard.enter(copy, hold, bytes)
  }

  /** The client has sent nothing for a while. */
  onDeadline (): void {
    for (const copy of this.#copies) this.#guard.enter(copy, abort, 'bodyTimeout', STALLED)
  }

  dispatch (): void {
    for (const copy of this.#copies) {
      if (copy.ended) continue
      this.#guard.enter(copy, dispatch)
    }
  }

  write (chunk: Buffer): void {
    this.append(chunk)
    this.giveUpSlow()
  }

  /** The client sent a piece of the body, but others have come with it: which copies are too slow has to be looked at later. */
  append (chunk: Buffer): void {
    const { backlog } = this
    if (backlog === null || this.#live === 0) return
    this.#hold(chunk.length)
    if (this.#live === 0) return
    this.#stalls.restart(this)
    if (!backlog.append(chunk)) this.overflow('memory')
    else for (const copy of this.#copies) this.#guard.enter(copy, wake)
  }

  /** Ends copies whose backend falls behind the client by more than it may. */
  giveUpSlow (): void {
    const { backlog } = this
    if (backlog === null) return
    for (const copy of this.#copies) {
      if (copy.fellBehind(backlog.received)) this.#guard.enter(copy, abort, 'slow', SLOW)
    }
  }

  end (): void {
    if (this.backlog === null || this.#live === 0) return
    this.backlog.ended = true
    this.#stalls.stop(this)
    for (const copy of this.#copies) {
      if (copy.ended) continue
      this.#guard.enter(copy, end)
    }
  }

  /** The body can't be held any longer. */
  overflow (reason: 'memory' | 'thread'): void {
    for (const copy of this.#copies) this.#guard.enter(copy, abort, reason, reason === 'memory' ? NO_MEMORY : BEHIND)
  }

  cut (): void {
    for (const copy of this.#copies) this.#guard.enter(copy, abort, 'aborted', CUT)
  }

  fail (error: unknown): void {
    for (const copy of this.#copies) this.#guard.enter(copy, failed, error)
    this.primaryLost('error')
  }

  /** The backend of some copy has taken more of the body: what all have is freed. */
  advanced (): void {
    let slowest = Infinity
    let flushed = Infinity
    for (const copy of this.#copies) {
      if (!copy.ended && copy.sent < slowest) slowest = copy.sent
      // Of an ended one's as well, whose connection may have been cut while it wrote.
      if (copy.sentAndFlushed < flushed) flushed = copy.sentAndFlushed
    }
    this.backlog?.release(slowest, flushed)
  }

  copyEnded (): void {
    this.#live--
    this.#freeBody()
  }

  #freeBody (): void {
    if (this.#live > 0) {
      this.advanced()
      return
    }
    this.backlog?.dispose()
    this.#stalls.stop(this)
  }

  primaryWhole (status: number, encoding: string, headers: string[] | null, body: string | Uint8Array, ms: number): void {
    if (!this.wantsPrimary) return
    this.#primaryHead(status, encoding, headers)
    if (typeof body === 'string') this.#primaryCapture?.addText(body)
    else this.#primaryCapture?.add(body)
    this.#primaryAnswer.digest = Digest.of(body)
    this.#primaryComplete(ms)
  }

  primaryStarts (status: number, encoding: string, headers: string[] | null): void {
    if (!this.wantsPrimary) return
    this.#primaryHead(status, encoding, headers)
    this.#primaryAnswer.digest = new Digest()
  }

  primaryData (chunk: Uint8Array): void {
    const { digest } = this.#primaryAnswer
    if (!this.wantsPrimary || digest === NO_DIGEST) return
    digest.update(chunk)
    this.#primaryCapture?.add(chunk)
  }

  primaryEnds (ms: number): void {
    const { digest } = this.#primaryAnswer
    if (!this.wantsPrimary || digest === NO_DIGEST) return
    digest.end()
    this.#primaryComplete(ms)
  }

  primaryLost (reason: NotComparedReason): void {
    if (this.#primary !== 'open') return
    this.#primary = reason
    this.#freePrimary()
    this.#settle()
  }

  #primaryHead (status: number, encoding: string, headers: string[] | null): void {
    const answer = this.#primaryAnswer
    answer.status = status
    answer.encoding = encoding
    if (headers !== null) answer.headers = headers
    const { comparer, budget, maxCapture } = this.#copies[0].target
    // Who made the answer may write to its bytes again, and so may who sends it on.
    if (comparer.keeps(encoding)) this.#primaryCapture = new Capture(budget, maxCapture, false)
  }

  #primaryComplete (ms: number): void {
    this.#primary = 'complete'
    this.#primaryMs = ms
    this.#settle()
  }

  #settle (): void {
    const answered = this.#answered
    this.#answered = null
    if (answered !== null) for (const copy of answered) this.#guard.enter(copy, judge)
  }

  /** A copy has ended without an answer. */
  failed (copy: Copy): void {
    this.#decide(copy)
  }

  /** Something of ours threw when a copy had ended: whatever was not done, is. */
  lose (copy: Copy, error: unknown): void {
    copy.freeAnswer()
    this.#guard.enter(copy.sink, failSink, error)
    this.#freeBody()
    this.#decide(copy)
  }

  answered (copy: Copy): void {
    this.#guard.enter(copy.sink, answered, copy.status, copy.ms)
    if (this.#primary === 'open') {
      copy.wait()
      ;(this.#answered ??= []).push(copy)
    } else {
      this.judge(copy)
    }
  }

  /** @internal */
  judge (copy: Copy): void {
    const { comparer } = copy.target
    if (this.#primary !== 'complete') {
      this.#tell(copy, this.#primary as NotComparedReason)
    } else if (copy.headersLost) {
      this.#tell(copy, compareByStatus(this.#primaryAnswer, copy))
    } else {
      if (this.#primaryCapture !== null) this.#primaryAnswer.body = this.#primaryCapture.bytes
      if (copy.capture !== null) copy.body = copy.capture.bytes
      comparer.compare(this.#primaryAnswer, copy, comparison => this.#tell(copy, comparison))
    }
  }

  /** The app closes, and all copies have ended: what waits to be compared will not be. */
  close (): void {
    this.primaryLost('closing')
    for (const copy of this.#copies) if (copy.ended) this.#tell(copy, 'closing')
  }

  #tell (copy: Copy, comparison: Comparison | NotComparedReason): void {
    // A comparison may come to its end when the app has been closed.
    if (copy.told) return
    copy.freeAnswer()
    if (typeof comparison === 'string') {
      this.#guard.enter(copy.sink, notCompared, comparison)
    } else {
      const ms = this.#primaryMs
      const difference = copy.ms - ms
      this.#guard.enter(copy.sink, compared, comparison, Number.isNaN(difference) ? null : { primary: ms, difference })
    }
    this.#decide(copy)
  }

  /** The copy's sink has heard the last. Called again where something of it threw. */
  #decide (copy: Copy): void {
    if (!copy.told) this.#undecided--
    copy.told = true
    if (this.#undecided > 0 || this.#settled) return
    this.#freePrimary()
    this.#onSettled(this)
    this.#settled = true
  }

  /** The primary's body will not be looked into any more. */
  #freePrimary (): void {
    this.#primaryCapture?.dispose()
    this.#primaryCapture = null
    this.#primaryAnswer.body = 'memory'
    this.#primaryAnswer.digest = NO_DIGEST
  }
}

function dispatch (copy: Copy): void {
  // Before the body is complete: for the connection alone.
  copy.target.deadlines.start(copy)
  copy.dispatch()
}

function wake (copy: Copy): void {
  copy.wake()
}

function end (copy: Copy): void {
  copy.target.deadlines.restart(copy)
  copy.wake()
}

function hold (copy: Copy, bytes: number): void {
  if (!copy.hold(bytes)) copy.abort('memory', NO_MEMORY)
}

function abort (copy: Copy, reason: FailureReason, error: Error): void {
  copy.abort(reason, error)
}

function failed (copy: Copy, error: unknown): void {
  copy.fail(error)
}

function judge (copy: Copy): void {
  copy.exchange.judge(copy)
}

function answered (sink: CopySink, status: number, ms: number): void {
  sink.onAnswered(status, ms)
}

function compared (sink: CopySink, difference: Difference | null, latency: PairLatency | null): void {
  sink.onCompared(difference, latency)
}

function notCompared (sink: CopySink, reason: NotComparedReason): void {
  sink.onNotCompared(reason)
}

function failSink (sink: CopySink, error: unknown): void {
  sink.fail(error)
}
