import type { FastifyBaseLogger, FastifyReply, FastifyRequest } from 'fastify'
import { AsyncResource } from 'node:async_hooks'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { EndpointRoute } from '../endpoints/naming'
import { OF_PRIMARY } from '../engine/types'
import type { ExchangeHandle } from '../engine/types'
import type { Guard } from '../guard'
import type { EndpointNamer, RequestSnapshot } from '../mirror/copy-outcome'
import type { Mirror } from '../mirror/mirror'
import { RequestEntries } from '../mirror/request-entries'
import type { ProxyListener } from '../proxy/listener'
import type { Upstream } from '../proxy/upstream'
import { originForm } from '../request-target'
import { RequestBody } from './body'
import { decide } from './decision'
import type { Decidable, Decision } from './decision'
import { endpointAtStart, endpointByName, endpointByPath } from './endpoint'
import { planRepeat } from './plan-repeat'
import type { OutgoingCopy } from './plan-repeat'
import { PrimaryAnswer, statusOf } from './primary-answer'
import type { AnswerNamer } from './primary-answer'

/**
 * One request that was chosen to be mirrored, from onRequest to the close of its response.
 *
 * | state       | event                                                     | next        |
 * |-------------|-----------------------------------------------------------|-------------|
 * | `new`       | `begin`: it is counted, and its body heard                | `waiting`   |
 * | `waiting`   | the handler has begun, or the proxy asks: copies are sent | `sent`      |
 * | `waiting`   | an answer that nobody was asked for, or `onClose`         | `unhandled` |
 * | any         | `fail`: the mirror itself failed                          | `sent`      |
 *
 * In `sent` each backend has decided; an exchange has the copies, if there are any.
 */
export class MirroredRequest implements Decidable, ProxyListener, EndpointNamer, AnswerNamer {
  readonly mirror: Mirror
  readonly guard: Guard
  readonly key: string | undefined
  readonly keyFailed: boolean
  /** Another mirrored request with the same response: it was routed twice. */
  older: MirroredRequest | undefined = undefined
  upstream: Upstream | null = null
  body: RequestBody | null = null
  #state: 'new' | 'waiting' | 'sent' | 'unhandled' = 'new'
  /**
   * Who works on it for the primary: nobody yet, the route's handler, or an upstream, with the gateway where it refuses
   * to ask.
   */
  #primary: 'nobody' | 'handler' | 'upstream' = 'nobody'
  /** Whether the client gets something other than the primary's answer. */
  #primaryFailed = false
  /** Status of the answer that goes out. 0: there is none yet. */
  #status = 0
  readonly #entries: RequestEntries
  readonly #route: EndpointRoute
  readonly #raw: IncomingMessage
  readonly #log: FastifyBaseLogger | null
  /** `null`: nothing is compared. */
  readonly #answer: PrimaryAnswer | null
  #exchange: ExchangeHandle | null = null

  constructor (
    mirror: Mirror, route: EndpointRoute, request: FastifyRequest, key: string | undefined, keyFailed: boolean
  ) {
    const { config: { compare }, engine } = mirror
    this.mirror = mirror
    this.guard = engine.guard
    this.key = key
    this.keyFailed = keyFailed
    this.#entries = new RequestEntries(mirror)
    this.#route = route
    this.#raw = request.raw
    this.#log = compare.logMismatches ? request.log : null
    this.#answer = compare.enabled
      ? new PrimaryAnswer(
        engine.guard, mirror.id, engine.clock, compare.detailedDiff ? 'all' : keptOf(request.raw), this
      )
      : null
  }

  get mirrorId (): string {
    return this.mirror.id
  }

  get compares (): boolean {
    return this.#answer !== null
  }

  /** Its copies are neither sent nor given up. */
  get waiting (): boolean {
    return this.#state === 'waiting'
  }

  /** Its handler is about to be called. */
  get unhandled (): boolean {
    return this.#state === 'waiting' && this.#primary === 'nobody'
  }

  get #isNamed (): boolean {
    return this.mirror.config.endpoint !== 'auto'
  }

  /** From now on it is counted, and its body is heard. */
  begin (): void {
    this.#entries.choose()
    this.#state = 'waiting'
    this.body = RequestBody.of(this, this.mirror, this.#raw, this.compares || this.#isNamed)
    this.body?.hear()
    if (this.body?.unheard === true) this.mirror.warn('the body was read before the mirror could see it', null)
  }

  /** The primary begins to work on it. `primary`: who does. */
  onHandled (primary: 'handler' | 'upstream'): void {
    this.#primary = primary
    this.#answer?.begin()
  }

  /** The handler has begun, and nothing proxies. */
  onHandling (request: FastifyRequest): void {
    if (this.#state === 'waiting') this.#send(request, null)
  }

  onProxied (): void {
    if (this.#state === 'waiting') this.#answer?.begin()
    this.#primary = 'upstream'
  }

  onAsked (request: FastifyRequest, upstream: Upstream): void {
    if (this.#state === 'waiting') this.#send(request, upstream)
  }

  onUpstreamFailed (): void {
    this.#primaryFailed = true
    if (this.#answer !== null) this.#answer.failed = true
  }

  onUpstreamHeaders (headers: IncomingHttpHeaders): void {
    this.#primaryFailed = false
    this.#answer?.onUpstreamHeaders(headers)
  }

  onUpstreamBody (request: FastifyRequest, reply: FastifyReply, body: unknown): void {
    this.#answer?.onUpstreamBody(request, reply, body)
  }

  /** The answer goes out, before any other plugin's onSend has seen it. */
  onPayload (request: FastifyRequest, reply: FastifyReply, payload: unknown): void {
    if (this.#state === 'waiting') {
      // A request that the gateway refuses to send to its primary goes to no shadow.
      if (this.#primary === 'handler') this.#send(request, null)
      else this.#leaveUnhandled()
    }
    if (this.#entries.unsettled) {
      this.#status = statusOf(reply, payload)
      if (!this.#isNamed) {
        const found = this.#isFound(this.#status)
        this.#entries.settle(endpointByPath(this.#entries.period.endpoints, this.#route, this.#raw, found))
      }
    }
    if (this.#answer !== null) this.guard.enter(this.#answer, observePayload, request, reply, payload)
  }

  /** The response is closed, whatever happened: nothing more will come. */
  onClose (response: ServerResponse): void {
    if (this.#state === 'waiting') this.#leaveUnhandled()
    this.#name(response.headersSent ? response.statusCode : 0)
    this.body?.close()
    if (this.#answer !== null) this.guard.enter(this.#answer, closeAnswer, response)
    this.#exchange = null
  }

  /** Its answer differs: what is told of that has a name, though the client may not have all of the answer yet. */
  nameEndpoint (): void {
    this.#name(this.#status)
  }

  endpointFor (status: number): string | null {
    if (!this.mirror.rulebook.byEndpoint) return null
    this.#name(status)
    return this.#entries.endpoint.name
  }

  /** `status`: the answer's; 0: there was none. */
  #name (status: number): void {
    if (!this.#entries.unsettled) return
    const { mirror, body } = this
    this.#entries.settle(endpointByName(
      mirror, this.#entries.period.endpoints, this.#route, this.#raw, body?.head?.bytes, this.#isFound(status)
    ))
  }

  /** `status`: the answer's; 0: there was none. */
  #isFound (status: number): boolean {
    return status !== 0 && status !== 404 && status !== 405 && !this.#primaryFailed
  }

  #leaveUnhandled (): void {
    this.#entries.abandon()
    this.#state = 'unhandled'
    this.body?.drop()
  }

  /** Sends the copies. */
  #send (request: FastifyRequest, upstream: Upstream | null): void {
    const { mirror, body } = this
    const decision = decide(this, request, upstream)
    const copies = this.#offer(decision, request)
    if (copies.length === 0) {
      body?.drop()
      return
    }
    const { repeats } = mirror
    const repeat = repeats === null
      ? null
      : planRepeat(this, repeats, request, decision.path, copies, this.#entries.period)
    // reply-from sends on what it reads. Before it, and anywhere else, a reader may write to what it got: decode it in
    // place, or wipe it.
    const fixed = upstream !== null && request.body === request.raw
    this.#exchange = mirror.engine.open({
      method: this.#raw.method as string,
      backlog: body === null ? null : body.held(fixed),
      length: body === null ? 0 : body.length,
      compare: this.compares,
      copies,
      repeat
    })
    repeat?.sink.attach(this.#exchange)
    this.#entries.handOver()
    body?.goesTo(this.#exchange)
    if (this.#answer !== null) {
      this.#answer.exchange = this.#exchange
      if (repeat?.of === OF_PRIMARY) this.#answer.repeat = repeat.sink
    }
  }

  /** Counts what is decided for each backend. Returns the copies of those that get one. */
  #offer ({ path, backends }: Decision, request: FastifyRequest): OutgoingCopy[] {
    const { mirror } = this
    this.#entries.offer(endpointAtStart(mirror, this.#entries.period.endpoints, this.#route, this.#raw))
    this.#state = 'sent'
    const snapshot = path === '' || !this.compares ? null : this.#snapshot(request, path)
    // This request's: the answer is compared in the context of the connection, or of the thread's message, which others
    // may have begun.
    const context = snapshot !== null && mirror.mismatches.tells ? new AsyncResource('fastify-mirror') : null
    const copies: OutgoingCopy[] = []
    for (let index = 0; index < backends.length; index++) {
      const decided = backends[index]
      if (decided === 'disabled' || decided === 'unsampled') {
        this.#entries.skip(decided)
      } else if (typeof decided === 'string') {
        this.#entries.drop(decided)
      } else {
        const { target, config } = mirror.backends[index]
        const sink = this.#entries.attempt(this, snapshot, this.#log, context)
        copies.push({ target, head: { path: config.basePath + path, headers: decided }, sink })
      }
    }
    return copies
  }

  /** The request that a mismatch would be shown with. */
  #snapshot (request: FastifyRequest, sentPath: string): RequestSnapshot {
    return {
      method: request.raw.method as string,
      path: originForm(request.originalUrl),
      sentPath,
      headers: request.raw.rawHeaders,
      body: this.body?.head ?? null
    }
  }

  /** The mirror itself failed: what is not counted yet is counted as that, and all that is held is let go of. */
  fail (error: unknown): void {
    if (this.#state === 'new') this.#entries.choose()
    if (this.#state === 'new' || this.#state === 'waiting') {
      this.#entries.offer(this.#entries.period.endpoints.pending)
      this.#state = 'sent'
    }
    if (this.#state === 'sent') this.#entries.fail()
    this.#entries.failStarted(error)
    this.#exchange?.fail(error)
    this.body?.drop()
  }
}

/** Where headers are not compared: a request by which it is left to the answer's validators whether it has a body. */
function keptOf ({ headers }: IncomingMessage): 'validators' | 'none' {
  const conditional = headers['if-none-match'] ?? headers['if-modified-since'] ?? headers['if-range']
  return conditional === undefined ? 'none' : 'validators'
}

function observePayload (answer: PrimaryAnswer, request: FastifyRequest, reply: FastifyReply, payload: unknown): void {
  answer.onPayload(request, reply, payload)
}

function closeAnswer (answer: PrimaryAnswer, response: ServerResponse): void {
  answer.onClose(response)
}
