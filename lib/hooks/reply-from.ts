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
}

type Base = string | string[] | undefined
type From = (this: Reply, source: string | undefined, options?: FromOptions) => unknown
interface Reply { request: FastifyRequest, from: From, [kFrom]: From, send (payload: unknown): unknown }
type Request = FastifyRequest & { [kChosen]: Chosen }

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

function from (this: Reply, source: string | undefined, options?: FromOptions): unknown {
  const chosen = (this.request as Request)[kChosen]
  const observed = new ObservedOptions(chosen, options)
  if (chosen.pending) chosen.primaryStarts()
  const result = this[kFrom](source, observed.options)
  // The primary first: only now that its request is on its way is time spent on the copy.
  if (chosen.pending) observed.send(this.request, source)
  return result
}

class ObservedOptions {
  readonly options: FromOptions
  readonly #chosen: Chosen
  #base: Base
  /** Of the option `queryString`: what its function returned, or the object. */
  #query: string | ParsedUrlQueryInput | undefined

  constructor (chosen: Chosen, options: FromOptions | undefined) {
    this.#chosen = chosen
    const { getUpstream, queryString, rewriteHeaders, onError } = options ?? {}
    this.options = {
      ...options,
      getUpstream: (request, base) => {
        this.#base = getUpstream ? getUpstream(request, base) : base
        return this.#base
      }
    }
    if (typeof queryString === 'function') {
      this.options.queryString = (search, url, request) => {
        this.#query = queryString(search, url, request) || ''
        return this.#query
      }
    } else if (queryString) {
      this.#query = typeof queryString === 'object' ? queryString : ''
    }
    if (!chosen.compares) return
    this.options.rewriteHeaders = (headers, request) => {
      chosen.onUpstreamHeaders(headers)
      return rewriteHeaders ? rewriteHeaders(headers, request) : headers
    }
    this.options.onError = (reply, error) => {
      chosen.primaryFailed = true
      if (onError) onError(reply, error)
      else reply.send(error.error)
    }
  }

  send (request: FastifyRequest, source: string | undefined): void {
    try {
      const base = Array.isArray(this.#base) ? this.#base[0] : this.#base
      const query = typeof this.#query === 'object' ? stringify(this.#query) : this.#query
      this.#chosen.send(request, proxiedPath(source, base, query, originForm(request.raw.url as string)))
    } catch (error) {
      this.#chosen.mirror.warn('mirroring failed', error)
    }
  }
}
