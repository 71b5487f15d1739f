import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import type { ServerResponse } from 'node:http'
import { endpointRoute } from '../endpoints/naming'
import type { EndpointRoute } from '../endpoints/naming'
import { door } from '../guard'
import type { Mirror } from '../mirror/mirror'
import { tellAsked } from '../proxy/asked'
import { HTTP_PROXY, canProxy, observeFrom } from '../proxy/reply-from'
import { choose } from '../request/choose'
import type { MirroredRequest } from '../request/mirrored-request'
import { kMirrored } from '../symbols'
import { onceClosed } from './close'

/**
 * `undefined`: not decorated. Fastify answers some requests through an object of its own (an unknown method over
 * HTTP/2), and
 * @fastify/websocket calls a handler, wrapped before it came, with a socket.
 */
type Request = FastifyRequest & { [kMirrored]: MirroredRequest | null | undefined }
type Response = ServerResponse & { [kMirrored]?: MirroredRequest }
type Done = (error?: Error) => void

/** The cost for every route of the app: one property, and one look at it when the answer goes out. */
export function installAppHooks (fastify: FastifyInstance): void {
  fastify.decorateRequest(kMirrored, null)
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
    guard.enter(mirror, begin, request as Request, reply.raw, route)
    done()
  }
}

function begin (mirror: Mirror, request: Request, response: Response, route: EndpointRoute): void {
  const mirrored = choose(mirror, route, request)
  if (mirrored !== null) mirrored.guard.enter(mirrored, follow, request, response)
}

/** From now on the request's events reach it. */
function follow (mirrored: MirroredRequest, request: Request, response: Response): void {
  mirrored.begin()
  request[kMirrored] = mirrored
  mirrored.older = response[kMirrored]
  response[kMirrored] = mirrored
  // A request that is routed twice has one listener.
  if (mirrored.older === undefined && !onceClosed(request.raw, response, enterClose)) enterClose.call(response)
}

const enterClose = door(function (this: Response): void {
  let mirrored = this[kMirrored]
  this[kMirrored] = undefined
  for (; mirrored !== undefined; mirrored = mirrored.older) mirrored.guard.enter(mirrored, close, this)
})

function close (mirrored: MirroredRequest, response: Response): void {
  if (mirrored.waiting) tellAsked()
  mirrored.onClose(response)
}

/** `proxied`: nothing but an upstream answers the route. */
function wrapHandler (handler: RouteOptions['handler'], proxied: boolean): RouteOptions['handler'] {
  const wrapped: RouteOptions['handler'] = function (this: FastifyInstance, request, reply) {
    const mirrored = (request as Request)[kMirrored]
    // Its client may have left while a hook took its time.
    if (mirrored == null || !mirrored.unhandled) return handler.call(this, request, reply)
    const sends = mirrored.guard.enter(mirrored, beforeHandler, reply, proxied)
    const result = handler.call(this, request, reply)
    // The primary first: only now that its work is under way is time spent on the copy.
    if (sends === true) mirrored.guard.enter(mirrored, afterHandler, request)
    return result
  }
  // Tracing plugins name spans by it.
  return Object.defineProperty(wrapped, 'name', { value: handler.name })
}

/**
 * Returns whether the copies are sent when the handler has begun. Else they are sent when the reply's `from` asks its
 * upstream.
 */
function beforeHandler (mirrored: MirroredRequest, reply: FastifyReply, proxied: boolean): boolean {
  const proxies = canProxy(reply)
  mirrored.onHandled(proxies && proxied ? 'upstream' : 'handler')
  if (proxies) observeFrom(reply, mirrored)
  return !proxies
}

function afterHandler (mirrored: MirroredRequest, request: FastifyRequest): void {
  mirrored.onHandling(request)
}

function onError (request: FastifyRequest, _reply: FastifyReply, error: FastifyError, done: () => void): void {
  const mirrored = (request as Request)[kMirrored]
  if (mirrored != null) mirrored.guard.enter(mirrored, noteError, error)
  done()
}

function noteError (mirrored: MirroredRequest, error: FastifyError): void {
  if (isOfGateway(error)) mirrored.onUpstreamFailed()
}

/** Errors that tell of the primary's backend, in answers that are the gateway's own. */
function isOfGateway (error: FastifyError | null | undefined): boolean {
  // A handler may throw anything, `null` too.
  const code: unknown = error?.code
  return code === 'FST_ERR_HANDLER_TIMEOUT' || (typeof code === 'string' && code.startsWith('FST_REPLY_FROM_'))
}

function onSend (request: FastifyRequest, reply: FastifyReply, payload: unknown, done: Done): void {
  const mirrored = (request as Request)[kMirrored]
  if (mirrored != null) mirrored.guard.enter(mirrored, observePayload, request, reply, payload)
  done()
}

function observePayload (
  mirrored: MirroredRequest, request: FastifyRequest, reply: FastifyReply, payload: unknown
): void {
  if (mirrored.waiting) tellAsked()
  mirrored.onPayload(request, reply, payload)
}
