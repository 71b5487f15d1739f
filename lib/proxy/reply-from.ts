import type { FastifyReply, FastifyRequest } from 'fastify'
import type { IncomingHttpHeaders } from 'node:http'
import { stringify } from 'node:querystring'
import type { ParsedUrlQueryInput } from 'node:querystring'
import { originForm } from '../request-target'
import { proxiedPath } from './path'
import { door } from '../guard'
import { kChosen, kFrom } from '../symbols'
import type { Chosen } from '../request/mirrored-request'

/** What of @fastify/reply-from's options decides where the primary's request goes and what is seen of its answer. */
interface FromOptions {
  getUpstream?: (request: FastifyRequest, base: Base) => Base
  queryString?: ((search: string | undefined, url: string, request: FastifyRequest) => string) | ParsedUrlQueryInput
  rewriteRequestHeaders?: (request: FastifyRequest, headers: IncomingHttpHeaders) => IncomingHttpHeaders
  rewriteHeaders?: (headers: IncomingHttpHeaders, request: FastifyRequest) => IncomingHttpHeaders
  onError?: (reply: Reply, error: { error: Error }) => void
  onResponse?: (request: FastifyRequest, reply: FastifyReply, response: UpstreamResponse) => void
  [option: string]: unknown
}

/** reply-from 10 gives the stream itself. */
type UpstreamResponse = { stream?: unknown }

type Base = string | string[] | undefined
type From = (this: Reply, source: string | undefined, options?: FromOptions) => unknown
interface Reply { request: FastifyRequest, from: From, [kFrom]: From, send (payload: unknown): unknown }

/** Where reply-from sends the primary's request, and whether it does, as far as it tells. */
export class Upstream {
  /** What the client gets is the upstream's answer, or the gateway's own: never a handler's. */
  proxied = false
  base: Base = undefined
  /** What the user's `queryString` function returned. */
  query: string | undefined = undefined
  /** Of the last call of `from`: as it was given. */
  source: string | undefined = undefined
  queryString: FromOptions['queryString'] = undefined
  /** It has not returned yet. */
  calling = false
  /** It has found nothing to refuse, and makes the request. */
  asks = false
  /** It has ended in an error. */
  failed = false

  call (source: string | undefined, queryString: FromOptions['queryString']): void {
    this.proxied = this.calling = true
    this.asks = this.failed = false
    this.source = source
    this.queryString = queryString
  }
}

/** Whether @fastify/reply-from, or @fastify/http-proxy, has decorated the replies of this route. */
export function canProxy (reply: object): reply is Reply {
  return typeof (reply as Partial<Reply>).from === 'function'
}

/**
 * Observes a reply's `from`, and with its first call that asks the primary where that request goes: the base URL is known only to reply-from,
 * which tells it to `getUpstream`. Every call goes on to the reply's own `from` with the same options, the functions among them wrapped.
 */
export function observeFrom (reply: Reply): void {
  reply[kFrom] = reply.from
  reply.from = from
}

const NO_OPTIONS: FromOptions = {}

function from (this: Reply, source: string | undefined, options?: FromOptions): unknown {
  const given = options ?? NO_OPTIONS
  const { request } = this
  const chosen = chosenOf(request)
  const observed = chosen.guard.enter(chosen, begin, source, given) ?? given
  const result = this[kFrom](source, observed)
  chosen.guard.enter(chosen, returned, request)
  return result
}

function begin (chosen: Chosen, source: string | undefined, options: FromOptions): FromOptions {
  if (chosen.pending) chosen.primaryStarts()
  chosen.upstream.call(source, options.queryString)
  return observedOf(options, chosen.compares)
}

function returned ({ upstream }: Chosen, request: FastifyRequest): void {
  upstream.calling = false
  if (upstream.asks) soon(request)
}

/** Requests whose primary is being asked in this turn. */
let asking: FastifyRequest[] = []

/**
 * Sends a request's copies when the primary's request is on its way: undici tells in a microtask of its own what it refuses to send (`expect`,
 * `keep-alive`, a body of a wrong kind), and this one comes after it.
 */
function soon (request: FastifyRequest): void {
  if (asking.push(request) === 1) queueMicrotask(enterAsking)
}

const enterAsking = door(sendAsked)

/** Sends the copies of requests whose primary is being asked. At once where an answer is there before the microtask. */
export function sendAsked (): void {
  const requests = asking
  asking = []
  for (const request of requests) {
    const chosen = chosenOf(request)
    if (chosen.pending && !chosen.upstream.failed) chosen.guard.enter(chosen, send, request)
  }
}

function send (chosen: Chosen, request: FastifyRequest): void {
  const now = performance.now()
  // Where nobody takes a copy it matters little where it would go, and a great deal that it costs little to know.
  if (chosen.mirror.refusesAll(now)) chosen.refuse(now)
  else chosen.send(request, pathOf(chosen.upstream, request))
}

function pathOf (upstream: Upstream, request: FastifyRequest): string {
  const base = Array.isArray(upstream.base) ? upstream.base[0] : upstream.base
  return proxiedPath(upstream.source, base, queryOf(upstream), originForm(request.raw.url as string))
}

function queryOf ({ queryString, query }: Upstream): string | undefined {
  if (!queryString) return undefined
  return typeof queryString === 'object' ? stringify(queryString) : query ?? ''
}

function chosenOf (request: FastifyRequest): Chosen {
  return (request as FastifyRequest & { [kChosen]: Chosen })[kChosen]
}

/** Options with their functions wrapped, and what they were made of. */
interface Observed {
  readonly source: FromOptions
  readonly options: FromOptions
}

/** By the user's own object, without and with comparison: http-proxy gives the same one with every request. */
const known = [new WeakMap<FromOptions, Observed>(), new WeakMap<FromOptions, Observed>()]

function observedOf (options: FromOptions, compares: boolean): FromOptions {
  // What a class or a getter gives may be another the next time.
  if (Object.getPrototypeOf(options) !== Object.prototype) return observe(options, compares)
  const cache = known[Number(compares)]
  let observed = cache.get(options)
  if (observed === undefined || !isSame(observed.source, options)) {
    observed = { source: { ...options }, options: observe(options, compares) }
    cache.set(options, observed)
  }
  return observed.options
}

/** A user may change options between two calls. */
function isSame (source: FromOptions, options: FromOptions): boolean {
  let keys = 0
  for (const key in options) {
    if (source[key] !== options[key]) return false
    keys++
  }
  for (const _ in source) keys-- // eslint-disable-line @typescript-eslint/no-unused-vars -- counted, without an array of keys
  return keys === 0
}

/** All that a user's options have and inherit, as a plain object's own: theirs may be frozen, and their getters work on them alone. */
function copyOf (given: FromOptions): FromOptions {
  const options: FromOptions = {}
  for (let from: object | null = given; from !== null && from !== Object.prototype; from = Object.getPrototypeOf(from)) {
    for (const name of Object.getOwnPropertyNames(from)) if (!(name in options)) options[name] = given[name]
  }
  return options
}

function observe (given: FromOptions, compares: boolean): FromOptions {
  const { getUpstream, queryString, rewriteRequestHeaders, rewriteHeaders, onError, onResponse } = given
  const options = copyOf(given)
  options.getUpstream = (request, base) => {
    const chosen = getUpstream ? getUpstream(request, base) : base
    note(request, noteBase, chosen)
    return chosen
  }
  if (typeof queryString === 'function') {
    options.queryString = (search, url, request) => {
      // reply-from calls it as the options' own.
      const query = queryString.call(given, search, url, request)
      note(request, noteQuery, query)
      return query
    }
  }
  // The last that reply-from calls before it makes the request.
  options.rewriteRequestHeaders = (request, headers) => {
    const rewritten = rewriteRequestHeaders ? rewriteRequestHeaders(request, headers) : headers
    note(request, noteAsking, request)
    return rewritten
  }
  options.onError = (reply, error) => {
    note(reply.request, noteFailure, undefined)
    if (onError) onError(reply, error)
    else reply.send(error.error)
  }
  if (!compares) return options
  options.rewriteHeaders = (headers, request) => {
    note(request, noteHeaders, headers)
    return rewriteHeaders ? rewriteHeaders(headers, request) : headers
  }
  if (!onResponse) return options
  options.onResponse = (request, reply, response) => {
    const chosen = chosenOf(request)
    chosen.guard.enter(chosen, noteBody, request, reply, response)
    onResponse(request, reply, response)
  }
  return options
}

/** Behind the guard, what reply-from or a function of the user's told. */
function note<A> (request: FastifyRequest, run: (chosen: Chosen, value: A) => void, value: A): void {
  const chosen = chosenOf(request)
  chosen.guard.enter(chosen, run, value)
}

function noteBase ({ upstream }: Chosen, base: Base): void {
  upstream.base = base
}

function noteQuery ({ upstream }: Chosen, query: string): void {
  upstream.query = query || ''
}

function noteAsking ({ upstream }: Chosen, request: FastifyRequest): void {
  upstream.asks = true
  // A wrapper of another plugin took its time.
  if (!upstream.calling) soon(request)
}

function noteHeaders (chosen: Chosen, headers: IncomingHttpHeaders): void {
  chosen.onUpstreamHeaders(headers)
}

function noteBody (chosen: Chosen, request: FastifyRequest, reply: FastifyReply, response: UpstreamResponse): void {
  sendAsked()
  chosen.onUpstreamBody(request, reply, response.stream ?? response)
}

function noteFailure (chosen: Chosen): void {
  chosen.upstream.failed = true
  chosen.primaryFails()
}
