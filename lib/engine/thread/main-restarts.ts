/** Milliseconds before a thread that died is started again. */
const PAUSE = 1_000
/** The longest pause, when one thread after another dies at its start. */
const LONGEST = 60_000
/** Milliseconds after which a thread has not died at its start. */
const RAN_WELL = 10_000
/** Deaths at the start, in a row, from which on it is no accident. */
const MANY = 3

/** What becomes of a thread's place. */
export interface Restart {
  /** Milliseconds until the next is started. */
  readonly pause: number
  /** Threads that died at their start, one after another. */
  readonly early: number
  /** Whether so many did that somebody has to do something. */
  readonly hopeless: boolean
}

/** How long to wait for the next thread: a second, and ever longer where each dies at its start. */
export class Restarts {
  #early = 0

  /** @param ran milliseconds for which the thread ran that died */
  next (ran: number): Restart {
    this.#early = ran < RAN_WELL ? this.#early + 1 : 1
    const early = this.#early
    return { pause: Math.min(PAUSE * 2 ** Math.max(early - MANY + 1, 0), LONGEST), early, hopeless: early >= MANY }
  }
}
