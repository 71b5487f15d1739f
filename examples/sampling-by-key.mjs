// A tenth of the users, always the same ones: the decision depends on the key alone, in every process.
import Fastify from 'fastify'
import mirror from 'fastify-mirror'
import { setTimeout as delay } from 'node:timers/promises'

const seen = new Set()
const shadow = Fastify()
shadow.get('/cart', async request => seen.add(request.headers['x-user-id']) && 'ok')

const app = Fastify()
await app.register(mirror)
app.get('/cart', {
  mirror: {
    id: 'cart',
    percentage: 10,
    sampleBy: 'x-user-id',
    backends: [await shadow.listen({ port: 0, host: '127.0.0.1' })]
  }
}, async () => 'ok')

for (let round = 0; round < 3; round++) {
  for (let user = 1; user <= 200; user++) await app.inject({ url: '/cart', headers: { 'x-user-id': `user-${user}` } })
}
const numbers = () => app.mirrors.get('cart')
while (numbers().backends[0].success < numbers().mirrored) await delay(5)
console.log('users mirrored:', seen.size, 'of 200; each of them three times:', numbers().mirrored === 3 * seen.size)

await app.close()
await shadow.close()
