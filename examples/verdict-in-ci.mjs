// A pipeline asks for the verdict: 417 unless the shadow is ready.
import Fastify from 'fastify'
import mirror from 'fastify-mirror'

const shadow = Fastify()
shadow.get('/price', async () => ({ price: '39.50' }))

const app = Fastify()
await app.register(mirror, { admin: { onRequest: async () => {} } }) // a guard: see guarded-admin.mjs
app.get('/price', {
  mirror: {
    id: 'shop',
    backends: [await shadow.listen({ port: 0, host: '127.0.0.1' })],
    compare: { enabled: true },
    verdict: { maxMismatchRate: 0.05, maxFailureRate: 0.05 } // loose, so that a few requests are enough
  }
}, async () => ({ price: '39.50' }))

const gate = () => app.inject('/mirrors/shop/verdict?gate&wait=10')
await app.inject({ method: 'POST', url: '/mirrors/shop/reset' })
for (let i = 0; i < 100; i++) await app.inject('/price')

const { statusCode, body } = await gate()
console.log(statusCode, JSON.parse(body).verdict)

await app.close()
await shadow.close()
