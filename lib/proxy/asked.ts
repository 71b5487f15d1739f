import type { FastifyRequest } from 'fastify'
import { door } from '../guard'
import { kMirrored } from '../symbols'
import type { Proxied, ProxyListener } from './listener'
import type { Upstream } from './upstream'

/** Requests whose upstream is being asked in this turn. */
let asked: FastifyRequest[] = []

/**
 * Tells in a microtask that a request's upstream is being asked: undici tells in one of its own, which comes before,
 * what it refuses to send (`expect`, `keep-alive`, a body of a wrong kind).
 */
export function tellSoon (request: FastifyRequest): void {
  if (asked.push(request) === 1) queueMicrotask(enterAsked)
}

const enterAsked = door(tellAsked)

/** Tells at once, where an answer comes before the microtask. */
export function tellAsked (): void {
  const requests = asked
  asked = []
  for (const request of requests) {
    const listener = (request as Proxied)[kMirrored]
    listener.guard.enter(listener, tell, request)
  }
}

function tell (listener: ProxyListener, request: FastifyRequest): void {
  const upstream = listener.upstream as Upstream
  if (upstream.state !== 'failed') listener.onAsked(request, upstream)
}
