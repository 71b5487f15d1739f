import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import { FST_MIRROR_OTHER_HOST } from '../errors'
import { hostName } from '../options/host-name'

/** Characters of a name in a message. */
const MAX_SHOWN = 100

/**
 * An onRequest hook that answers only to these names. A web page may have its own name lead to this app's address for a
 * moment (DNS rebinding); to the browser both are one origin then, and nothing but the name that it asks for tells them
 * apart.
 *
 * It is the name that the client sent, and not `request.host`: with `trustProxy` that may be a header, which any page
 * can set.
 */
export function answerOnlyTo (names: readonly string[]) {
  const known = new Set(names)
  return function (request: FastifyRequest, _reply: FastifyReply, done: HookHandlerDoneFunction): void {
    const { host, ':authority': authority } = request.headers
    const asked = [authority, host].flat().filter(name => name !== undefined)
    const other = asked.find(name => !known.has(hostName(name) as string))
    if (asked.length > 0 && other === undefined) done()
    else done(new FST_MIRROR_OTHER_HOST(JSON.stringify((other ?? '').slice(0, MAX_SHOWN))))
  }
}
