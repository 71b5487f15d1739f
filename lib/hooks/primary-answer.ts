import type { FastifyReply, FastifyRequest } from 'fastify'
import { EventEmitter } from 'node:events'
import type { IncomingHttpHeaders, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { ExchangeHandle } from '../engine/types'
import type { LoopTime } from '../metrics/loop-time'
import { Answer, tapNodeStream, tapWebStream } from '../tap/answer'
import type { AnswerListener } from '../tap/answer'
import { flatHeaders } from './answer-headers'

/** The primary's answer to one request whose copies are compared with it: tells their exchange of it as it goes out to the client. */
export class PrimaryAnswer implements AnswerListener {
  /** The primary's backend failed: what the gateway answers is its own. */
  failed = false
  /** `null`: nothing has been sent that it could be compared with. */
  exchange: ExchangeHandle | null = null
  readonly #loopTime: LoopTime
  /** Whether headers are compared. */
  readonly #diffs: boolean
  #startedAt = 0
  #answer: Answer | null = null
  /** The exchange knows all that it ever will. */
  #told = false
  /** Of a proxied answer, before anybody rewrites them; `null`: not proxied. */
  #upstreamEncoding: string | null = null
  #upstreamHeaders: string[] | null = null

  constructor (loopTime: LoopTime, diffs: boolean) {
    this.#loopTime = loopTime
    this.#diffs = diffs
  }

  /** The primary begins to work on the request. */
  begin (): void {
    this.#startedAt = performance.now()
  }

  /** The upstream's answer begins, with these headers before anybody rewrites them. */
  onUpstreamHeaders (headers: IncomingHttpHeaders): void {
    this.#upstreamEncoding = codings(headers['content-encoding'])
    if (this.#diffs) this.#upstreamHeaders = flatHeaders(headers)
    // Whatever was wrong before, this is an upstream's answer.
    this.failed = false
  }

  /** The answer goes out, before any other plugin's onSend has seen it. */
  onPayload (request: FastifyRequest, reply: FastifyReply, payload: unknown): void {
    const { exchange } = this
    if (exchange === null || this.#told || !exchange.wantsPrimary) return
    if (this.#answer !== null || this.failed) {
      // A second answer: the first one, a stream, failed before its head was sent.
      this.#answer?.detach()
      this.#lose('primaryFailed')
    } else {
      this.#observe(exchange, request, reply, payload)
    }
  }

  #observe (exchange: ExchangeHandle, request: FastifyRequest, reply: FastifyReply, payload: unknown): void {
    const response = isResponse(payload) ? payload : null
    const status = response === null ? reply.statusCode : response.status
    const encoding = this.#upstreamEncoding ??
      codings(response?.headers.get('content-encoding') ?? reply.getHeader('content-encoding'))
    const headers = this.#diffs ? this.#upstreamHeaders ?? flatHeaders(reply.getHeaders() as OutgoingHttpHeaders, response) : null
    const body = response === null ? payload : response.body
    const whole = body == null || request.raw.method === 'HEAD' || status === 204 || status === 304 ? '' : body
    if (typeof whole === 'string' || whole instanceof Uint8Array) {
      exchange.primaryWhole(status, encoding, headers, whole, performance.now() - this.#startedAt)
      this.#told = true
    } else {
      exchange.primaryStarts(status, encoding, headers)
      this.#answer = new Answer(this, reply.raw)
      if (whole instanceof EventEmitter) tapNodeStream(whole, this.#answer)
      else if (isWebStream(whole)) tapWebStream(whole, this.#answer)
    }
  }

  onAnswerData (chunk: Uint8Array): void {
    const begun = this.#loopTime.begin()
    try {
      this.exchange?.primaryData(chunk)
    } finally {
      this.#loopTime.end(begun)
    }
  }

  onAnswerEnd (): void {
    const begun = this.#loopTime.begin()
    try {
      this.#told = true
      this.exchange?.primaryEnds(this.#answer?.heldBack ? NaN : performance.now() - this.#startedAt)
    } finally {
      this.#loopTime.end(begun)
    }
  }

  /** The response is closed: nothing more will come. */
  onClose (response: ServerResponse): void {
    try {
      if (!this.#told) this.#lose(this.#whyUnanswered(response))
    } finally {
      if (!this.#told) this.#lose('untapped')
      this.#answer?.detach()
      this.exchange = null
    }
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
    this.#told = true
    this.exchange?.primaryLost(reason)
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
