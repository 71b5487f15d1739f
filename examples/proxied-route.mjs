// A route of @fastify/http-proxy. It hands on only `config`, so the mirror goes there.
import httpProxy from '@fastify/http-proxy'
import Fastify from 'fastify'
import mirror from 'fastify-mirror'
import { setTimeout as delay } from 'node:timers/promises'

const production = Fastify()
production.get('/users/:id', async request => ({ id: request.params.id, name: 'Ada' }))
const shadow = Fastify()
shadow.get('/users/:id', async request => ({ id: request.params.id, name: 'Ada' }))

const app = Fastify()
await app.register(mirror)
await app.register(httpProxy, {
  upstream: await production.listen({ port: 0, host: '127.0.0.1' }),
  prefix: '/api',
  config: {
    mirror: { id: 'api', backends: [await shadow.listen({ port: 0, host: '127.0.0.1' })], compare: { enabled: true } }
  }
})

console.log('client:', (await app.inject('/api/users/1')).body)
const numbers = () => app.mirrors.get('api').backends[0]
while (numbers().compared === 0) await delay(5)
console.log('matched:', numbers().matched, 'of', numbers().offered)

await Promise.all([app.close(), production.close(), shadow.close()])
