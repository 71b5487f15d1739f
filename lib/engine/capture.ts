import type { CapturedBody } from '../compare/answers'
import { Backlog } from './backlog'
import type { Memory } from './budget'

/** An answer's body, kept for a diff: all of it, or nothing where it is longer than `limit` or the budget does not allow it. */
export class Capture {
  readonly #limit: number
  readonly #backlog: Backlog
  #lost: 'too long' | 'memory' | null = null

  constructor (memory: Memory, limit: number) {
    this.#limit = limit
    this.#backlog = new Backlog(memory, 0)
  }

  add (chunk: Uint8Array): void {
    if (this.#lost !== null) return
    if (this.#backlog.received + chunk.length > this.#limit) this.#lose('too long')
    else if (!this.#backlog.append(chunk)) this.#lose('memory')
  }

  #lose (reason: 'too long' | 'memory'): void {
    this.#lost = reason
    this.#backlog.dispose()
  }

  /** The whole body, or why it is not at hand. */
  get bytes (): CapturedBody {
    return this.#lost ?? this.#backlog.whole()
  }

  dispose (): void {
    if (this.#lost === null) this.#lose('memory')
  }
}
