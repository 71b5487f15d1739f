/** Of so many stretches one is timed, on average. */
const EVERY = 16

/**
 * Estimates for how long the event loop runs certain stretches of code: times one in sixteen, which are picked at random, so that no rhythm
 * of them tells. Stretches may lie in others, but do not span turns of the loop.
 */
export class LoopTime {
  /** Whether anybody wants to know. */
  readonly on: boolean
  #ms = 0
  #depth = 0
  #untilTimed = 1

  constructor (on: boolean) {
    this.on = on
  }

  get seconds (): number {
    return this.#ms * EVERY / 1000
  }

  /** A stretch begins. What is returned must be given to `end`, whatever happens. */
  begin (): number {
    if (!this.on || this.#depth++ > 0 || --this.#untilTimed > 0) return 0
    this.#untilTimed = 1 + Math.floor(Math.random() * (2 * EVERY - 1))
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
