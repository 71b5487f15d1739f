import { performance } from 'node:perf_hooks'
import { UNTOLD, door } from '../guard'
import type { Guard, Holder } from '../guard'
import type { Steps } from '../steps'

/** Work that waits for its turn, past which more is refused. */
const MAX_WAITING = 64
/** Milliseconds of the event loop that may be taken at a stretch. */
const SLICE = 2
/** Share of the event loop's time that may be taken in the long run. */
const SHARE = 0.2

/** Work to be done, and who hears of its result: once, whatever throws. */
class Job<T> implements Holder {
  readonly guard: Guard
  readonly #steps: Steps<T>
  readonly #callback: (result: T) => void
  readonly #broken: T
  #ended = false

  constructor (steps: Steps<T>, callback: (result: T) => void, broken: T, guard: Guard) {
    this.#steps = steps
    this.#callback = callback
    this.#broken = broken
    this.guard = guard
  }

  /** Returns whether it goes on. */
  step (): boolean {
    const { done, value } = this.#steps.next()
    if (done === true) this.#end(value)
    return done !== true
  }

  fail (): void {
    if (!this.#ended) this.#end(this.#broken)
  }

  #end (result: T): void {
    this.#callback(result)
    this.#ended = true
  }
}

function step (job: Job<unknown>): boolean {
  return job.step()
}

/**
 * Does long work in short slices, so that whatever else this thread has to do is never held up by a big document, nor
 * by many: one job at a time, a few milliseconds at a stretch, a fifth of the time in all.
 */
export class Slices {
  readonly #waiting: Array<Job<unknown>> = []
  readonly #share: number
  #credit = SLICE
  #at = 0
  #active = false

  /** `share`: of the thread's time, more than 0, at most 1. */
  constructor (share = SHARE) {
    this.#share = share
  }

  /**
   * Takes a job in, unless too many wait, and answers whether it did. Calls back with its result: before it returns
   * where the job is short and none waits. A job that throws behind `guard` has the result `broken`.
   */
  run<T> (steps: Steps<T>, callback: (result: T) => void, guard = UNTOLD, broken = undefined as T): boolean {
    if (this.#waiting.length === MAX_WAITING) return false
    this.#waiting.push(new Job(steps, callback, broken, guard) as Job<unknown>)
    if (!this.#active) this.work()
    return true
  }

  /** @internal Takes the next turn. */
  work (): void {
    this.#active = true
    const now = performance.now()
    this.#credit = Math.min(SLICE, this.#credit + (now - this.#at) * this.#share)
    this.#at = now
    while (this.#waiting.length > 0 && this.#credit > 0) {
      const job = this.#waiting[0]
      // `undefined`: it threw, and has been told of as broken.
      if (job.guard.enter(job, step) !== true) this.#waiting.shift()
      this.#spend()
    }
    this.#active = this.#waiting.length > 0
    if (!this.#active) return
    // Not a reason for the process to stay: nobody waits for a comparison.
    setTimeout(enterWork, Math.ceil((SLICE - this.#credit) / this.#share), this).unref()
  }

  #spend (): void {
    const now = performance.now()
    this.#credit -= now - this.#at
    this.#at = now
  }
}

const enterWork = door((slices: Slices) => slices.work())
