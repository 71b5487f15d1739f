import type { FastifyReply, FastifyRequest } from 'fastify'
import type { IncomingHttpHeaders } from 'node:http'
import type { ParsedUrlQueryInput } from 'node:querystring'

/** Options of @fastify/reply-from that decide where the primary's request goes and what is seen of its answer. */
export interface FromOptions {
  getUpstream?: (request: FastifyRequest, base: Base) => Base
  queryString?: ((search: string | undefined, url: string, request: FastifyRequest) => string) | ParsedUrlQueryInput
  rewriteRequestHeaders?: (request: FastifyRequest, headers: IncomingHttpHeaders) => IncomingHttpHeaders
  rewriteHeaders?: (headers: IncomingHttpHeaders, request: FastifyRequest) => IncomingHttpHeaders
  onError?: (reply: ErrorReply, error: { error: Error }) => void
  onResponse?: (request: FastifyRequest, reply: FastifyReply, response: UpstreamResponse) => void
  [option: string]: unknown
}

export type Base = string | string[] | undefined

/** reply-from 10 gives the stream itself. */
export type UpstreamResponse = { stream?: unknown }

interface ErrorReply { request: FastifyRequest, send (payload: unknown): unknown }
