import { Backlog } from './backlog'
import type { Budget } from './budget'

/** The first bytes of an answer's body, kept for a diff, as far as `limit` and the budget allow: all of it, or nothing. */
export class Capture {
  readonly #limit: number
  readonly #backlog: Backlog
  #lost = false

  constructor (budget: Budget, limit: number) {
    this.#limit = limit
    this.#backlog = new Backlog(budget, 0)
  }

  add (chunk: Uint8Array): void {
    if (this.#lost) return
    if (this.#backlog.received + chunk.length > this.#limit || !this.#backlog.append(chunk)) {
      this.#lost = true
      this.#backlog.dispose()
    }
  }

  /** The whole body; `null`: it was too long. */
  get bytes (): Uint8Array | null {
    return this.#lost ? null : this.#backlog.whole()
  }

  dispose (): void {
    this.#lost = true
    this.#backlog.dispose()
  }
}
