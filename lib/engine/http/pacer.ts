import { UNTOLD } from '../../guard'
import type { Guard, Holder } from '../../guard'

/** Bytes of mirrors' answers that one turn of the event loop takes in. */
const BYTES_A_TURN = 512 * 1024
/**
 * Milliseconds that one turn of the event loop works on them. Bytes alone say little: answers may come in chunks of
 * one.
 */
const MS_A_TURN = 0.5
/**
 * Milliseconds between two turns for long answers, which so take no more than a thirteenth of the loop's time, however
 * many there are.
 */
const REST_MS = 6
/**
 * Milliseconds of work on answers that are no longer short, and how many a millisecond brings back. Past that they rest
 * like long ones: many that come at once would hold others up for as long as they take together.
 */
const MAX_CREDIT_MS = 5
const CREDIT_A_MS = 0.25

/**
 * Keeps backends that answer at full speed from taking the event loop: past the share of a turn their answers are
 * paused, and go on, in turn, when the loop has served everything else. Long answers let it rest for a while, too.
 */
export class Pacer implements Holder {
  #bytes = 0
  #ms = 0
  #credit = MAX_CREDIT_MS
  #creditAt = 0
  #scheduled = false
  #waiting: Array<() => void> = []
  #resting: Array<() => void> = []
  #timer: NodeJS.Timeout | null = null
  readonly #guard: Guard

  constructor (guard = UNTOLD) {
    this.#guard = guard
  }

  /** Whether this turn has room for more. */
  get room (): boolean {
    return this.#bytes < BYTES_A_TURN && this.#ms < MS_A_TURN
  }

  /** Whether an answer that is no longer short may go on without a rest. */
  get credit (): boolean {
    this.#refill()
    return this.#credit > 0
  }

  /**
   * So much has been taken in, and worked on for so long. `longMs`: of them, those on answers that are no longer short.
   */
  spend (bytes: number, ms: number, longMs = 0): void {
    this.#bytes += bytes
    this.#ms += ms
    if (longMs > 0) {
      this.#refill()
      this.#credit = Math.max(0, this.#credit - longMs)
    }
    this.#schedule()
  }

  #refill (): void {
    const now = performance.now()
    this.#credit = Math.min(MAX_CREDIT_MS, this.#credit + (now - this.#creditAt) * CREDIT_A_MS)
    this.#creditAt = now
  }

  /**
   * Calls `resume` in a later turn, behind those that have waited longer. `long`: of an answer that has taken its time
   * already.
   */
  wait (resume: () => void, long: boolean): void {
    if (long) {
      this.#resting.push(resume)
      this.#timer ??= this.#guard.after<Pacer>(REST_MS, this, goOn).ref()
    } else {
      this.#waiting.push(resume)
      this.#schedule()
    }
  }

  #schedule (): void {
    if (this.#scheduled) return
    this.#scheduled = true
    this.#guard.soon<Pacer>(this, nextTurn)
  }

  /** Gives those that wait their turn, even after a fault. */
  fail (): void {
    this.#scheduled = false
    this.#timer = null
    if (this.#waiting.length > 0) this.#schedule()
    if (this.#resting.length > 0) this.#timer = this.#guard.after<Pacer>(REST_MS, this, goOn).ref()
  }

  nextTurn (): void {
    this.#bytes = this.#ms = 0
    this.#scheduled = false
    this.#resume(this.#waiting)
    if (this.#waiting.length > 0) this.#schedule()
  }

  goOn (): void {
    this.#timer = null
    this.#resume(this.#resting)
    if (this.#resting.length > 0) this.#timer ??= this.#guard.after<Pacer>(REST_MS, this, goOn).ref()
  }

  /** A resumed reader may come to wait again. */
  #resume (waiting: Array<() => void>): void {
    let resumed = 0
    while (resumed < waiting.length && this.room) waiting[resumed++]()
    waiting.splice(0, resumed)
  }
}

function nextTurn (pacer: Pacer): void {
  pacer.nextTurn()
}

function goOn (pacer: Pacer): void {
  pacer.goOn()
}
