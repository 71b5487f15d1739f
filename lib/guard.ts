import { LoopTime } from './loop-time'

/** Holds something for a request. When its own code throws, it lets go of all of it. */
export interface Holder {
  /** The id of the mirror that it is of, for the log. */
  readonly mirrorId?: string
  /** Ends what is under way, as failed by an error of the mirror's own. Called again where the first call threw. */
  fail (error: unknown): void
}

/** Where caught errors are told, at a bounded rate. */
export type ReportFault = (error: unknown, mirrorId: string | undefined) => void

/**
 * The one door for foreign code: hooks, observed methods, callbacks, timers and messages come in here. What our code
 * throws behind it is counted and told, and goes no further; whoever held something lets go of it. The time is told to
 * `loopTime`.
 */
export class Guard {
  readonly loopTime: LoopTime
  /** Errors that were caught since the app began. */
  caught = 0
  readonly #report: ReportFault

  constructor (report: ReportFault, loopTime = new LoopTime(false)) {
    this.#report = report
    this.loopTime = loopTime
    guards.add(this)
  }

  /** Runs `run(holder, a, b)`. Returns `undefined` where it throws. */
  enter<H extends Holder, R> (holder: H, run: (holder: H) => R): R | undefined
  enter<H extends Holder, A, R> (holder: H, run: (holder: H, a: A) => R, a: A): R | undefined
  enter<H extends Holder, A, B, R> (holder: H, run: (holder: H, a: A, b: B) => R, a: A, b: B): R | undefined
  enter<H extends Holder, A, B, C, R> (
    holder: H, run: (holder: H, a: A, b: B, c: C) => R, a: A, b: B, c: C
  ): R | undefined
  enter<H extends Holder, R> (
    holder: H, run: (holder: H, a?: unknown, b?: unknown, c?: unknown) => R, a?: unknown, b?: unknown, c?: unknown
  ): R | undefined {
    const { loopTime } = this
    const begun = loopTime.begin()
    try {
      return run(holder, a, b, c)
    } catch (error) {
      this.#letGo(holder, error)
    } finally {
      loopTime.end(begun)
    }
  }

  #letGo (holder: Holder, error: unknown): void {
    this.report(error, holder.mirrorId)
    for (let tries = 0; tries < 2; tries++) {
      try {
        return holder.fail(error)
      } catch (another) {
        this.report(another, holder.mirrorId)
      }
    }
  }

  /** Counts and tells of what was caught. */
  report (error: unknown, mirrorId?: string): void {
    this.caught++
    try {
      this.#report(error, mirrorId)
    } catch {
      // Nobody would hear it.
    }
  }

  /** A function for foreign code to call: each call runs `run(holder, a, b)` behind this guard. */
  door<H extends Holder, A, R> (holder: H, run: (holder: H, a: A) => R): (a: A) => R | undefined
  door<H extends Holder, A, B, R> (holder: H, run: (holder: H, a: A, b: B) => R): (a: A, b: B) => R | undefined
  door<H extends Holder, R> (
    holder: H, run: (holder: H, a: unknown, b: unknown) => R
  ): (a: unknown, b: unknown) => R | undefined {
    return (a, b) => this.enter(holder, run, a, b)
  }

  /** Runs `run(holder)` after `ms`. Does not keep the process alive. */
  after<H extends Holder> (ms: number, holder: H, run: (holder: H) => void): NodeJS.Timeout {
    return setTimeout(enterLater, ms, this, holder, run).unref()
  }

  /** Runs `run(holder)` when this turn of the event loop is over. */
  soon<H extends Holder> (holder: H, run: (holder: H) => void): NodeJS.Immediate {
    return setImmediate(enterLater, this, holder, run)
  }

  /** Tells of nothing more that belongs to no guard. */
  close (): void {
    guards.delete(this)
  }
}

function enterLater<H extends Holder> (guard: Guard, holder: H, run: (holder: H) => void): void {
  guard.enter(holder, run)
}

/** Guards of all apps and threads, for faults that belong to none of them. */
const guards = new Set<Guard>()

/** Where nobody is told, and nothing is timed. */
export const UNTOLD = new Guard(() => {})

/**
 * A function for foreign code to call, of which it is not known before whom it concerns: it finds the guards itself.
 * What it throws in doing so goes no further, and is told to all guards.
 */
export function door<T, A extends unknown[], R> (
  run: (this: T, ...args: A) => R
): (this: T, ...args: A) => R | undefined {
  return function (...args) {
    try {
      return run.apply(this, args)
    } catch (error) {
      for (const guard of guards) guard.report(error)
    }
  }
}
