import { door } from '../guard'

/** Milliseconds between two looks at the clock. */
const PERIOD_MS = 20
/** A look that comes so many milliseconds late finds that the loop was blocked. */
const LATE_MS = 50

/**
 * Tells what time others had while this thread's event loop could not run: a handler that computes, a process without
 * its processor. Meanwhile a backend's answer lies unread, which is not the backend's slowness.
 *
 * It looks at the clock now and then, while anybody wants to know: a timer for all.
 */
export class LoopClock {
  /** Milliseconds for which the loop was blocked, as far as was seen. They never go down. */
  blocked = 0
  #users = 0
  #lookedAt = 0
  #timer: NodeJS.Timeout | null = null

  /** Milliseconds of a time that stands still while the loop is blocked. */
  now (): number {
    return performance.now() - this.blocked
  }

  /** Looks, if that is overdue: what came while the loop was blocked may be worked on before any timer. */
  check (): void {
    if (this.#users > 0 && performance.now() - this.#lookedAt > PERIOD_MS + LATE_MS) this.look()
  }

  /**
   * Milliseconds since then; NaN where more than a tenth of them is ours: the loop was blocked, or what had come was
   * held back. `blocked`: this clock's, then. Less is let pass: long times would nearly always be left out else, and
   * what is left would be too quick.
   */
  since (started: number, blocked: number, heldMs = 0): number {
    const ms = performance.now() - started
    return (this.blocked - blocked + heldMs) * 10 > ms ? NaN : ms
  }

  /** Somebody wants to know, until `leave`. */
  enter (): void {
    this.#users++
    if (this.#timer !== null) return
    this.#lookedAt = performance.now()
    this.#timer = setInterval(enterLook, PERIOD_MS, this).unref()
  }

  leave (): void {
    this.#users--
  }

  look (): void {
    const now = performance.now()
    const late = now - this.#lookedAt - PERIOD_MS
    this.#lookedAt = now
    if (late > LATE_MS) this.blocked += late
    if (this.#users > 0) return
    clearInterval(this.#timer as NodeJS.Timeout)
    this.#timer = null
  }
}

const enterLook = door((clock: LoopClock) => clock.look())
