import type { FastifyRequest } from 'fastify'
import type { IncomingHttpHeaders } from 'node:http'
import { stringify } from 'node:querystring'
import type { ParsedUrlQueryInput } from 'node:querystring'
import { originForm } from '../request/routed-path'
import { proxiedPath } from '../request/proxied-path'
import { kChosen, kFrom } from '../symbols'
import type { Chosen } from './chosen'

/** What of @fastify/reply-from's options decides where the primary's request goes and what is seen of its answer. */
interface FromOptions {
  getUpstream?: (request: FastifyRequest, base: Base) => Base
  queryString?: ((search: string | undefined, url: string, request: FastifyRequest) => string) | ParsedUrlQueryInput
  rewriteHeaders?: (headers: IncomingHttpHeaders, request: FastifyRequest) => IncomingHttpHeaders
  onError?: (reply: Reply, error: { error: Error }) => void
  [option: string]: unknown
}

type Base = string | string[] | undefined
type From = (this: Reply, source: string | undefined, options?: FromOptions) => unknown
interface Reply { request: FastifyRequest, from: From, [kFrom]: From, send (payload: unknown): unknown }

/** Where reply-from sends the primary's request, as far as it tells. */
export interface Upstream {
  base: Base
  /** What the user's `queryString` function returned. */
  query: string | undefined
}

/** Whether @fastify/reply-from, or @fastify/http-proxy, has decorated the replies of this route. */
export function canProxy (reply: object): reply is Reply {
  return typeof (reply as Partial<Reply>).from === 'function'
}

/**
 * Observes a reply's `from`, and with its first call where the primary's request goes: the base URL is known only to reply-from, which tells it to
 * `getUpstream`. Every call goes on to the reply's own `from` with the same options, the functions among them wrapped.
 */
export function observeFrom (reply: Reply): void {
  reply[kFrom] = reply.from
  reply.from = from
}

const NO_OPTIONS: FromOptions = {}

function from (this: Reply, source: string | undefined, options?: FromOptions): unknown {
  const given = options ?? NO_OPTIONS
  const chosen = chosenOf(this.request)
  if (chosen.pending) chosen.primaryStarts()
  const result = this[kFrom](source, observedOf(given, chosen.compares))
  // The primary first: only now that its request is on its way is time spent on the copy.
  if (chosen.pending) send(chosen, this.request, source, given.queryString)
  return result
}

function send (chosen: Chosen, request: FastifyRequest, source: string | undefined, queryString: FromOptions['queryString']): void {
  const { loopTime } = chosen.mirror.engine
  const begun = loopTime.begin()
  try {
    const base = Array.isArray(chosen.upstream.base) ? chosen.upstream.base[0] : chosen.upstream.base
    chosen.send(request, proxiedPath(source, base, queryOf(chosen, queryString), originForm(request.raw.url as string)))
  } catch (error) {
    chosen.mirror.warn('mirroring failed', error)
  }
  loopTime.end(begun)
}

function queryOf (chosen: Chosen, queryString: FromOptions['queryString']): string | undefined {
  if (!queryString) return undefined
  if (typeof queryString === 'object') return stringify(queryString)
  return chosen.upstream.query ?? ''
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
  const { getUpstream, queryString, rewriteHeaders, onError } = given
  const options = copyOf(given)
  options.getUpstream = (request, base) => {
    const { upstream } = chosenOf(request)
    upstream.base = getUpstream ? getUpstream(request, base) : base
    return upstream.base
  }
  if (typeof queryString === 'function') {
    options.queryString = (search, url, request) => {
      // reply-from calls it as the options' own.
      const query = queryString.call(given, search, url, request)
      chosenOf(request).upstream.query = query || ''
      return query
    }
  }
  if (!compares) return options
  options.rewriteHeaders = (headers, request) => {
    chosenOf(request).onUpstreamHeaders(headers)
    return rewriteHeaders ? rewriteHeaders(headers, request) : headers
  }
  options.onError = (reply, error) => {
    chosenOf(reply.request).primaryFails()
    if (onError) onError(reply, error)
    else reply.send(error.error)
  }
  return options
}
