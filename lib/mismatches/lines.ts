import { door } from '../guard'
import { AsyncResource } from 'node:async_hooks'

const PERIOD = 10_000
/** Lines of a period, and besides them first lines of their kind. */
const LINES = 10
const FIRSTS = 10

/**
 * Which mismatches are logged: a bounded number in a period, and of what more comes the first of each kind. The rest is
 * told of as a number.
 */
export class Lines {
  readonly #tell: (suppressed: number) => void
  /** Context of the line at the end of a period, which belongs to no request. */
  readonly #context = new AsyncResource('fastify-mirror', { requireManualDestroy: true })
  #kinds = new Set<string>()
  #lines = 0
  #firsts = 0
  #suppressed = 0
  #periodEnds = 0
  #timer: NodeJS.Timeout | null = null

  /** `tell`: of how many were not logged in the period that ends. */
  constructor (tell: (suppressed: number) => void) {
    this.#tell = tell
  }

  admits (kind: string): boolean {
    const now = performance.now()
    if (now >= this.#periodEnds) {
      this.#periodEnds = now + PERIOD
      this.#kinds = new Set()
      this.#lines = this.#firsts = 0
    }
    const first = this.#kinds.size < LINES + FIRSTS && !this.#kinds.has(kind)
    if (first) this.#kinds.add(kind)
    if (this.#lines < LINES) {
      this.#lines++
      return true
    }
    if (first && this.#firsts < FIRSTS) {
      this.#firsts++
      return true
    }
    this.suppress()
    return false
  }

  /** Counts a mismatch that is not logged. */
  suppress (): void {
    if (this.#suppressed++ > 0) return
    this.#context.runInAsyncScope(() => {
      this.#timer = setTimeout(door(() => this.end()), PERIOD)
      this.#timer.unref()
    })
  }

  /** Tells what has not been told. */
  end (): void {
    if (this.#timer === null) return
    clearTimeout(this.#timer)
    this.#timer = null
    const suppressed = this.#suppressed
    this.#suppressed = 0
    this.#context.runInAsyncScope(() => this.#tell(suppressed))
  }
}
