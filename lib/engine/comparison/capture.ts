import type { CapturedBody } from '../../compare/answer'
import { Backlog } from '../upload/backlog'
import type { Memory } from '../budget'

/**
 * An answer's body, kept to be looked into: all of it, or nothing where it is longer than `limit` or the budget does
 * not allow it.
 */
export class Capture {
  readonly #limit: number
  readonly #backlog: Backlog
  #lost: 'too long' | 'memory' | null = null

  /** `fixed`: nobody else writes to what is added. */
  constructor (memory: Memory, limit: number, fixed: boolean) {
    this.#limit = limit
    this.#backlog = new Backlog(memory, 0)
    this.#backlog.fixed = fixed
  }

  add (chunk: Uint8Array): void {
    if (this.#lost !== null) return
    if (this.#backlog.received + chunk.length > this.#limit) this.#lose('too long')
    else if (!this.#backlog.append(chunk)) this.#lose('memory')
  }

  /** All of the body, as text: its bytes are nobody else's. */
  addText (text: string): void {
    this.#backlog.fixed = true
    this.add(Buffer.from(text))
  }

  #lose (reason: 'too long' | 'memory'): void {
    this.#backlog.dispose()
    this.#lost = reason
  }

  /** The whole body, or why it is not at hand. */
  get bytes (): CapturedBody {
    return this.#lost ?? this.#backlog.whole()
  }

  dispose (): void {
    if (this.#lost === null) this.#lose('memory')
  }
}
