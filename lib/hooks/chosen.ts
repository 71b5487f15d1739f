import type { FastifyBaseLogger, FastifyReply, FastifyRequest } from 'fastify'
import { AsyncResource } from 'node:async_hooks'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { Backend } from '../backend'
import { Entry, KIND, KIND_OF_DROP } from '../endpoints/books'
import type { Kind } from '../endpoints/books'
import { ownName, pathName } from '../endpoints/naming'
import type { EndpointRoute } from '../endpoints/naming'
import type { Endpoint } from '../endpoints/table'
import { Backlog } from '../engine/backlog'
import type { CopyInit, DropReason, ExchangeHandle } from '../engine/types'
import type { BackendSkip } from '../metrics/books'
import type { Mirror, Period, SharedHeaders } from '../mirror'
import { goesUp } from '../request/base-path'
import { originForm } from '../request/routed-path'
import { BodyHead } from '../tap/body-head'
import type { Guard } from '../guard'
import { hasBody, tapRequestBody, untapRequestBody } from '../tap/request-body'
import type { BodyListener } from '../tap/request-body'
import { Attempt } from './attempt'
import type { EndpointNamer, RequestSnapshot } from './attempt'
import { PrimaryAnswer, statusOf } from './primary-answer'
import { Upstream } from './reply-from'

const NOTHING = Buffer.alloc(0)

type State = 'new' | 'pending' | 'sent' | 'unhandled'

/** The headers of the copy for a backend, or why it gets none. */
type Verdict = string[] | BackendSkip | DropReason

/** One request that was chosen to be mirrored, from onRequest to the close of its response: taps its body, and sends it when the primary's is sent. */
export class Chosen implements BodyListener, EndpointNamer {
  readonly mirror: Mirror
  readonly guard: Guard
  /** Another mirrored request with the same response: it was routed twice. */
  older: Chosen | undefined = undefined
  nextListener: BodyListener | null = null
  /** The handler has begun. */
  handled = false
  readonly upstream = new Upstream()

  readonly #period: Period
  readonly #key: string | undefined
  readonly #keyFailed: boolean
  readonly #log: FastifyBaseLogger | null
  readonly #length: number
  /** Until its response is closed. */
  #raw: IncomingMessage | null
  #backlog: Backlog | null = null
  /** Bytes were lost to the budget or to `maxBacklogBytes` before the request was sent. */
  #noMemory = false
  #bodyOpen = false
  /** Somebody read of the body before the request was chosen. */
  #bodyLost = false
  #bodyHead: BodyHead | null = null
  #state: State = 'new'
  #exchange: ExchangeHandle | null = null
  /** Backends of which it is counted what came of the request. */
  #decided = 0
  /** Backends of which its endpoint has counted that. */
  #counted = 0
  /** Copies that are started, and that no exchange has yet. */
  #attempts: Attempt[] = []
  /** `null`: nothing is compared. */
  readonly #primary: PrimaryAnswer | null
  readonly #route: EndpointRoute
  readonly #named: boolean
  /** As far as it is known. */
  #endpoint: Endpoint
  /** Where it is counted until its endpoint is known; `null`: it is known. */
  #entries: Entry[] | null = null
  /** What the client gets is not the primary's answer. */
  #primaryFailed = false
  /** Of the answer; 0: there is none yet. */
  #status = 0

  constructor (mirror: Mirror, route: EndpointRoute, request: FastifyRequest, key: string | undefined, keyFailed: boolean) {
    const { compare } = mirror.config
    this.mirror = mirror
    this.#route = route
    this.#named = mirror.config.endpoint !== 'auto'
    this.guard = mirror.engine.guard
    this.#period = mirror.period
    this.#endpoint = mirror.period.endpoints.pending
    this.#key = key
    this.#keyFailed = keyFailed
    this.#log = compare.logMismatches ? request.log : null
    this.#primary = compare.enabled ? new PrimaryAnswer(this.guard, mirror.id, mirror.engine.clock, compare.detailedDiff) : null
    const { raw } = request
    this.#raw = raw
    this.#bodyOpen = hasBody(raw, mirror.bodyless)
    this.#length = this.#bodyOpen ? Number(raw.headers['content-length'] ?? 0) : 0
  }

  /** From now on it is counted, and its body is heard. */
  begin (): void {
    this.#period.books.choose()
    this.#state = 'pending'
    if (!this.#bodyOpen) return
    this.#backlog = new Backlog(this.mirror.engine.budget, this.#length)
    if (this.compares || this.#named) this.#bodyHead = new BodyHead()
    if (!tapRequestBody(this.#raw as IncomingMessage, this)) this.#loseBody()
  }

  /** The mirror itself failed: what is not counted yet is counted as that, and all that is held is let go of. */
  fail (error: unknown): void {
    if (this.#state === 'new') this.#period.books.choose()
    if (this.#state === 'new' || this.#state === 'pending') {
      this.#period.books.offer()
      this.#state = 'sent'
    }
    if (this.#state === 'sent') {
      if (this.#endpoint === this.#period.endpoints.pending) this.#entries ??= []
      for (; this.#decided < this.mirror.backends.length; this.#decided++) this.#drop(this.#decided, 'error')
    }
    this.#settle(this.#period.endpoints.other)
    for (const attempt of this.#attempts) attempt.fail(error)
    this.#attempts = []
    this.#exchange?.fail(error)
    if (this.#bodyOpen) untapRequestBody(this.#raw as IncomingMessage, this)
    this.#bodyOpen = false
    this.#backlog?.dispose()
    this.#backlog = null
  }

  get mirrorId (): string {
    return this.mirror.id
  }

  get pending (): boolean {
    return this.#state === 'pending'
  }

  get compares (): boolean {
    return this.#primary !== null
  }

  onBodyData (chunk: Buffer): void {
    this.#bodyHead?.add(chunk)
    if (this.#exchange !== null) {
      this.#exchange.write(chunk)
    } else if (this.#backlog !== null && !this.#noMemory) {
      this.#noMemory = this.#backlog.received + chunk.length > this.mirror.config.maxBacklogBytes || !this.#backlog.append(chunk)
      if (this.#noMemory) this.#backlog.dispose()
    }
  }

  onBodyEnd (): void {
    this.#bodyOpen = false
    if (this.#exchange !== null) this.#exchange.end()
    else if (this.#backlog !== null) this.#backlog.ended = true
  }

  /** The primary begins to work on the request. */
  primaryStarts (): void {
    this.handled = true
    this.#primary?.begin()
  }

  /** The primary's backend failed: what the gateway answers is its own. */
  primaryFails (): void {
    this.#primaryFailed = true
    if (this.#primary !== null) this.#primary.failed = true
  }

  /** The upstream's answer begins, with these headers before anybody rewrites them. */
  onUpstreamHeaders (headers: IncomingHttpHeaders): void {
    this.#primaryFailed = false
    this.#primary?.onUpstreamHeaders(headers)
  }

  /** The upstream's answer is given to a function of the user's, who makes the client's of it. */
  onUpstreamBody (request: FastifyRequest, reply: FastifyReply, body: unknown): void {
    this.#primary?.onUpstreamBody(request, reply, body)
  }

  /** Sends the copies. `path`: with query, in origin form. */
  send (request: FastifyRequest, path: string): void {
    const shared: SharedHeaders = { headers: null }
    // Users' functions first: none of them may see books that do not close.
    const verdicts: Verdict[] = []
    for (const backend of this.mirror.backends) verdicts.push(this.#judge(backend, request, shared, path))
    const copies = this.#offer(verdicts, path, this.compares ? this.#snapshot(request, path) : null)
    if (copies.length === 0) {
      this.#dropBody()
      return
    }
    // reply-from sends on what it reads. Before it, and anywhere else, a reader may write to what it got: decode it in place, or wipe it.
    if (this.#backlog !== null) this.#backlog.fixed = this.upstream.asks && request.body === request.raw
    this.#exchange = this.mirror.engine.open({
      method: request.raw.method as string,
      backlog: this.#backlog,
      length: this.#length,
      compare: this.compares,
      copies
    })
    this.#backlog = null
    this.#attempts = []
    if (this.#primary !== null) this.#primary.exchange = this.#exchange
  }

  /** Sends the copies with the request's own path. */
  sendAsIs (request: FastifyRequest): void {
    this.send(request, originForm(request.raw.url as string))
  }

  /** No backend took a copy at `now`: each counts why, and nothing is sent. */
  refuse (now: number): void {
    this.#offer(this.mirror.backends.map(backend => this.#skip(backend) ?? backend.gate.refusal(this.#noMemory, now) as DropReason), '', null)
    this.#dropBody()
  }

  #judge (backend: Backend, request: FastifyRequest, shared: SharedHeaders, path: string): Verdict {
    const { mirror } = this
    const refusal = this.#skip(backend) ?? backend.gate.refusal(this.#noMemory, performance.now()) ?? mirror.engine.refusal()
    if (refusal !== null) return refusal
    if (backend.config.basePath !== '' && goesUp(path)) return 'path'
    if (this.#keyFailed || this.#bodyLost) return 'error'
    return mirror.headersFor(backend, request, shared) ?? 'error'
  }

  #skip (backend: Backend): BackendSkip | null {
    if (!backend.enabled) return 'disabled'
    return this.mirror.samplesFor(backend, this.#key) ? null : 'unsampled'
  }

  /** Counts what is decided for each backend. Returns the copies for those that get one. */
  #offer (verdicts: Verdict[], path: string, snapshot: RequestSnapshot | null): Array<CopyInit<unknown>> {
    this.#endpoint = this.#knownEndpoint()
    if (this.#endpoint === this.#period.endpoints.pending) this.#entries = []
    this.#period.books.offer()
    this.#state = 'sent'
    const copies: Array<CopyInit<unknown>> = []
    // Of this request: the answer is compared in that of the connection, or of the thread's message, which others may have begun.
    const context = snapshot !== null && this.mirror.mismatches.tells ? new AsyncResource('fastify-mirror') : null
    for (let i = 0; i < verdicts.length; i++) {
      const verdict = verdicts[i]
      if (verdict === 'disabled' || verdict === 'unsampled') {
        this.#count(i, KIND.leftOut)
        this.#period.backends[i].skip(verdict)
      } else if (typeof verdict === 'string') {
        this.#drop(i, verdict)
      } else {
        const { target, config } = this.mirror.backends[i]
        const sink = new Attempt(this.mirror, i, this.#period, this.#endpoint, this, snapshot, this.#log, context)
        this.#attempts.push(sink)
        sink.start()
        this.#entries?.push(sink.entry)
        this.#counted++
        copies.push({ target, head: { path: config.basePath + path, headers: verdict }, sink })
      }
      this.#decided++
    }
    return copies
  }

  #drop (backend: number, reason: DropReason): void {
    this.#count(backend, KIND_OF_DROP[reason])
    this.#period.backends[backend].drop(reason)
  }

  /** Counts by its endpoint a request that this backend does not get; once, whatever failed behind it. */
  #count (backend: number, kind: Kind): void {
    if (backend < this.#counted) return
    const entry = new Entry(this.#endpoint, backend)
    entry.begin(kind)
    this.#counted++
    this.#entries?.push(entry)
  }

  /** Its endpoint; that of pending ones where its end or its answer must be awaited. */
  #knownEndpoint (): Endpoint {
    const { endpoints } = this.#period
    if (this.#named) return endpoints.pending
    const raw = this.#raw as IncomingMessage
    const path = pathName(this.#route, raw)
    if (this.#route.wildcard) return endpoints.find(raw.method as string, path) ?? endpoints.pending
    return endpoints.add(raw.method as string, path)
  }

  /** Its endpoint by its path, now that the primary has answered. `status`: 0 where it has not. */
  #answeredEndpoint (status: number): Endpoint {
    const { endpoints } = this.#period
    const raw = this.#raw as IncomingMessage
    const [method, path] = [raw.method as string, pathName(this.#route, raw)]
    const isFound = status !== 0 && status !== 404 && status !== 405 && !this.#primaryFailed
    if (!this.#route.wildcard || isFound) return endpoints.add(method, path)
    return endpoints.find(method, path) ?? endpoints.notFound
  }

  /** Its endpoint by its own name, now that it is over, else by its path. */
  #namedEndpoint (status: number): Endpoint {
    const { endpoint } = this.mirror.config
    try {
      const name = endpoint === 'auto' ? undefined : ownName(endpoint, this.#route, this.#raw as IncomingMessage, this.#bodyHead?.bytes ?? NOTHING)
      return name === undefined ? this.#answeredEndpoint(status) : this.#period.endpoints.add('', name)
    } catch (error) {
      this.mirror.warn('endpoint failed', error)
      return this.#period.endpoints.other
    }
  }

  /** Its answer was found to differ: what is told of that has a name, though the client may not have all of the answer yet. */
  nameEndpoint (): void {
    if (this.#entries !== null) this.#settle(this.#namedEndpoint(this.#status))
  }

  /** What was counted as pending is this endpoint's. */
  #settle (endpoint: Endpoint): void {
    if (this.#entries === null) return
    // Each leaves the list when it has moved, for whoever has to go on.
    for (let last = this.#entries.at(-1); last !== undefined; last = this.#entries.at(-1)) {
      last.moveTo(endpoint)
      this.#entries.pop()
    }
    this.#entries = null
    this.#endpoint = endpoint
  }

  /** What a mismatch of this request would be shown with. */
  #snapshot (request: FastifyRequest, sentPath: string): RequestSnapshot {
    return {
      method: request.raw.method as string,
      path: originForm(request.originalUrl),
      sentPath,
      headers: request.raw.rawHeaders,
      body: this.#bodyHead
    }
  }

  /** The answer goes out, before any other plugin's onSend has seen it. */
  onPayload (request: FastifyRequest, reply: FastifyReply, payload: unknown): void {
    if (this.#state === 'pending') {
      // What the gateway refuses to ask its primary is asked of no shadow.
      if (this.handled && !this.upstream.proxied) this.sendAsIs(request)
      else this.#leaveUnhandled()
    }
    if (this.#entries !== null) {
      this.#status = statusOf(reply, payload)
      if (!this.#named) this.#settle(this.#answeredEndpoint(this.#status))
    }
    if (this.#primary !== null) this.guard.enter(this.#primary, observePayload, request, reply, payload)
  }

  /** The response is closed, whatever happened: nothing more will come. */
  onClose (response: ServerResponse): void {
    if (this.#state === 'pending') this.#leaveUnhandled()
    if (this.#entries !== null) this.#settle(this.#namedEndpoint(response.headersSent ? response.statusCode : 0))
    if (this.#bodyOpen) {
      untapRequestBody(this.#raw as IncomingMessage, this)
      this.#bodyOpen = false
      this.#exchange?.cut()
    }
    if (this.#primary !== null) this.guard.enter(this.#primary, closePrimary, response)
    this.#exchange = this.#raw = null
  }

  #leaveUnhandled (): void {
    this.#period.books.abandon()
    this.#state = 'unhandled'
    this.#dropBody()
  }

  #loseBody (): void {
    this.#bodyLost = true
    this.#dropBody()
    this.mirror.warn('the body was read before the mirror could see it', null)
  }

  #dropBody (): void {
    if (this.#backlog === null) return
    if (this.#bodyOpen) untapRequestBody(this.#raw as IncomingMessage, this)
    this.#bodyOpen = false
    this.#backlog.dispose()
    this.#backlog = null
  }
}

function observePayload (primary: PrimaryAnswer, request: FastifyRequest, reply: FastifyReply, payload: unknown): void {
  primary.onPayload(request, reply, payload)
}

function closePrimary (primary: PrimaryAnswer, response: ServerResponse): void {
  primary.onClose(response)
}
