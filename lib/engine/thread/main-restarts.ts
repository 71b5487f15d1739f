/** Milliseconds before a thread that died is started again. */
const PAUSE_MS = 1_000
/** The longest pause, when one thread after another dies at its start. */
const LONGEST_PAUSE_MS = 60_000
/** Milliseconds after which a thread has not died at its start. */
const RAN_WELL_MS = 10_000
/** Deaths at the start, in a row, from which on it is no accident. */
const HOPELESS_DEATHS = 3

/** Decides what becomes of a thread's place. */
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
    this.#early = ran < RAN_WELL_MS ? this.#early + 1 : 1
    const early = this.#early
    const pause = Math.min(PAUSE_MS * 2 ** Math.max(early - HOPELESS_DEATHS + 1, 0), LONGEST_PAUSE_MS)
    return { pause, early, hopeless: early >= HOPELESS_DEATHS }
  }
}
