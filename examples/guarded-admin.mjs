// The admin routes behind a password that browsers ask for.
import Fastify from 'fastify'
import mirror from 'fastify-mirror'
import { createHash, timingSafeEqual } from 'node:crypto'

const hash = text => createHash('sha256').update(text).digest()
const authorization = `Basic ${btoa(`ops:${process.env.MIRRORS_PASSWORD ?? 'secret'}`)}`

const app = Fastify()
await app.register(mirror, {
  admin: {
    onRequest: async (request, reply) => {
      if (timingSafeEqual(hash(request.headers.authorization ?? ''), hash(authorization))) return
      return reply.code(401).header('www-authenticate', 'Basic realm="mirrors"').send({ message: 'operators only' })
    }
  }
})
app.get('/', { mirror: { id: 'root', backends: ['http://127.0.0.1:9000'] } }, async () => 'ok')

const ask = async (method, url, headers, payload) => (await app.inject({ method, url, headers, payload })).statusCode
console.log('without a password:', await ask('GET', '/mirrors'))
console.log('with it:', await ask('GET', '/mirrors', { authorization }))
console.log('switched off:', await ask('PATCH', '/mirrors/root', { authorization }, { enabled: false }))
console.log('enabled:', app.mirrors.get('root').enabled)

await app.close()
