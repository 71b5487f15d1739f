import type { FastifyReply } from 'fastify'
import type { VerdictWord } from '../../types/index'

/** Requests that may wait at once: each holds a connection. */
const MOST = 100
/** Milliseconds between two looks. */
const PAUSE = 250

interface Waiter {
  /** Whether what it waits for has come. */
  readonly decided: () => boolean
  readonly until: number
  readonly end: () => void
}

/** Requests that wait for a verdict. One timer looks for all of them, and only while there are any. */
export class Waiting {
  readonly #waiters = new Set<Waiter>()
  #timer: NodeJS.Timeout | null = null
  #closing = false

  get full (): boolean {
    return this.#waiters.size >= MOST
  }

  /** Resolves when it is decided, after `ms`, when the client has left, or when the app is closed. */
  async wait (read: () => VerdictWord, ms: number, { raw }: FastifyReply): Promise<void> {
    const decided = () => read() !== 'not enough data'
    if (this.#closing || raw.destroyed || decided()) return
    await new Promise<void>(resolve => {
      const waiter: Waiter = {
        decided,
        until: performance.now() + ms,
        end: () => {
          this.#waiters.delete(waiter)
          raw.off('close', waiter.end)
          resolve()
        }
      }
      raw.on('close', waiter.end)
      this.#waiters.add(waiter)
      this.#timer ??= setInterval(() => this.#look(), PAUSE).unref()
    })
    if (this.#waiters.size > 0 || this.#timer === null) return
    clearInterval(this.#timer)
    this.#timer = null
  }

  #look (): void {
    const now = performance.now()
    for (const { decided, until, end } of this.#waiters) if (now >= until || decided()) end()
  }

  /** The app is closed: who waits is answered now. */
  close (): void {
    this.#closing = true
    for (const { end } of this.#waiters) end()
  }
}
