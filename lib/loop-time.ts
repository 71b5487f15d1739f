/** One in so many stretches is timed, on average: the clock costs more than most stretches take. */
const STRETCHES_A_SAMPLE = 64
const LOG_OF_REST = Math.log(1 - 1 / STRETCHES_A_SAMPLE)

/**
 * Estimates for how long the event loop runs certain stretches of code, from a few that are picked at random: each as
 * likely as any other, whatever their rhythm. Stretches may lie in others, but do not span turns of the loop.
 */
export class LoopTime {
  /** Whether anybody wants to know. */
  readonly on: boolean
  #ms = 0
  #depth = 0
  #untilTimed: number
  readonly #random: () => number

  /** `random`: from 0 to below 1. */
  constructor (on: boolean, random = Math.random) {
    this.on = on
    this.#random = random
    this.#untilTimed = this.#pick()
  }

  /** How many stretches on the next one is timed: tossing a coin for each of them comes to the same. */
  #pick (): number {
    return 1 + Math.floor(Math.log(1 - this.#random()) / LOG_OF_REST)
  }

  get seconds (): number {
    return this.#ms * STRETCHES_A_SAMPLE / 1000
  }

  /** A stretch begins. What is returned must be given to `end`, whatever happens. */
  begin (): number {
    if (!this.on || this.#depth++ > 0 || --this.#untilTimed > 0) return 0
    this.#untilTimed = this.#pick()
    return performance.now()
  }

  end (begun: number): void {
    if (!this.on) return
    this.#depth--
    if (begun > 0) this.#ms += performance.now() - begun
  }
}

/** The same function, each call of it a stretch. */
export function timed<T, A extends unknown[], R> (
  loopTime: LoopTime, run: (this: T, ...args: A) => R
): (this: T, ...args: A) => R {
  if (!loopTime.on) return run
  return function (...args) {
    const begun = loopTime.begin()
    try {
      return run.apply(this, args)
    } finally {
      loopTime.end(begun)
    }
  }
}
