import type { IncomingMessage } from 'node:http'
import { Backlog } from '../engine/upload/backlog'
import type { ExchangeHandle } from '../engine/types'
import type { Guard, Holder } from '../guard'
import type { Mirror } from '../mirror/mirror'
import { BodyHead } from '../tap/body-head'
import { hasBody, tapRequestBody, untapRequestBody } from '../tap/request-body'
import type { BodyListener } from '../tap/request-body'

/**
 * The body of a mirrored request, as it is received.
 *
 * | state     | event                             | next      | what becomes of a piece |
 * |-----------|-----------------------------------|-----------|-------------------------|
 * | `held`    | a piece that may not be held      | `lost`    | it is held              |
 * | `held`    | `goesTo`: the copies are sent     | `flowing` |                         |
 * | `lost`    |                                   |           | it is let pass          |
 * | `flowing` |                                   |           | it goes to the exchange |
 * | any       | `drop`: no copy needs it any more | `dropped` | it is not heard         |
 */
export class RequestBody implements BodyListener {
  nextListener: BodyListener | null = null
  readonly guard: Guard
  /** Length that the client declared. 0: not known. */
  readonly length: number
  /** Its first bytes; `null`: nobody needs them. */
  readonly head: BodyHead | null
  /** Somebody has read of it before it could be heard. */
  unheard = false
  #state: 'held' | 'lost' | 'flowing' | 'dropped' = 'held'
  readonly #owner: Holder
  readonly #raw: IncomingMessage
  readonly #limit: number
  readonly #backlog: Backlog
  #exchange: ExchangeHandle | null = null
  #ended = false

  private constructor (owner: Holder, mirror: Mirror, raw: IncomingMessage, keepsHead: boolean) {
    this.#owner = owner
    this.#raw = raw
    this.guard = mirror.engine.guard
    this.#limit = mirror.config.maxBacklogBytes
    this.length = Number(raw.headers['content-length'] ?? 0)
    this.#backlog = new Backlog(mirror.engine.budget, this.length)
    this.head = keepsHead ? new BodyHead() : null
  }

  /** `null`: the request has no body that is copied. `owner`: who fails where the body does. */
  static of (owner: Holder, mirror: Mirror, raw: IncomingMessage, keepsHead: boolean): RequestBody | null {
    return hasBody(raw, mirror.bodyless) ? new RequestBody(owner, mirror, raw, keepsHead) : null
  }

  get mirrorId (): string | undefined {
    return this.#owner.mirrorId
  }

  /** There was no memory for it. */
  get lost (): boolean {
    return this.#state === 'lost'
  }

  /** All of it has come. */
  get ended (): boolean {
    return this.#ended
  }

  /** From now on it is heard. */
  hear (): void {
    this.unheard = !tapRequestBody(this.#raw, this)
    if (this.unheard) this.drop()
  }

  onBodyData (chunk: Buffer): void {
    this.head?.add(chunk)
    if (this.#state === 'flowing') (this.#exchange as ExchangeHandle).write(chunk)
    else if (this.#state === 'held' && !this.#holds(chunk)) this.#lose()
  }

  #holds (chunk: Buffer): boolean {
    return this.#backlog.received + chunk.length <= this.#limit && this.#backlog.append(chunk)
  }

  #lose (): void {
    this.#state = 'lost'
    this.#backlog.dispose()
  }

  onBodyEnd (): void {
    this.#ended = true
    if (this.#state === 'flowing') (this.#exchange as ExchangeHandle).end()
    else this.#backlog.ended = true
  }

  /** Hands what has come so far to an exchange. `fixed`: nobody writes to what comes from now on. */
  held (fixed: boolean): Backlog {
    this.#backlog.fixed = fixed
    return this.#backlog
  }

  /** An exchange has got what is held, and gets what comes. */
  goesTo (exchange: ExchangeHandle): void {
    this.#exchange = exchange
    this.#state = 'flowing'
  }

  /** The response is closed: what has not come will not. */
  close (): void {
    if (!this.#ended) this.#exchange?.cut()
    this.drop()
  }

  /** No copy needs it any more. */
  drop (): void {
    if (!this.#ended) untapRequestBody(this.#raw, this)
    this.#ended = true
    if (this.#state === 'held' || this.#state === 'lost') this.#backlog.dispose()
    this.#state = 'dropped'
    this.#exchange = null
  }

  fail (error: unknown): void {
    this.#owner.fail(error)
  }
}
