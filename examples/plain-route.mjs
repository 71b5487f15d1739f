// A route with a handler of its own. The shadow answers otherwise, and the numbers say in what.
import Fastify from 'fastify'
import mirror from 'fastify-mirror'
import { setTimeout as delay } from 'node:timers/promises'

const shadow = Fastify()
shadow.get('/users/:id', async request => ({ id: request.params.id, name: 'ada' }))

const app = Fastify()
await app.register(mirror, {
  onMismatch: ({ body, request }) => console.log('differs:', request.path, body.differences[0].pointer)
})
app.get('/users/:id', {
  mirror: {
    backends: [{ name: 'v2', url: await shadow.listen({ port: 0, host: '127.0.0.1' }) }],
    compare: { enabled: true, detailedDiff: true }
  }
}, async request => ({ id: request.params.id, name: 'Ada' }))

console.log('client:', (await app.inject('/users/1')).body)
const numbers = () => app.mirrors.get('get-users-id').backends[0]
while (numbers().mismatched === 0) await delay(5)
console.log('mismatches:', numbers().mismatches)

await app.close()
await shadow.close()
