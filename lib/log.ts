import type { FastifyBaseLogger } from 'fastify'
import { printableError } from './printable'

const LINES_A_PERIOD = 10
const PERIOD_MS = 10_000

/**
 * Warnings of the data path at a bounded rate: ten lines in ten seconds, then silence that the next line counts. Errors
 * may quote what a backend sent; no byte of that reaches a terminal as it came.
 */
export class BoundedLog {
  readonly #log: FastifyBaseLogger
  #periodEnds = 0
  #lines = 0
  #suppressed = 0

  constructor (log: FastifyBaseLogger) {
    this.#log = log
  }

  warn (fields: Record<string, unknown>, message: string): void {
    const now = performance.now()
    if (now >= this.#periodEnds) {
      this.#periodEnds = now + PERIOD_MS
      this.#lines = 0
    }
    if (++this.#lines > LINES_A_PERIOD) {
      this.#suppressed++
      return
    }
    const suppressed = this.#suppressed
    this.#suppressed = 0
    try {
      const shown = 'err' in fields ? { ...fields, err: printableError(fields.err) } : fields
      this.#log.warn(suppressed === 0 ? shown : { ...shown, suppressed }, message)
    } catch {
      // A logger that throws must not reach the request that it was to tell of.
    }
  }
}
