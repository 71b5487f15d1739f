import { UNTOLD } from '../guard'
import type { Guard, Holder } from '../guard'
import type { LoopClock } from './loop-clock'

/**
 * How many run out of time in one turn of the event loop. To end a copy costs some 40 µs, and several times that as
 * long as it is done so rarely that V8 has not compiled it; those that wait for a backend which hangs may all have
 * begun at once.
 */
export const EXPIRING_A_TURN = 4

/** Something that can run out of time; its links are the list's own. */
export interface Expiring extends Holder {
  deadline: number
  earlier: this | null
  later: this | null
  onDeadline (): void
}

/**
 * The deadlines of one backend's copies. All have the same time, so the first to start is the first to end: a list
 * and one timer for all of them, instead of a timer a copy.
 */
export class Deadlines<T extends Expiring> implements Holder {
  readonly #time: number
  readonly #clock: Pick<LoopClock, 'now'>
  readonly #guard: Guard
  #first: T | null = null
  #last: T | null = null
  #timer: NodeJS.Timeout | null = null
  /** Some are due: the connections are read once more, or more are due than one turn may end. */
  #goingOn: NodeJS.Immediate | null = null

  /** @param time milliseconds of the clock, which stands still while the loop is blocked */
  constructor (time: number, clock: Pick<LoopClock, 'now'>, guard = UNTOLD) {
    this.#time = time
    this.#guard = guard
    this.#clock = clock
  }

  /** Does nothing for what has started already. */
  start (item: T): void {
    if (item.deadline !== 0) return
    item.deadline = this.#clock.now() + this.#time
    item.earlier = this.#last
    if (this.#last === null) this.#first = item
    else this.#last.later = item
    this.#last = item
    if (this.#timer === null && this.#goingOn === null) this.#arm(this.#time)
  }

  /** Does nothing for what has not started or is out already. */
  stop (item: T): void {
    if (item.deadline === 0) return
    item.deadline = 0
    if (item.earlier === null) this.#first = item.later
    else item.earlier.later = item.later
    if (item.later === null) this.#last = item.earlier
    else item.later.earlier = item.earlier
    item.earlier = item.later = null
  }

  /** Its time begins anew. */
  restart (item: T): void {
    this.stop(item)
    this.start(item)
  }

  close (): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    if (this.#goingOn !== null) clearImmediate(this.#goingOn)
    this.#goingOn = null
  }

  #arm (ms: number): void {
    this.#timer = this.#guard.after<Deadlines<T>>(Math.ceil(ms), this, readFirst)
  }

  /** Sets the timer for those that may expire, even after a fault. */
  fail (): void {
    this.close()
    if (this.#first !== null) this.#arm(this.#time)
  }

  /** Timers come before the connections, where an answer may lie that came in time. */
  readFirst (): void {
    this.#timer = null
    this.#goingOn = this.#guard.soon<Deadlines<T>>(this, expire)
  }

  expire (): void {
    let mayExpire = EXPIRING_A_TURN
    // A timer may fire a fraction of a millisecond early.
    const now = this.#clock.now() + 1
    while (this.#first !== null && this.#first.deadline <= now) {
      if (mayExpire-- === 0) {
        this.#timer = null
        this.#goingOn = this.#guard.soon<Deadlines<T>>(this, expire)
        return
      }
      const item = this.#first
      this.stop(item)
      this.#guard.enter<T, void>(item, onDeadline)
    }
    // Not before: what starts meanwhile needs no timer of its own.
    this.#timer = this.#goingOn = null
    // Others may have taken longer than is mayExpire. Node warns of a negative time.
    if (this.#first !== null) this.#arm(Math.max(0, this.#first.deadline - this.#clock.now()))
  }
}

function onDeadline (item: Expiring): void {
  item.onDeadline()
}

function readFirst<T extends Expiring> (deadlines: Deadlines<T>): void {
  deadlines.readFirst()
}

function expire<T extends Expiring> (deadlines: Deadlines<T>): void {
  deadlines.expire()
}
