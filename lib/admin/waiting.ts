import { door } from '../guard'
import type { FastifyReply } from 'fastify'
import type { VerdictWord } from '../../types/index'
import type { Mirror } from '../mirror/mirror'

/** Requests that may wait at once: each holds a connection. */
const MOST = 100
/** Milliseconds between two looks. */
export const PAUSE = 250

/** Whose verdict it is; `null`: that of all together. */
export type Subject = Mirror | null

interface Waiter {
  readonly subject: Subject
  readonly until: number
  readonly end: () => void
}

/** Requests that wait for a verdict. One timer looks, once for all of one subject, and only while there are any. */
export class Waiting {
  readonly #read: (subject: Subject) => Promise<VerdictWord>
  readonly #waiters = new Set<Waiter>()
  #timer: NodeJS.Timeout | null = null
  #looking = false
  #closing = false

  constructor (read: (subject: Subject) => Promise<VerdictWord>) {
    this.#read = read
  }

  get full (): boolean {
    return this.#waiters.size >= MOST
  }

  /** Resolves when it is decided, after `ms`, when the client has left, or when the app is closed. */
  async wait (subject: Subject, ms: number, { raw }: FastifyReply): Promise<void> {
    if (this.#closing || raw.destroyed) return
    await new Promise<void>(resolve => {
      const enterEnd = door(() => {
        this.#waiters.delete(waiter)
        raw.off('close', enterEnd)
        resolve()
      })
      const waiter: Waiter = { subject, until: performance.now() + ms, end: enterEnd }
      raw.on('close', enterEnd)
      this.#waiters.add(waiter)
      this.#timer ??= setInterval(door(() => { this.#look().catch(enterFault) }), PAUSE).unref()
      this.#lookAt(subject).catch(enterFault)
    })
    if (this.#waiters.size > 0 || this.#timer === null) return
    clearInterval(this.#timer)
    this.#timer = null
  }

  async #look (): Promise<void> {
    const now = performance.now()
    for (const { until, end } of this.#waiters) if (now >= until) end()
    // Looking at many may take longer than a pause.
    if (this.#looking) return
    this.#looking = true
    try {
      for (const subject of new Set(Array.from(this.#waiters, ({ subject }) => subject))) await this.#lookAt(subject)
    } finally {
      this.#looking = false
    }
  }

  async #lookAt (subject: Subject): Promise<void> {
    if (await this.#read(subject) === 'not enough data') return
    for (const waiter of this.#waiters) if (waiter.subject === subject) waiter.end()
  }

  /** The app is closed: who waits is answered now. */
  close (): void {
    this.#closing = true
    for (const { end } of this.#waiters) end()
  }
}

/** Tells of what was thrown. */
const enterFault = door((error: unknown) => { throw error })
