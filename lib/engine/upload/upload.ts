import type { Guard, Holder } from '../../guard'
import { constantError } from '../constant-error'
import type { Deadlines, Expiring } from '../deadlines'
import type { FailureReason } from '../../../types/index'
import type { Backlog } from './backlog'
import type { BodyOwner, CopyUpload } from './copy-upload'

const SLOW = constantError('the backend takes the request body too slowly')
const NO_MEMORY = constantError('the memory for request bodies is used up')
const STALLED = constantError('the client sends nothing more of its body')
const BEHIND = constantError('the mirror\'s thread fell behind')

/** The body of a request on its way from the client to every copy. */
export class Upload implements BodyOwner, Expiring {
  deadline = 0
  earlier: this | null = null
  later: this | null = null
  readonly backlog: Backlog
  readonly #owner: Holder
  readonly #guard: Guard
  readonly #stalls: Deadlines<Expiring>
  readonly #onGrown: (upload: Upload) => void
  readonly #copies: CopyUpload[] = []
  /** Its engine knows that more has come in this turn of the event loop. */
  #grown = false
  /** Copies that have not ended. */
  #live = 0

  /** `stalls`: the time for which the client may send nothing. `onGrown`: more has come in this turn of the loop. */
  constructor (
    owner: Holder, backlog: Backlog, stalls: Deadlines<Expiring>, guard: Guard, onGrown: (upload: Upload) => void
  ) {
    this.#owner = owner
    this.backlog = backlog
    this.#stalls = stalls
    this.#guard = guard
    this.#onGrown = onGrown
  }

  add (copy: CopyUpload): void {
    this.#copies.push(copy)
    this.#live++
  }

  get complete (): boolean {
    return this.backlog.ended
  }

  /** Holds what has come of the body for every backend, as far as each may hold it. */
  begin (): void {
    this.#hold(this.backlog.received)
    if (!this.backlog.ended && this.#live > 0) this.#stalls.start(this)
  }

  #hold (bytes: number): void {
    for (const copy of this.#copies) this.#guard.enter(copy, hold, bytes)
  }

  /** The client has sent nothing for a while. */
  onDeadline (): void {
    for (const copy of this.#copies) this.#guard.enter(copy, abort, 'bodyTimeout', STALLED)
  }

  /** The client sent a piece of the body. */
  write (chunk: Buffer): void {
    if (this.#live === 0) return
    this.#hold(chunk.length)
    if (this.#live === 0) return
    this.#stalls.restart(this)
    if (!this.backlog.append(chunk)) this.overflow('memory')
    else for (const copy of this.#copies) this.#guard.enter(copy, wake)
    if (this.#grown || !this.#copies.some(isRunning)) return
    this.#grown = true
    this.#onGrown(this)
  }

  /**
   * At the end of a turn in which more of the body has come: ends copies whose backend falls behind more than it may.
   */
  giveUpSlow (): void {
    this.#grown = false
    const { received } = this.backlog
    for (const copy of this.#copies) if (copy.fellBehind(received)) this.#guard.enter(copy, abort, 'slow', SLOW)
  }

  /** The client sent the last of the body. */
  end (): void {
    if (this.#live === 0) return
    this.backlog.ended = true
    this.#stalls.stop(this)
    for (const copy of this.#copies) if (!copy.copy.ended) this.#guard.enter(copy, end)
  }

  /** The body can't be held any longer. */
  overflow (reason: 'memory' | 'thread'): void {
    for (const copy of this.#copies) this.#guard.enter(copy, abort, reason, reason === 'memory' ? NO_MEMORY : BEHIND)
  }

  /** The backend of some copy has taken more of the body: what all have is freed. */
  advanced (): void {
    let slowest = Infinity
    let flushed = Infinity
    for (const copy of this.#copies) {
      if (!copy.copy.ended && copy.sent < slowest) slowest = copy.sent
      // An ended one's as well: its connection may have been cut while it wrote.
      if (copy.sentAndFlushed < flushed) flushed = copy.sentAndFlushed
    }
    this.backlog.release(slowest, flushed)
  }

  copyEnded (): void {
    this.#live--
    this.free()
  }

  /** Frees what no copy needs any more. */
  free (): void {
    if (this.#live > 0) {
      this.advanced()
      return
    }
    this.backlog.dispose()
    this.#stalls.stop(this)
  }

  fail (error: unknown): void {
    this.#owner.fail(error)
  }
}

function hold (copy: CopyUpload, bytes: number): void {
  if (!copy.hold(bytes)) copy.copy.abort('memory', NO_MEMORY)
}

function isRunning ({ copy }: CopyUpload): boolean {
  return copy.running
}

function abort ({ copy }: CopyUpload, reason: FailureReason, error: Error): void {
  copy.abort(reason, error)
}

function wake (copy: CopyUpload): void {
  copy.wake()
}

function end (copy: CopyUpload): void {
  copy.copy.onBodyEnd()
  copy.wake()
}
