import httpProxy from '@fastify/http-proxy'
import t from 'tap'
import type { Test } from 'tap'
import type { FastifyInstance } from 'fastify'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import net from 'node:net'
import type { MirrorOptions } from '../../types/index'
import { startBackend } from '../helpers/backend'
import { booksClose } from '../helpers/books'
import { keepAlive, modes, startGateway } from '../helpers/gateway'
import type { Gateway } from '../helpers/gateway'
import { activeResources, nothingLeft, watchProcess } from '../helpers/process'
import { shadowOf } from '../helpers/shadows'
import { until } from '../helpers/until'

/** Far more than anything but a mirror that is waited for may take. */
const LONG = 30_000

function connect (t: Test, gateway: Gateway): net.Socket {
  const socket = net.connect(gateway.port, '127.0.0.1').on('error', () => {}).resume()
  t.teardown(() => socket.destroy())
  return socket
}

for (const { mode, plugin } of modes) {
  t.test(`${mode}, rule 7: closing the app waits for mirrors for a stated time at most, then cuts them`, async t => {
    const faults = watchProcess(t)
    const base = activeResources()
    const closeTimeout = 300
    const kinds = ['hung', 'stalled in its TLS handshake', 'sending an endless body at full speed', 'dripping its body', 'never reading the request']
    const started = await Promise.all(kinds.map(name => shadowOf(name).start(t)))
    const gateway = await startGateway(t, {
      plugin: { ...plugin, closeTimeout },
      routes: app => {
        for (const [i, { backend }] of started.entries()) {
          app.get(`/${i}`, { mirror: { id: String(i), backends: [backend], timeout: LONG, compare: { enabled: true } } }, async () => 'ok')
        }
      }
    })
    const client = keepAlive(t, gateway.url)
    for (let i = 0; i < 2 * kinds.length; i++) await (await client.request({ method: 'GET', path: `/${i % kinds.length}` })).body.dump()
    await until('the copies are on their way', () => started.every(shadow => shadow.sockets.size === 2))

    const start = performance.now()
    await gateway.app.close()
    const ms = performance.now() - start
    t.ok(ms > closeTimeout - 50, `it waits, ${ms} ms`)
    t.ok(ms < closeTimeout + 5000, `it waits no longer, ${ms} ms`)
    for (const [i, shadow] of started.entries()) {
      t.match(gateway.mirror(String(i)).backends[0], { inFlight: 0, failure: { aborted: 2 } }, kinds[i])
      booksClose(t, gateway.mirror(String(i)))
      shadow.readOn()
      await until(`the connections are closed: ${kinds[i]}`, () => shadow.sockets.size === 0)
      await shadow.close()
    }
    await client.destroy()
    await nothingLeft(base)
    t.strictSame(faults, [])
  })

  t.test(`${mode}, rule 7: closing the app returns as soon as the mirrors have ended, and starts no more`, async t => {
    const base = activeResources()
    const held: ServerResponse[] = []
    const shadow = await startBackend(t, (_, response) => { held.push(response) })
    const gateway = await startGateway(t, {
      plugin: { ...plugin, closeTimeout: LONG },
      routes: app => { app.post('/', { mirror: { backends: [shadow.url], timeout: LONG } }, async () => 'ok') }
    })
    const client = keepAlive(t, gateway.url)
    const headers = { 'content-type': 'text/plain' }
    await (await client.request({ method: 'POST', path: '/', headers, body: 'one' })).body.dump()
    await until('the shadow has the copy', () => held.length === 1)
    const socket = connect(t, gateway)
    socket.write('POST / HTTP/1.1\r\nhost: a\r\ncontent-type: text/plain\r\ncontent-length: 10\r\n\r\nfirst')
    await until('another request is under way', () => gateway.mirror().pending === 1)

    const start = performance.now()
    const serverClosed = once(gateway.app.server, 'close')
    const closed = gateway.app.close()
    await until('the app takes no more connections', () => !gateway.app.server.listening)
    socket.write('other')
    await until('the request under way is not mirrored', () => gateway.backend().dropped.closing === 1)
    socket.destroy()
    await serverClosed
    // Only the mirrors are waited for now.
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate)
    t.equal(gateway.backend().inFlight, 1, 'the copy under way goes on')
    held[0].end('ok')
    await closed
    t.ok(performance.now() - start < LONG / 2)
    t.match(gateway.backend(), { success: 1, total: 1, inFlight: 0 })
    booksClose(t, gateway.mirror())
    await until('the connections are closed', () => shadow.sockets.size === 0)
    await client.destroy()
    await shadow.close()
    await nothingLeft(base)
  })

  t.test(`${mode}: on a connection that is reused no listener is left`, async t => {
    const primary = await startBackend(t)
    const shadow = await startBackend(t)
    const counts: string[] = []
    const gateway = await startGateway(t, {
      plugin,
      async routes (app) {
        const config = { mirror: { backends: [shadow.url], compare: { enabled: true } } }
        await app.register(httpProxy, {
          upstream: primary.url,
          config,
          preHandler: (request, _reply, done) => {
            const { socket } = request.raw
            counts.push(socket.eventNames().map(name => `${String(name)}: ${socket.listenerCount(name)}`).join())
            done()
          }
        })
      }
    })
    const client = keepAlive(t, gateway.url)
    for (let i = 1; i <= 20; i++) {
      await (await client.request({ method: 'POST', path: '/', body: 'hello' })).body.dump()
      await until('the copy is compared', () => gateway.backend().compared === i)
    }
    t.equal(counts.length, 20)
    t.equal(counts[19], counts[1])
  })

  t.test(`${mode}: whoever leaves, and whenever, nothing is left`, async t => {
    const faults = watchProcess(t)
    const base = activeResources()
    const primary = await startBackend(t, (request, response) => {
      if (request.url === '/half') response.write('half')
      else if (request.url !== '/hold') response.end('ok')
    })
    // Answers at the head, and never takes the body.
    const curt = await startCurt(t)
    const shadow = await startBackend(t)
    const early = await shadowOf('answering before the upload is done').start(t)
    const stalled = await shadowOf('stalled in its TLS handshake').start(t)
    const mirrorOf = (id: string, url = shadow.url): MirrorOptions => ({ id, backends: [url], timeout: LONG, compare: { enabled: true } })
    const proxy = (app: FastifyInstance, prefix: string, upstream: string, mirror: MirrorOptions) =>
      app.register(httpProxy, { upstream, prefix, config: { mirror } })

    let leave = () => {}
    const gateway = await startGateway(t, {
      plugin: { ...plugin, closeTimeout: 1 },
      async routes (app) {
        await proxy(app, '/proxied', primary.url, mirrorOf('proxied'))
        await proxy(app, '/early', primary.url, mirrorOf('early', early.url))
        await proxy(app, '/stalled', primary.url, mirrorOf('stalled', stalled.url.replace('http:', 'https:')))
        await proxy(app, '/curt', curt.url, mirrorOf('curt'))
        app.post('/parsed', { mirror: mirrorOf('parsed') }, async () => 'ok')
        app.get('/hooked', {
          mirror: mirrorOf('hooked'),
          preHandler: () => new Promise<void>(resolve => { leave = resolve })
        }, async () => 'ok')
        await app.register(async app => {
          app.addContentTypeParser('*', (_request, _payload, done) => done(null))
          app.post('/unread', { mirror: mirrorOf('unread') }, async () => 'ok')
        })
      }
    })
    const backend = (id: string) => gateway.mirror(id).backends[0]
    // Of text, http-proxy takes the whole body first.
    const head = (path: string, framing: string) =>
      `POST ${path} HTTP/1.1\r\nhost: a\r\ncontent-type: ${path === '/parsed' ? 'text/plain' : 'application/octet-stream'}\r\n${framing}\r\n\r\n`
    const framings = [['content-length: 10', 'first'], ['transfer-encoding: chunked', '5\r\nfirst\r\n']]

    await t.test('the client, before the handler: never sent', async t => {
      for (const [framing, piece] of framings) {
        const { unhandled } = gateway.mirror('parsed')
        const socket = connect(t, gateway)
        socket.write(head('/parsed', framing) + piece)
        await until('the request waits for its body', () => gateway.mirror('parsed').pending === 1)
        socket.destroy()
        await until('it is not handled', () => gateway.mirror('parsed').unhandled === unhandled + 1)
      }
      const socket = connect(t, gateway)
      socket.write('GET /hooked HTTP/1.1\r\nhost: a\r\n\r\n')
      await until('the request is in its hook', () => gateway.mirror('hooked').pending === 1)
      socket.destroy()
      await until('it is not handled', () => gateway.mirror('hooked').unhandled === 1)
      leave()
      for (const id of ['parsed', 'hooked']) t.match(gateway.mirror(id), { pending: 0, mirrored: 0, backends: [{ offered: 0 }] })
      t.equal(shadow.requests.length, 0)
    })

    await t.test('the client, during its upload: the copy is cut, not ended', async t => {
      for (const [i, [framing, piece]] of framings.entries()) {
        const socket = connect(t, gateway)
        socket.write(head('/proxied/', framing) + piece)
        await until('the shadow has the request', () => shadow.requests.length === i + 1)
        t.equal(backend('proxied').inFlight, 1)
        socket.destroy()
        await until('the copy has ended', () => backend('proxied').inFlight === 0)
        await until('the shadow sees it cut', () => shadow.requests[i].cut)
        t.equal(shadow.requests[i].body, null)
        t.equal(backend('proxied').failure.aborted, i + 1)
      }
      t.match(backend('proxied').breaker, 'closed')
    })

    await t.test('the client, during its upload, when the shadow can not be connected to', async t => {
      const socket = connect(t, gateway)
      socket.write(head('/stalled/', 'content-length: 10') + 'first')
      await until('the copy waits for its connection', () => stalled.sockets.size === 1)
      socket.destroy()
      await until('the copy has ended', () => backend('stalled').failure.aborted === 1)
      await until('its connection is closed', () => stalled.sockets.size === 0)
    })

    await t.test('the client, during its upload, when the shadow has answered', async t => {
      const socket = connect(t, gateway)
      socket.write(head('/early/', 'content-length: 10') + 'first')
      await until('the shadow has answered', () => backend('early').comparing === 1)
      socket.destroy()
      await until('there is nothing to compare with', () => backend('early').notCompared.primaryAborted === 1)
    })

    await t.test('the client, after its upload: the copy goes on', async t => {
      for (const [i, path] of ['/proxied/hold', '/proxied/half'].entries()) {
        const before = shadow.requests.length
        const taken = primary.requests.length
        const socket = connect(t, gateway)
        let received = ''
        socket.on('data', data => { received += data })
        socket.write(head(path, 'content-length: 5') + 'whole')
        await until('the primary has the request', () => primary.requests[taken]?.body != null)
        if (path === '/proxied/half') await until('the client has half of the answer', () => received.includes('half'))
        socket.destroy()
        await until('there is nothing to compare with', () => backend('proxied').notCompared.primaryAborted === i + 1)
        t.equal(String(shadow.requests[before].body), 'whole')
        t.equal(backend('proxied').success, i + 1)
      }
    })

    await t.test('the primary, that answers without taking the body: the copy is cut', async t => {
      for (const id of ['curt', 'unread']) {
        const before = shadow.requests.length
        const socket = connect(t, gateway)
        let received = ''
        socket.on('data', data => { received += data })
        socket.write(head(`/${id}`, 'content-length: 1000000') + 'first')
        await until('the client has its answer', () => received.includes('ok'))
        await until('the copy has ended', () => backend(id).failure.aborted === 1)
        await until('the shadow sees it cut', () => shadow.requests.slice(before).every(request => request.cut))
        socket.destroy()
      }
    })

    await gateway.app.close()
    for (const mirror of Object.values(gateway.app.mirrors.list())) {
      booksClose(t, mirror)
      t.match(mirror, { pending: 0, backends: [{ inFlight: 0, comparing: 0 }] }, mirror.id)
    }
    for (const server of [shadow, early, stalled]) await until('the shadows have no connection left', () => server.sockets.size === 0)
    for (const server of [primary, curt, shadow, early, stalled]) await server.close()
    await nothingLeft(base)
    t.strictSame(faults, [], 'nothing reaches the process')
  })
}

/** A backend that answers every request at its head and reads no further. */
function startCurt (t: Test) {
  return shadowOf('answering before the upload is done').start(t)
}
