import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import type { ServerResponse } from 'node:http'
import { endpointRoute } from '../endpoints/naming'
import type { EndpointRoute } from '../endpoints/naming'
import { door } from '../guard'
import type { Mirror } from '../mirror/mirror'
import { kChosen } from '../symbols'
import { Chosen } from '../request/mirrored-request'
import { onceClosed } from './close'
import { canProxy, observeFrom, sendAsked } from '../proxy/reply-from'

/**
 * `undefined`: not decorated. Fastify answers some requests through an object of its own (an unknown method over HTTP/2), and
 * @fastify/websocket calls a handler, wrapped before it came, with a socket.
 */
type Request = FastifyRequest & { [kChosen]: Chosen | null | undefined }
type Response = ServerResponse & { [kChosen]?: Chosen }
type Done = (error?: Error) => void

/** What every route of the app pays: one property, and one look at it when the answer goes out. */
export function installAppHooks (fastify: FastifyInstance): void {
  fastify.decorateRequest(kChosen, null)
  // Of the instance, not of the route: those come later, and would see what other plugins made of the payload.
  fastify.addHook('onSend', onSend)
}

/** Makes a route's requests mirrored. To be called in an onRoute hook: it adds hooks and wraps the handler. */
export function installRouteHooks (route: RouteOptions, mirror: Mirror, { pluginName }: FastifyInstance): void {
  route.onRequest = [makeOnRequest(mirror, endpointRoute(route.url)), ...listOf(route.onRequest)]
  // First: the first that fails ends the row.
  route.onError = [onError, ...listOf(route.onError)]
  route.handler = wrapHandler(route.handler, pluginName.startsWith(HTTP_PROXY))
}

function listOf<T> (hooks: T | T[] | undefined): T[] {
  if (hooks === undefined) return []
  return Array.isArray(hooks) ? hooks : [hooks]
}

function makeOnRequest (mirror: Mirror, route: EndpointRoute) {
  const { guard } = mirror.engine
  return function mirrorOnRequest (request: FastifyRequest, reply: FastifyReply, done: Done): void {
    guard.enter(mirror, choose, request as Request, reply.raw, route)
    done()
  }
}

function choose (mirror: Mirror, request: Request, response: Response, route: EndpointRoute): void {
  const skip = mirror.skips(request.raw)
  if (skip !== null) {
    mirror.books.skip(skip)
    return
  }
  const key = mirror.keyOf(request)
  const { keyError } = mirror
  if (keyError !== null) {
    mirror.warn('sampleBy failed', keyError)
  } else if (!mirror.samples(key)) {
    mirror.books.skip('unsampled')
    return
  }
  const chosen = new Chosen(mirror, route, request, key, keyError !== null)
  mirror.engine.guard.enter(chosen, begin, request, response)
}

function begin (chosen: Chosen, request: Request, response: Response): void {
  chosen.begin()
  request[kChosen] = chosen
  chosen.older = response[kChosen]
  response[kChosen] = chosen
  // A request that is routed twice has one listener.
  if (chosen.older === undefined && !onceClosed(request.raw, response, enterClose)) enterClose.call(response)
}

const enterClose = door(function (this: Response): void {
  let chosen = this[kChosen]
  this[kChosen] = undefined
  for (; chosen !== undefined; chosen = chosen.older) chosen.guard.enter(chosen, close, this)
})

function close (chosen: Chosen, response: Response): void {
  if (chosen.pending) sendAsked()
  chosen.onClose(response)
}

/** In a scope of its own, its routes' alone: nothing but an upstream answers them, and the gateway where it refuses to ask. */
const HTTP_PROXY = '@fastify/http-proxy'

function wrapHandler (handler: RouteOptions['handler'], proxied: boolean): RouteOptions['handler'] {
  const wrapped: RouteOptions['handler'] = function (this: FastifyInstance, request, reply) {
    const chosen = (request as Request)[kChosen]
    // Not pending: its client left while a hook took its time.
    if (chosen == null || chosen.handled || !chosen.pending) return handler.call(this, request, reply)
    const sends = chosen.guard.enter(chosen, beforeHandler, reply, proxied)
    const result = handler.call(this, request, reply)
    // The primary first: only now that its work is under way is time spent on the copy.
    if (sends === true) chosen.guard.enter(chosen, sendAsIs, request)
    return result
  }
  // Tracing plugins name spans by it.
  return Object.defineProperty(wrapped, 'name', { value: handler.name })
}

/** Returns whether the copies are sent when the handler has begun. Else they are sent when the reply's `from` asks its upstream. */
function beforeHandler (chosen: Chosen, reply: FastifyReply, proxied: boolean): boolean {
  chosen.primaryStarts()
  if (!canProxy(reply)) return true
  chosen.upstream.proxied = proxied
  observeFrom(reply)
  return false
}

function sendAsIs (chosen: Chosen, request: FastifyRequest): void {
  if (chosen.pending) chosen.sendAsIs(request)
}

function onError (request: FastifyRequest, _reply: FastifyReply, error: FastifyError, done: () => void): void {
  const chosen = (request as Request)[kChosen]
  if (chosen != null) chosen.guard.enter(chosen, noteError, error)
  done()
}

function noteError (chosen: Chosen, error: FastifyError): void {
  if (isOfGateway(error)) chosen.primaryFails()
}

/** Errors that tell of the primary's backend, in answers that are the gateway's own. */
function isOfGateway (error: FastifyError | null | undefined): boolean {
  // A handler may throw anything, `null` too.
  const code: unknown = error?.code
  return code === 'FST_ERR_HANDLER_TIMEOUT' || (typeof code === 'string' && code.startsWith('FST_REPLY_FROM_'))
}

function onSend (request: FastifyRequest, reply: FastifyReply, payload: unknown, done: Done): void {
  const chosen = (request as Request)[kChosen]
  if (chosen != null) chosen.guard.enter(chosen, observePayload, request, reply, payload)
  done()
}

function observePayload (chosen: Chosen, request: FastifyRequest, reply: FastifyReply, payload: unknown): void {
  if (chosen.pending) sendAsked()
  chosen.onPayload(request, reply, payload)
}
