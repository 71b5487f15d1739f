import t from 'tap'
import Fastify from 'fastify'
import { bodylessMethods } from '../lib/tap/request-body'
import { startBackend } from './helpers/backend'
import { modes, startGateway } from './helpers/gateway'
import { until } from './helpers/until'

for (const { mode, plugin } of modes) {
  t.test(`${mode}: a copy has a body where Fastify reads one, whatever methods were added`, async t => {
    const shadow = await startBackend(t)
    const gateway = await startGateway(t, {
      plugin,
      routes: app => {
        app.addHttpMethod('PROPFIND').addHttpMethod('MKCOL', { hasBody: true })
        app.route({ method: ['PROPFIND', 'MKCOL', 'GET'], url: '/', mirror: { backends: [shadow.url] }, handler: async () => 'ok' })
      }
    })
    for (const method of ['PROPFIND', 'MKCOL']) {
      const response = await fetch(gateway.url, { method, body: 'hello', headers: { 'content-type': 'text/plain' } })
      t.equal(await response.text(), 'ok')
    }
    await until('both are there', () => gateway.backend().success === 2)
    t.strictSame(shadow.requests.map(({ method, body }) => `${method} ${body}`).sort(), ['MKCOL hello', 'PROPFIND '])
  })
}

t.test('what an app does not tell is taken for the usual', async t => {
  const app = Fastify()
  app.addHttpMethod('MKACTIVITY')
  t.ok(bodylessMethods(app).has('MKACTIVITY'))
  app.register(async inner => { t.equal(bodylessMethods(inner), bodylessMethods(app)) })
  await app.ready()
  t.strictSame([...bodylessMethods({ [Symbol('fastify.acceptedHTTPMethods')]: {} })], ['GET', 'HEAD', 'TRACE'])
  t.ok(bodylessMethods({}).has('GET'))
})
