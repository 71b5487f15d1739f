import type { FastifyBaseLogger, FastifyReply, FastifyRequest } from 'fastify'
import { EventEmitter } from 'node:events'
import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Backend } from '../backend'
import { Backlog } from '../engine/backlog'
import type { CopyInit, DropReason, ExchangeHandle } from '../engine/types'
import type { BackendBooks, BackendSkip } from '../metrics/books'
import type { Mirror, Period, SharedHeaders } from '../mirror'
import { originForm } from '../request/routed-path'
import { Answer, tapNodeStream, tapWebStream } from '../tap/answer'
import type { AnswerListener } from '../tap/answer'
import { BodyHead } from '../tap/body-head'
import { hasBody, tapRequestBody, untapRequestBody } from '../tap/request-body'
import type { BodyListener } from '../tap/request-body'
import { flatHeaders } from './answer-headers'
import { Attempt } from './attempt'
import type { RequestSnapshot } from './attempt'
import type { Upstream } from './reply-from'

type State = 'pending' | 'sent' | 'unhandled'

/**
 * One request that was chosen to be mirrored, from onRequest to the close of its response: taps its body, sends it when the primary's is
 * sent, and tells the engine what the primary answered.
 */
export class Chosen implements BodyListener, AnswerListener {
  readonly mirror: Mirror
  /** The handler has begun. */
  handled = false
  /** The primary's backend failed: what the gateway answers is its own. */
  primaryFailed = false
  /** Of a proxied request: where it goes, as far as reply-from tells. */
  readonly upstream: Upstream = { base: undefined, query: undefined }

  readonly #period: Period
  readonly #key: string | undefined
  readonly #keyFailed: boolean
  readonly #log: FastifyBaseLogger | null
  readonly #length: number
  /** Until its response is closed. */
  #raw: IncomingMessage | null
  #backlog: Backlog | null = null
  /** Bytes were lost to the budget or to `maxBacklogBytes` before the request was sent. */
  #tooLong = false
  #bodyOpen = false
  /** Somebody read of the body before the request was chosen. */
  #bodyLost = false
  #bodyHead: BodyHead | null = null
  #state: State = 'pending'
  #exchange: ExchangeHandle | null = null
  #startedAt = 0
  #answer: Answer | null = null
  #answered = false
  /** Of a proxied answer, before anybody rewrites them; `null`: not proxied. */
  #upstreamEncoding: string | null = null
  #upstreamHeaders: string[] | null = null

  constructor (mirror: Mirror, request: FastifyRequest, key: string | undefined, keyFailed: boolean) {
    this.mirror = mirror
    this.#period = mirror.period
    this.#key = key
    this.#keyFailed = keyFailed
    this.#log = mirror.config.compare.logMismatches ? request.log : null
    const { raw } = request
    this.#raw = raw
    this.#bodyOpen = hasBody(raw)
    this.#length = this.#bodyOpen ? Number(raw.headers['content-length'] ?? 0) : 0
    if (this.#bodyOpen) {
      this.#backlog = new Backlog(mirror.engine.budget, this.#length)
      if (this.compares) this.#bodyHead = new BodyHead()
      if (!tapRequestBody(raw, this)) this.#loseBody()
    }
    this.#period.books.choose()
  }

  onBodyData (chunk: Buffer): void {
    const { loopTime } = this.mirror.engine
    const begun = loopTime.begin()
    try {
      this.#addBody(chunk)
    } finally {
      loopTime.end(begun)
    }
  }

  #addBody (chunk: Buffer): void {
    this.#bodyHead?.add(chunk)
    if (this.#exchange !== null) {
      this.#exchange.write(chunk)
    } else if (this.#backlog !== null && !this.#tooLong) {
      this.#tooLong = this.#backlog.received + chunk.length > this.mirror.config.maxBacklogBytes || !this.#backlog.append(chunk)
      if (this.#tooLong) this.#backlog.dispose()
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
    this.#startedAt = performance.now()
  }

  /** The upstream's answer begins, with these headers before anybody rewrites them. */
  onUpstreamHeaders (headers: IncomingHttpHeaders): void {
    this.#upstreamEncoding = codings(headers['content-encoding'])
    if (this.#diffs) this.#upstreamHeaders = flatHeaders(headers)
    // Whatever was wrong before, this is an upstream's answer.
    this.primaryFailed = false
  }

  get pending (): boolean {
    return this.#state === 'pending'
  }

  get #diffs (): boolean {
    return this.mirror.config.compare.detailedDiff
  }

  get compares (): boolean {
    return this.mirror.config.compare.enabled
  }

  /** Sends the copies. `path`: with query, in origin form. */
  send (request: FastifyRequest, path: string): void {
    this.#state = 'sent'
    const { mirror } = this
    const shared: SharedHeaders = { endToEnd: null }
    // Users' functions first: none of them may see books that do not close.
    const verdicts = mirror.backends.map(backend => this.#judge(backend, request, shared))
    this.#period.books.offer()
    const snapshot = this.compares ? this.#snapshot(request, path) : null
    const copies: Array<CopyInit<unknown>> = []
    for (let i = 0; i < verdicts.length; i++) {
      const backend = mirror.backends[i]
      const headers = this.#count(this.#period.backends[i], verdicts[i])
      if (headers === null) continue
      copies.push({
        target: backend.target,
        head: { path: backend.config.basePath + path, headers },
        sink: new Attempt(mirror, i, this.#period, snapshot, this.#log)
      })
    }
    if (copies.length === 0) {
      this.#dropBody()
      return
    }
    const backlog = this.#backlog
    this.#backlog = null
    this.#exchange = mirror.engine.open({
      method: request.raw.method as string,
      backlog,
      length: this.#length,
      compare: this.compares,
      copies
    })
  }

  /** No backend took a copy at `now`: each counts why, and nothing is sent. */
  refuse (now: number): void {
    this.#state = 'sent'
    this.#period.books.offer()
    for (let i = 0; i < this.mirror.backends.length; i++) {
      const backend = this.mirror.backends[i]
      this.#count(this.#period.backends[i], this.#skip(backend) ?? backend.gate.refusal(this.#tooLong, now) as DropReason)
    }
    this.#dropBody()
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

  /** The headers of the copy for a backend, or why it gets none. */
  #judge (backend: Backend, request: FastifyRequest, shared: SharedHeaders): string[] | BackendSkip | DropReason {
    const { mirror } = this
    return this.#skip(backend) ?? backend.gate.refusal(this.#tooLong, performance.now()) ?? mirror.engine.refusal() ??
      (this.#keyFailed || this.#bodyLost ? 'error' : mirror.headersFor(backend, request, shared) ?? 'error')
  }

  #skip (backend: Backend): BackendSkip | null {
    if (!backend.enabled) return 'disabled'
    return this.mirror.samplesFor(backend, this.#key) ? null : 'unsampled'
  }

  #count (books: BackendBooks, verdict: string[] | BackendSkip | DropReason): string[] | null {
    if (typeof verdict !== 'string') return verdict
    if (verdict === 'disabled' || verdict === 'unsampled') books.skip(verdict)
    else books.drop(verdict)
    return null
  }

  /** Sends the copies with the request's own path. */
  sendAsIs (request: FastifyRequest): void {
    this.send(request, originForm(request.raw.url as string))
  }

  /** The answer goes out, before any other plugin's onSend has seen it. */
  onPayload (request: FastifyRequest, reply: FastifyReply, payload: unknown): void {
    if (this.#state === 'pending') {
      if (this.handled) this.sendAsIs(request)
      else this.#leaveUnhandled()
    }
    const exchange = this.#exchange
    if (exchange === null || this.#answered || !exchange.wantsPrimary) return
    if (this.#answer !== null || this.primaryFailed) {
      // A second answer: the first one, a stream, failed before its head was sent.
      this.#answer?.detach()
      this.#lose('primaryFailed')
    } else {
      this.#observe(request, reply, payload)
    }
  }

  #observe (request: FastifyRequest, reply: FastifyReply, payload: unknown): void {
    const exchange = this.#exchange as ExchangeHandle
    const response = isResponse(payload) ? payload : null
    const status = response === null ? reply.statusCode : response.status
    const encoding = this.#upstreamEncoding ??
      codings(response?.headers.get('content-encoding') ?? reply.getHeader('content-encoding'))
    const headers = this.#diffs ? this.#upstreamHeaders ?? flatHeaders(reply.getHeaders() as OutgoingHttpHeaders, response) : null
    const body = response === null ? payload : response.body
    if (body == null || request.raw.method === 'HEAD' || status === 204 || status === 304) {
      this.#whole(status, encoding, headers, '')
    } else if (typeof body === 'string' || body instanceof Uint8Array) {
      this.#whole(status, encoding, headers, body)
    } else {
      exchange.primaryStarts(status, encoding, headers)
      this.#answer = new Answer(this, reply.raw)
      if (body instanceof EventEmitter) tapNodeStream(body, this.#answer)
      else if (isWebStream(body)) tapWebStream(body, this.#answer)
    }
  }

  #whole (status: number, encoding: string, headers: string[] | null, body: string | Uint8Array): void {
    this.#answered = true
    this.#exchange?.primaryWhole(status, encoding, headers, body, performance.now() - this.#startedAt)
  }

  onAnswerData (chunk: Uint8Array): void {
    const { loopTime } = this.mirror.engine
    const begun = loopTime.begin()
    try {
      this.#exchange?.primaryData(chunk)
    } finally {
      loopTime.end(begun)
    }
  }

  onAnswerEnd (): void {
    const { loopTime } = this.mirror.engine
    const begun = loopTime.begin()
    try {
      this.#answered = true
      this.#exchange?.primaryEnds(this.#answer?.heldBack ? NaN : performance.now() - this.#startedAt)
    } finally {
      loopTime.end(begun)
    }
  }

  /** The response is closed, whatever happened: nothing more will come. */
  onClose (response: ServerResponse): void {
    if (this.#state === 'pending') this.#leaveUnhandled()
    if (this.#bodyOpen) {
      untapRequestBody(this.#raw as IncomingMessage)
      this.#bodyOpen = false
      this.#exchange?.cut()
    }
    if (!this.#answered) {
      this.#lose(this.#whyUnanswered(response))
    }
    this.#answer?.detach()
    this.#exchange = this.#raw = null
  }

  #whyUnanswered (response: ServerResponse) {
    const answer = this.#answer
    const ended = response.writableEnded
    // Fastify cuts off a response that lasts past `handlerTimeout` with an error.
    if (answer?.failed || (answer?.closed && !ended) || response.errored != null) return 'primaryFailed'
    if (!ended) return 'primaryAborted'
    return answer === null ? 'hijacked' : 'untapped'
  }

  #lose (reason: 'hijacked' | 'primaryAborted' | 'primaryFailed' | 'untapped'): void {
    this.#answered = true
    this.#exchange?.primaryLost(reason)
  }

  #leaveUnhandled (): void {
    this.#state = 'unhandled'
    this.#period.books.abandon()
    this.#dropBody()
  }

  #loseBody (): void {
    this.#bodyLost = true
    this.#dropBody()
    this.mirror.warn('the body was read before the mirror could see it', null)
  }

  #dropBody (): void {
    if (this.#backlog === null) return
    untapRequestBody(this.#raw as IncomingMessage)
    this.#bodyOpen = false
    this.#backlog.dispose()
    this.#backlog = null
  }
}

function isResponse (payload: unknown): payload is Response {
  return Object.prototype.toString.call(payload) === '[object Response]'
}

/** Of a Content-Encoding header, which may have come more than once: its value in lower case. */
function codings (value: unknown): string {
  if (value == null) return ''
  return (Array.isArray(value) ? value.join(', ') : String(value)).toLowerCase()
}

function isWebStream (body: object): body is ReadableStream {
  return typeof (body as Partial<ReadableStream>).getReader === 'function'
}
