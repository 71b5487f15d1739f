import type { FastifyRequest } from 'fastify'
import type { IncomingHttpHeaders } from 'node:http'
import { stringify } from 'node:querystring'
import type { ParsedUrlQueryInput } from 'node:querystring'
import { originForm } from '../request/routed-path'
import { proxiedPath } from '../request/proxied-path'
import { kChosen } from '../symbols'
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
interface Reply { request: FastifyRequest, from: From, send (payload: unknown): unknown }
type Request = FastifyRequest & { [kChosen]: Chosen | null }

/** Whether @fastify/reply-from, or @fastify/http-proxy, has decorated the replies of this route. */
export function canProxy (reply: object): reply is Reply {
  return typeof (reply as Partial<Reply>).from === 'function'
}

/**
 * Observes this reply's first `from`, and with it where the primary's request goes: the base URL is known only to reply-from, which tells it to
 * `getUpstream`. The call goes on to the reply's own `from` with the same options, the functions among them wrapped.
 */
export function observeFrom (reply: Reply): void {
  reply.from = from
}

function from (this: Reply, source: string | undefined, options?: FromOptions): unknown {
  const original = Object.getPrototypeOf(this).from as From
  const chosen = (this.request as Request)[kChosen]
  if (chosen === null || !chosen.pending) return original.call(this, source, options)
  const observed = new ObservedOptions(chosen, options)
  chosen.primaryStarts()
  const result = original.call(this, source, observed.options)
  // The primary first: only now that its request is on its way is time spent on the copy.
  observed.send(this.request, source)
  return result
}

class ObservedOptions {
  readonly options: FromOptions
  readonly #chosen: Chosen
  #base: Base
  #query: string | undefined

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
        const query = queryString(search, url, request)
        this.#query = query ? `?${query}` : ''
        return query
      }
    } else if (queryString) {
      const query = stringify(queryString)
      this.#query = query === '' ? '' : `?${query}`
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
      this.#chosen.send(request, proxiedPath(source, base, this.#query, originForm(request.raw.url as string)))
    } catch (error) {
      this.#chosen.mirror.warn('mirroring failed', error)
    }
  }
}
