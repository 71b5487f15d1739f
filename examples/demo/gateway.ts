import httpProxy from '@fastify/http-proxy'
import Fastify from 'fastify'
import mirror from '../../lib'

/** A gateway in front of `primary` that mirrors to `candidate`. */
export async function startGateway (primary: string, candidate: string) {
  const app = Fastify({ forceCloseConnections: true })

  // First, and awaited: it must see the routes that follow.
  await app.register(mirror, {
    defaults: { backends: [{ name: 'v2', url: candidate }], compare: { enabled: true } }
  })

  // Proxied routes: http-proxy passes `config` on.
  const proxied = [
    { prefix: '/items', mirror: { id: 'items' } },
    { prefix: '/search', mirror: { id: 'search', percentage: 50 } },
    { prefix: '/orders', mirror: { id: 'orders', conditions: { methods: ['POST'] } } }
  ]
  for (const { prefix, mirror } of proxied) {
    await app.register(httpProxy, { upstream: primary, prefix, rewritePrefix: prefix, config: { mirror } })
  }

  // A route that the gateway answers itself.
  app.get<{ Params: { name: string } }>('/hello/:name', { mirror: { id: 'hello' } }, async request => {
    return `Hello, ${request.params.name}!`
  })

  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  return { url, close: () => app.close() }
}
