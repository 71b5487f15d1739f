import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import { FST_MIRROR_OTHER_ORIGIN } from '../errors'

/**
 * An onRequest hook that refuses what a page of another origin makes a browser send, cookies and passwords included: a
 * form's POST needs no leave of this app, and a read none of it where the app gives other origins leave of all.
 * Browsers say where a request comes from: in Sec-Fetch-Site where the connection is secure, else in Origin. What is no
 * browser says neither, and has no rights of somebody else.
 *
 * Behind a proxy that changes Host, over plain HTTP, the two agree only with `trustProxy`.
 *
 * @see https://words.filippo.io/csrf/ which compares the ways, and Go's http.CrossOriginProtection, which is this one
 */
export function refuseOtherOrigins (
  request: FastifyRequest, _reply: FastifyReply, done: HookHandlerDoneFunction
): void {
  const { 'sec-fetch-site': site, origin } = request.headers
  const own = site === undefined
    ? origin === undefined || hostOf(origin) === request.host.toLowerCase()
    : site === 'same-origin' || site === 'none'
  if (own) done()
  else done(new FST_MIRROR_OTHER_ORIGIN(origin ?? String(site), request.host))
}

/** The same for the page: a link on another one may lead to it. */
export function refuseButLinks (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction): void {
  if (request.headers['sec-fetch-mode'] === 'navigate') done()
  else refuseOtherOrigins(request, reply, done)
}

/** `null`: of nowhere, as `Origin: null` says. */
function hostOf (origin: string): string | null {
  return URL.canParse(origin) ? new URL(origin).host : null
}
