import { performance } from 'node:perf_hooks'
import { LoopTime } from '../metrics/loop-time'
import type { Steps } from './tape'

/** Work that waits for its turn, past which more is refused. */
const MAX_WAITING = 64
/** Milliseconds of the event loop that may be taken at a stretch. */
const SLICE = 2
/** Share of the event loop's time that may be taken in the long run. */
const SHARE = 0.2

interface Job {
  steps: Steps<unknown>
  callback: (result: unknown) => void
  loopTime: LoopTime
}

const UNTOLD = new LoopTime(false)

/**
 * Does long work in short slices, so that whatever else this thread has to do is never held up by a big document, nor by
 * many: one job at a time, a few milliseconds at a stretch, a fifth of the time in all.
 */
export class Slices {
  readonly #waiting: Job[] = []
  readonly #share: number
  #credit = SLICE
  #at = 0
  #active = false

  /** `share`: of the thread's time, more than 0, at most 1. */
  constructor (share = SHARE) {
    this.#share = share
  }

  /**
   * Takes a job in, unless too many wait, and answers whether it did. Calls back with its result: before it returns where
   * the job is short and none waits. Neither the job nor the callback may throw. `loopTime` is told of its time.
   */
  run<T> (steps: Steps<T>, callback: (result: T) => void, loopTime = UNTOLD): boolean {
    if (this.#waiting.length === MAX_WAITING) return false
    this.#waiting.push({ steps, callback: callback as (result: unknown) => void, loopTime })
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
      const { steps, callback, loopTime } = this.#waiting[0]
      const begun = loopTime.begin()
      const step = steps.next()
      if (step.done === true) {
        this.#waiting.shift()
        callback(step.value)
      }
      loopTime.end(begun)
      this.#spend()
    }
    this.#active = this.#waiting.length > 0
    if (!this.#active) return
    // Not a reason for the process to stay: nobody waits for a comparison.
    setTimeout(work, Math.ceil((SLICE - this.#credit) / this.#share), this).unref()
  }

  #spend (): void {
    const now = performance.now()
    this.#credit -= now - this.#at
    this.#at = now
  }
}

function work (slices: Slices): void {
  slices.work()
}
