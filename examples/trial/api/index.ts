import Fastify from 'fastify'
import { accounts } from './accounts'
import { catalogue } from './catalogue'
import type { Endpoint, Version } from './endpoint'
import { orders } from './orders'
import { otherKinds } from './other-kinds'

export const endpoints: readonly Endpoint[] = [...catalogue, ...accounts, ...orders, ...otherKinds]

/** Starts one version of the API. Each answer has noise: times, ids, orders, digits. */
export async function startApi (version: Version) {
  const app = Fastify({ forceCloseConnections: true })
  app.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_, body, done) => done(null, body))
  app.addHook('onSend', async (_, reply) => {
    reply.header('x-trace-id', crypto.randomUUID())
  })
  for (const { method, url, answer } of endpoints) {
    app.route({ method, url, handler: async (request, reply) => answer(request, reply, version) })
  }
  return { url: await app.listen({ port: 0, host: '127.0.0.1' }), close: () => app.close() }
}
