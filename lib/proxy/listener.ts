import type { FastifyReply, FastifyRequest } from 'fastify'
import type { IncomingHttpHeaders } from 'node:http'
import type { Guard, Holder } from '../guard'
import type { kMirrored } from '../symbols'
import type { Upstream } from './upstream'

/** Hears where a proxied request goes, and what comes back before anybody rewrites it. */
export interface ProxyListener extends Holder {
  readonly guard: Guard
  /** Whether the upstream's answer is compared. */
  readonly compares: boolean
  /** The proxy's own; `null`: its reply's `from` is not observed. */
  upstream: Upstream | null
  /** `reply.from` was called. */
  onProxied (): void
  /** The upstream is being asked, with the path that it tells. */
  onAsked (request: FastifyRequest, upstream: Upstream): void
  /** The upstream's answer begins, with these headers before anybody rewrites them. */
  onUpstreamHeaders (headers: IncomingHttpHeaders): void
  /** The upstream's answer is given to a function of the user's, who makes the client's of it. */
  onUpstreamBody (request: FastifyRequest, reply: FastifyReply, body: unknown): void
  /** The upstream failed: what the gateway answers is its own. */
  onUpstreamFailed (): void
}

/** A request whose `reply.from` is observed. */
export type Proxied = FastifyRequest & { [kMirrored]: ProxyListener }
