import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'

/**
 * Of every answer of an admin route, whoever gives it: who asks next must be let in first, and no other page may have
 * it.
 */
export const HEADERS = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'cross-origin-resource-policy': 'same-origin'
} as const

/** An onRequest hook, before the guard: what a guard writes past Fastify comes after it, too. */
export function setHeaders (_request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction): void {
  closeTo(reply)
  done()
}

/** An onSend hook: the app's own hooks, which come before, may have set others. */
export function keepHeaders (
  _request: FastifyRequest, reply: FastifyReply, _payload: unknown, done: HookHandlerDoneFunction
): void {
  closeTo(reply)
  done()
}

/** Other origins are let in to the app, not in here. */
function closeTo (reply: FastifyReply): void {
  for (const name of Object.keys(reply.getHeaders())) {
    if (name.startsWith('access-control-')) reply.removeHeader(name)
  }
  reply.headers(HEADERS)
}
