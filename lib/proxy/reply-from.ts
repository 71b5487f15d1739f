import type { FastifyRequest } from 'fastify'
import { kFrom, kMirrored } from '../symbols'
import { tellSoon } from './asked'
import type { FromOptions } from './from-options'
import type { Proxied, ProxyListener } from './listener'
import { observedOptions } from './options'
import { Upstream } from './upstream'

type From = (this: Reply, source: string | undefined, options?: FromOptions) => unknown
interface Reply { request: FastifyRequest, from: From, [kFrom]: From }

/**
 * A plugin's name that begins so: nothing but an upstream answers its routes, and the gateway where it refuses to ask.
 */
export const HTTP_PROXY = '@fastify/http-proxy'

const NO_OPTIONS: FromOptions = {}

/** Whether @fastify/reply-from, or @fastify/http-proxy, has decorated the replies of this route. */
export function canProxy (reply: object): reply is Reply {
  return typeof (reply as Partial<Reply>).from === 'function'
}

/**
 * Observes a reply's `from`, and with its first call that asks the primary where that request goes: the base URL is
 * known only to reply-from, which tells it to `getUpstream`. Every call goes on to the reply's own `from` with the same
 * options, the functions among them wrapped.
 */
export function observeFrom (reply: Reply, listener: ProxyListener): void {
  listener.upstream = new Upstream()
  reply[kFrom] = reply.from
  reply.from = from
}

function from (this: Reply, source: string | undefined, options?: FromOptions): unknown {
  const given = options ?? NO_OPTIONS
  const { request } = this
  const listener = (request as Proxied)[kMirrored]
  const observed = listener.guard.enter(listener, begin, source, given) ?? given
  const result = this[kFrom](source, observed)
  listener.guard.enter(listener, end, request)
  return result
}

function begin (listener: ProxyListener, source: string | undefined, options: FromOptions): FromOptions {
  listener.onProxied()
  ;(listener.upstream as Upstream).called(source, options.queryString)
  return observedOptions(options, listener.compares)
}

function end ({ upstream }: ProxyListener, request: FastifyRequest): void {
  if ((upstream as Upstream).returned()) tellSoon(request)
}
