import type { FastifyReply, FastifyRequest } from 'fastify'
import { EventEmitter } from 'node:events'
import type { IncomingHttpHeaders, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { validatorsOf } from '../compare/conditional'
import type { LoopClock } from '../engine/loop-clock'
import type { ExchangeHandle } from '../engine/types'
import type { Guard } from '../guard'
import type { RepeatOutcome } from '../mirror/repeat-outcome'
import { Answer } from '../tap/answer'
import type { AnswerListener } from '../tap/answer'
import { tapNodeStream, untapNodeStream } from '../tap/node-stream'
import { tapWebStream } from '../tap/web-stream'
import { flatHeaders } from './answer-headers'

/** Whoever knows the endpoint of a request. */
export interface AnswerNamer {
  /** Its name, where rules go by it, else `null`; it is known from now on. `status`: of the answer. */
  endpointFor (status: number): string | null
}

/** Which headers of an answer the comparison needs. */
export type KeptHeaders = 'all' | 'validators' | 'none'

/**
 * The primary's answer to one request whose copies are compared with it: tells their exchange of it as it goes out to
 * the client.
 */
export class PrimaryAnswer implements AnswerListener {
  /** The primary's backend failed: what the gateway answers is its own. */
  failed = false
  /** `null`: nothing has been sent that it could be compared with. */
  exchange: ExchangeHandle | null = null
  /** The same request once more, to be compared with this answer; `null`: none. */
  repeat: RepeatOutcome | null = null
  readonly guard: Guard
  readonly mirrorId: string
  readonly #clock: LoopClock
  readonly #kept: KeptHeaders
  readonly #namer: AnswerNamer
  #status = 0
  #startedAt = 0
  /** The clock's, at the start. */
  #blocked = 0
  #answer: Answer | null = null
  /** It is the upstream's, and a function of the user's makes the client's of it. */
  #remade = false
  /** The answer's tap. */
  #stream: EventEmitter | null = null
  /** The exchange knows all that it ever will. */
  #told = false
  /** Headers of a proxied answer, before anybody rewrites them. `null`: it is not proxied. */
  #upstreamEncoding: string | null = null
  #upstreamHeaders: string[] | null = null

  constructor (guard: Guard, mirrorId: string, clock: LoopClock, kept: KeptHeaders, namer: AnswerNamer) {
    this.mirrorId = mirrorId
    this.guard = guard
    this.#clock = clock
    this.#kept = kept
    this.#namer = namer
  }

  /** The primary begins to work on the request. */
  begin (): void {
    this.#blocked = this.#clock.blocked
    this.#startedAt = performance.now()
  }

  /**
   * Milliseconds since then; NaN where the event loop was blocked meanwhile, and the copy may not have waited for that.
   */
  get #ms (): number {
    return this.#clock.since(this.#startedAt, this.#blocked)
  }

  /** The upstream's answer begins, with these headers before anybody rewrites them. */
  onUpstreamHeaders (headers: IncomingHttpHeaders): void {
    // Another one, that a user's function asks: the copies were sent where the first was asked.
    if (this.#remade) return
    this.#upstreamEncoding = codings(headers['content-encoding'])
    this.#upstreamHeaders = this.#keep(headers)
    // Whatever was wrong before, this is an upstream's answer.
    this.failed = false
  }

  /**
   * The upstream's answer is given to a function of the user's: whatever the client gets for it, it is what is
   * compared.
   */
  onUpstreamBody (request: FastifyRequest, reply: FastifyReply, body: unknown): void {
    const { exchange } = this
    if (exchange === null || this.#told || this.failed || this.#answer !== null || !exchange.wantsPrimary) return
    this.#remade = true
    this.#observe(exchange, request, reply, body)
  }

  /** The answer goes out, before any other plugin's onSend has seen it. */
  onPayload (request: FastifyRequest, reply: FastifyReply, payload: unknown): void {
    const { exchange } = this
    if (exchange === null || this.#told || !exchange.wantsPrimary) return
    if (this.#remade && !this.failed) return
    if (this.#answer !== null || this.failed) {
      // A second answer: the first one, a stream, failed before its head was sent.
      this.#detach()
      this.#lose('primaryFailed')
    } else {
      this.#observe(exchange, request, reply, payload)
    }
  }

  #observe (exchange: ExchangeHandle, request: FastifyRequest, reply: FastifyReply, payload: unknown): void {
    const response = isResponse(payload) ? payload : null
    const status = this.#status = statusOf(reply, payload)
    const encoding = this.#upstreamEncoding ??
      codings(response?.headers.get('content-encoding') ?? reply.getHeader('content-encoding'))
    const headers = this.#upstreamHeaders ?? this.#keep(reply.getHeaders() as OutgoingHttpHeaders, response)
    const body = response === null ? payload : response.body
    const whole = body == null || request.raw.method === 'HEAD' || status === 204 || status === 304 ? '' : body
    if (typeof whole === 'string' || whole instanceof Uint8Array) {
      this.#name(exchange)
      exchange.primaryWhole(status, encoding, headers, whole, this.#ms)
      this.#told = true
      this.repeat?.begin()
    } else {
      exchange.primaryStarts(status, encoding, headers)
      this.#answer = new Answer(this, reply.raw)
      if (whole instanceof EventEmitter) {
        this.#stream = whole
        tapNodeStream(this.#stream, this.#answer, this.#remade)
      } else if (isWebStream(whole)) {
        tapWebStream(whole, this.#answer)
      }
    }
  }

  #keep (headers: OutgoingHttpHeaders, response: Response | null = null): string[] | null {
    if (this.#kept === 'none') return null
    if (this.#kept === 'all') return flatHeaders(headers, response)
    return validatorsOf(name => response?.headers.get(name) ?? headers[name])
  }

  onAnswerData (chunk: Uint8Array): void {
    this.exchange?.primaryData(chunk)
  }

  onAnswerEnd (): void {
    if (this.exchange !== null) {
      this.#name(this.exchange)
      this.exchange.primaryEnds(this.#answer?.heldBack ? NaN : this.#ms)
    }
    this.#told = true
    this.repeat?.begin()
  }

  #name (exchange: ExchangeHandle): void {
    const endpoint = this.#namer.endpointFor(this.#status)
    if (endpoint !== null) exchange.nameEndpoint(endpoint)
  }

  /** The response is closed: nothing more will come. */
  onClose (response: ServerResponse): void {
    if (!this.#told) this.#lose(this.#whyUnanswered(response))
    this.#detach()
    this.exchange = null
  }

  /** The mirror itself failed: the answer is not compared. */
  fail (): void {
    if (!this.#told) this.#lose('error')
    this.#detach()
  }

  #detach (): void {
    this.#answer?.detach()
    if (this.#stream !== null) untapNodeStream(this.#stream, this.#answer as Answer)
    this.#stream = null
  }

  #whyUnanswered (response: ServerResponse) {
    const answer = this.#answer
    const ended = response.writableEnded
    // Fastify cuts off a response that lasts past `handlerTimeout` with an error.
    if (answer?.failed || (answer?.closed && !ended) || response.errored != null) return 'primaryFailed'
    if (!ended) return 'primaryAborted'
    return answer === null ? 'hijacked' : 'untapped'
  }

  #lose (reason: 'hijacked' | 'primaryAborted' | 'primaryFailed' | 'untapped' | 'error'): void {
    this.exchange?.primaryLost(reason)
    this.#told = true
    this.repeat?.cancel()
  }
}

/** Status of the answer that goes out: Fastify takes a `Response`'s only afterwards. */
export function statusOf (reply: FastifyReply, payload: unknown): number {
  return isResponse(payload) ? payload.status : reply.statusCode
}

function isResponse (payload: unknown): payload is Response {
  return Object.prototype.toString.call(payload) === '[object Response]'
}

/** The value of a Content-Encoding header, which may have come more than once, in lower case. */
function codings (value: unknown): string {
  if (value == null) return ''
  return (Array.isArray(value) ? value.join(', ') : String(value)).toLowerCase()
}

function isWebStream (body: object): body is ReadableStream {
  return typeof (body as Partial<ReadableStream>).getReader === 'function'
}
