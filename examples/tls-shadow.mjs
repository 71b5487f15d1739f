// A shadow that speaks TLS, by an authority of its own. `reconnect` reads new certificates without a restart.
// openssl req -x509 -newkey rsa -nodes -subj /CN=a -addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem
import Fastify from 'fastify'
import mirror from 'fastify-mirror'
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

const shadow = Fastify({ https: { key: readFileSync('key.pem'), cert: readFileSync('cert.pem') } })
shadow.get('/', async () => 'ok')
await shadow.listen({ port: 0, host: '127.0.0.1' })

const connect = () => ({ ca: readFileSync('cert.pem'), servername: 'localhost' })
const app = Fastify()
await app.register(mirror)
app.get('/', {
  mirror: { id: 'root', backends: [{ name: 'v2', url: `https://127.0.0.1:${shadow.server.address().port}`, connect }] }
}, async () => 'ok')

const numbers = () => app.mirrors.get('root').backends[0]
for (let copies = 1; copies <= 2; copies++) {
  await app.inject('/')
  while (numbers().total < copies || numbers().inFlight > 0) await delay(5)
  console.log('answered:', numbers().success, 'of', numbers().total)
  app.mirrors.update('root', { reconnect: true })
}

await app.close()
await shadow.close()
