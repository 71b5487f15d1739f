import type { FastifyReply, FastifyRequest } from 'fastify'
import type { IncomingHttpHeaders } from 'node:http'
import { kMirrored } from '../symbols'
import { tellAsked, tellSoon } from './asked'
import type { Base, FromOptions, UpstreamResponse } from './from-options'
import type { Proxied, ProxyListener } from './listener'
import type { Upstream } from './upstream'

/** Options with their functions wrapped, and what they were made of. */
interface Observed {
  readonly source: FromOptions
  readonly options: FromOptions
}

/** Options by the user's own object, without and with comparison: http-proxy gives the same one with every request. */
const known = [new WeakMap<FromOptions, Observed>(), new WeakMap<FromOptions, Observed>()]

/** The options of one call of `reply.from`, the functions among them wrapped: they tell the request's listener. */
export function observedOptions (options: FromOptions, compares: boolean): FromOptions {
  // A class or a getter may give another value the next time.
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
  // Counted, without an array of keys.
  for (const _ in source) keys-- // eslint-disable-line @typescript-eslint/no-unused-vars
  return keys === 0
}

/**
 * All that a user's options have and inherit, as a plain object's own: theirs may be frozen, and their getters work on
 * them alone.
 */
function copyOf (given: FromOptions): FromOptions {
  const options: FromOptions = {}
  let from: object | null = given
  while (from !== null && from !== Object.prototype) {
    for (const name of Object.getOwnPropertyNames(from)) if (!(name in options)) options[name] = given[name]
    from = Object.getPrototypeOf(from)
  }
  return options
}

function observe (given: FromOptions, compares: boolean): FromOptions {
  const { getUpstream, queryString, rewriteRequestHeaders, rewriteHeaders, onError, onResponse } = given
  const options = copyOf(given)
  options.getUpstream = (request, base) => {
    const chosen = getUpstream ? getUpstream(request, base) : base
    tell(request, noteBase, chosen)
    return chosen
  }
  if (typeof queryString === 'function') {
    options.queryString = (search, url, request) => {
      // reply-from calls it as the options' own.
      const query = queryString.call(given, search, url, request)
      tell(request, noteQuery, query)
      return query
    }
  }
  // The last that reply-from calls before it makes the request.
  options.rewriteRequestHeaders = (request, headers) => {
    const rewritten = rewriteRequestHeaders ? rewriteRequestHeaders(request, headers) : headers
    tell(request, noteAsking, request)
    return rewritten
  }
  options.onError = (reply, error) => {
    tell(reply.request, noteFailure, undefined)
    if (onError) onError(reply, error)
    else reply.send(error.error)
  }
  if (!compares) return options
  options.rewriteHeaders = (headers, request) => {
    tell(request, noteHeaders, headers)
    return rewriteHeaders ? rewriteHeaders(headers, request) : headers
  }
  if (!onResponse) return options
  options.onResponse = (request, reply, response) => {
    const listener = (request as Proxied)[kMirrored]
    listener.guard.enter(listener, noteBody, request, reply, response)
    onResponse(request, reply, response)
  }
  return options
}

/** Behind the guard, what reply-from or a function of the user's says. */
function tell<A> (request: FastifyRequest, run: (listener: ProxyListener, value: A) => void, value: A): void {
  const listener = (request as Proxied)[kMirrored]
  listener.guard.enter(listener, run, value)
}

function noteBase ({ upstream }: ProxyListener, base: Base): void {
  (upstream as Upstream).base = base
}

function noteQuery ({ upstream }: ProxyListener, query: string): void {
  (upstream as Upstream).query = query || ''
}

function noteAsking ({ upstream }: ProxyListener, request: FastifyRequest): void {
  if ((upstream as Upstream).asks()) tellSoon(request)
}

function noteHeaders (listener: ProxyListener, headers: IncomingHttpHeaders): void {
  listener.onUpstreamHeaders(headers)
}

function noteBody (
  listener: ProxyListener, request: FastifyRequest, reply: FastifyReply, response: UpstreamResponse
): void {
  tellAsked()
  listener.onUpstreamBody(request, reply, response.stream ?? response)
}

function noteFailure (listener: ProxyListener): void {
  (listener.upstream as Upstream).fails()
  listener.onUpstreamFailed()
}
