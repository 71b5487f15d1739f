import httpProxy from '@fastify/http-proxy'
import type { FastifyServerOptions } from 'fastify'
import t from 'tap'
import { once } from 'node:events'
import http2 from 'node:http2'
import { startBackend } from '../helpers/backend'
import { booksClose } from '../helpers/books'
import { modes, startGateway } from '../helpers/gateway'
import { shadowOf } from '../helpers/shadows'
import { until } from '../helpers/until'

for (const { mode, plugin } of modes) {
  t.test(`${mode}: an upload by HTTP/2 whose shadow hangs ends in time, and frees its place`, async t => {
    const primary = await startBackend(t)
    const shadow = await shadowOf('hung').start(t)
    const mirror = { backends: [shadow.backend], timeout: 200, maxInFlight: 1, breaker: false as const }
    const gateway = await startGateway(t, {
      plugin: { ...plugin, closeTimeout: 1 },
      server: { http2: true } as FastifyServerOptions,
      async routes (app) {
        app.post('/own', { mirror: { ...mirror, id: 'own' } }, async () => 'ok')
        await app.register(httpProxy, { upstream: primary.url, prefix: '/proxied', config: { mirror: { ...mirror, id: 'proxied' } } })
      }
    })
    const session = http2.connect(gateway.url)
    t.teardown(() => session.destroy())
    const bodies: Record<string, (stream: http2.ClientHttp2Stream) => void> = {
      'as a whole': stream => { stream.end('text') },
      'in pieces': stream => {
        stream.write('te')
        setImmediate(() => stream.end('xt'))
      },
      empty: stream => { stream.end() },
      'with a length': stream => { stream.end('text') }
    }
    for (const id of ['own', 'proxied']) {
      let sent = 0
      for (const [name, write] of Object.entries(bodies)) {
        const stream = session.request({
          ':method': 'POST', ':path': `/${id}`, 'content-type': 'text/plain', ...(name === 'with a length' && { 'content-length': 4 })
        })
        write(stream)
        const [{ ':status': status }] = await once(stream, 'response')
        stream.resume()
        await once(stream, 'close')
        t.equal(status, 200, `${id}: ${name}`)
        sent++
        await until(`the copy has ended: ${name}`, () => gateway.mirror(id).backends[0].inFlight === 0)
        const { total, dropped } = gateway.mirror(id).backends[0]
        t.equal(total, sent, `it was sent: ${JSON.stringify(dropped)}`)
      }
      const { timeout, connect } = gateway.mirror(id).backends[0].failure
      t.equal(timeout + connect, sent, 'each ended by its time')
      booksClose(t, gateway.mirror(id))
    }
  })
}
