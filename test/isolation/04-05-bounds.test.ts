import httpProxy from '@fastify/http-proxy'
import t from 'tap'
import type { Test } from 'tap'
import { createHash } from 'node:crypto'
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import type { Client } from 'undici'
import { startBackend, startTcp } from '../helpers/backend'
import { booksClose } from '../helpers/books'
import { keepAlive, modes, startGateway, startProxy } from '../helpers/gateway'
import type { Gateway } from '../helpers/gateway'
import { shadowOf } from '../helpers/shadows'
import { until } from '../helpers/until'

const KiB = 1024

async function get (client: Client, path = '/'): Promise<string> {
  return (await client.request({ method: 'GET', path })).body.text()
}

async function post (client: Client, path: string, body: Buffer | Readable, headers = {}): Promise<string> {
  return (await client.request({ method: 'POST', path, body, headers })).body.text()
}

/** A shadow whose next answer is chosen by the test. */
async function startPuppet (t: Test) {
  const waiting: Socket[] = []
  const answer = (socket: Socket) => { socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok') }
  const server = await startTcp(t, socket => {
    socket.on('end', () => socket.destroy())
    socket.on('data', () => puppet.act(socket))
  })
  const puppet = Object.assign(server, {
    answer,
    reset: (socket: Socket) => { socket.resetAndDestroy() },
    hold: (socket: Socket) => { waiting.push(socket) },
    act: answer,
    release: () => { for (const socket of waiting.splice(0)) answer(socket) }
  })
  return puppet
}

for (const { mode, plugin } of modes) {
  t.test(`${mode}, rule 4: mirror requests in flight are bounded, the excess is dropped and counted`, async t => {
    const primary = await startBackend(t)
    const hung = await startPuppet(t)
    hung.act = hung.hold
    const fast = await startBackend(t)
    const mirror = { backends: [hung.url, fast.url], maxInFlight: 4, timeout: 60_000, breaker: false as const }
    const gateway = await startProxy(t, primary.url, mirror, { ...plugin, closeTimeout: 1 })
    const client = keepAlive(t, gateway.url)
    const [ofHung, ofFast] = [() => gateway.mirror().backends[0], () => gateway.mirror().backends[1]]

    for (let i = 1; i <= 20; i++) {
      t.equal(await get(client), 'ok')
      await until('the other backend, with bounds of its own, has answered', () => ofFast().success === i)
    }
    t.match(ofHung(), { inFlight: 4, total: 4, dropped: { inFlight: 16 } })
    t.equal(ofFast().dropped.inFlight, 0)
    await until('each has a connection', () => hung.connections === 4)
    t.ok(fast.connections <= 4)
    booksClose(t, gateway.mirror())

    hung.release()
    await until('the slots are free', () => ofHung().inFlight === 0)
    for (let i = 1; i <= 20; i++) await get(client)
    t.match(ofHung(), { inFlight: 4, total: 8, dropped: { inFlight: 32 } }, 'as many again, and no more')
    t.equal(hung.connections, 4, 'on the connections that are there')
    booksClose(t, gateway.mirror())
  })

  t.test(`${mode}, rule 4: a slot is free only when the client library has let go of it, a stalled connect included`, async t => {
    const kinds = ['stalled in its TLS handshake', 'hung', 'sending an endless body at full speed', 'never reading the request']
    const started = await Promise.all(kinds.map(name => shadowOf(name).start(t)))
    const gateway = await startGateway(t, {
      plugin,
      routes: app => {
        for (const [i, { backend }] of started.entries()) {
          const mirror = { id: String(i), backends: [backend], maxInFlight: 4, timeout: 5000, breaker: false as const }
          app.get(`/${i}`, { mirror }, async () => 'ok')
        }
      }
    })
    const client = keepAlive(t, gateway.url)
    const backend = (i: number) => gateway.mirror(String(i)).backends[0]
    for (let wave = 1; wave <= 2; wave++) {
      await Promise.all(Array.from({ length: 32 }, (_, i) => get(client, `/${i % 4}`)))
      for (const [i, name] of kinds.entries()) {
        t.match(backend(i), { total: 4 * wave, inFlight: 4, dropped: { inFlight: 4 * wave } }, name)
      }
      await until('their time is over', () => kinds.every((_, i) => backend(i).inFlight === 0))
      for (const [i, shadow] of started.entries()) {
        shadow.readOn()
        await until(`the connections are closed: ${kinds[i]}`, () => shadow.sockets.size === 0)
        t.equal(shadow.connections, 4 * wave, `one for each: ${kinds[i]}`)
        booksClose(t, gateway.mirror(String(i)))
      }
    }
  })

  t.test(`${mode}, rule 5: memory held for mirrors is bounded over all routes, the excess is dropped and counted`, async t => {
    const limit = 1_000_000
    // Of two threads each has half.
    const share = plugin.thread === true ? limit / 2 : limit
    const size = 100_000
    const primary = await startBackend(t, (_, response, { body }) => response.end(String(body?.length)))
    const shadow = await shadowOf('stalled in its TLS handshake').start(t)
    const ids = ['a', 'b', 'c']
    const gateway = await startGateway(t, {
      plugin: { ...plugin, maxBufferedBytes: limit },
      async routes (app) {
        for (const id of ids) {
          const mirror = { id, backends: [shadow.backend], timeout: 1500, maxBacklogBytes: limit, breaker: false as const }
          await app.register(httpProxy, { upstream: primary.url, prefix: `/${id}`, config: { mirror } })
        }
      }
    })
    const client = keepAlive(t, gateway.url)
    const sum = (count: (backend: ReturnType<Gateway['backend']>) => number) =>
      ids.reduce((total, id) => total + count(gateway.mirror(id).backends[0]), 0)

    for (let wave = 0; wave < 2; wave++) {
      for (let i = 0; i < 18; i++) t.equal(await post(client, `/${ids[i % 3]}/`, Buffer.alloc(size)), String(size))
      await until('what is held is within the limit', () => sum(b => b.inFlight) * size <= share)
      // Of a thread that has just begun, this side's half is still full when more comes.
      const lost = sum(b => b.failure.memory) + sum(b => b.dropped.memory)
      t.equal(lost + sum(b => b.failure.connect) + sum(b => b.inFlight), 18 + wave * 20)
      for (const id of ids) booksClose(t, gateway.mirror(id))
      await until('all of them are given up', () => sum(b => b.inFlight) === 0)

      const connect = sum(b => b.failure.connect)
      const memory = sum(b => b.failure.memory)
      t.ok(lost > 0)
      // One of several backends may hold as much as it leaves to the others.
      await post(client, '/a/', Buffer.alloc(share * 0.45))
      await until('it is given up, too', () => sum(b => b.inFlight) === 0)
      t.equal(sum(b => b.failure.connect), connect + 1, 'the memory was there for it: nothing is left of the others')
      t.equal(sum(b => b.failure.memory), memory)
      await post(client, '/a/', Buffer.alloc(share * 0.6))
      await until('and this is too much', () => sum(b => b.failure.memory) === memory + 1)
      await until('for all', () => sum(b => b.inFlight) === 0)
    }
  })

  t.test(`${mode}, rule 5: bodies that wait for their handler are within the budget, too`, async t => {
    const limit = 1_000_000
    const share = plugin.thread === true ? limit / 2 : limit
    const shadow = await startBackend(t)
    const mirror = { backends: [shadow.url], maxBacklogBytes: limit }
    const gateway = await startGateway(t, {
      plugin: { ...plugin, maxBufferedBytes: limit },
      routes: app => {
        app.post('/', { mirror, bodyLimit: 2 * limit }, async request => String((request.body as string).length))
      }
    })
    const headers = { 'content-type': 'text/plain', 'content-length': String(share * 0.6) }
    const first = new Readable({ read () {} })
    first.push(Buffer.alloc(share * 0.5))
    const held = post(keepAlive(t, gateway.url), '/', first, headers)
    await until('one waits', () => gateway.mirror().pending === 1)
    const client = keepAlive(t, gateway.url)
    t.equal(await post(client, '/', Buffer.alloc(share * 0.6), headers), String(share * 0.6))
    t.match(gateway.mirror(), { pending: 1, backends: [{ dropped: { memory: 1 }, total: 0 }] }, 'there is no room for another')

    first.push(Buffer.alloc(share * 0.1))
    first.push(null)
    t.equal(await held, String(share * 0.6))
    await until('the one that came first is mirrored', () => gateway.backend().success === 1)
    t.equal(await post(client, '/', Buffer.alloc(share * 0.9), { 'content-type': 'text/plain' }), String(share * 0.9))
    await until('nothing is left of the others', () => gateway.backend().success === 2)
    booksClose(t, gateway.mirror())
  })

  t.test(`${mode}, rule 5: a copy holds maxBacklogBytes at most; a shadow that keeps up streams a body of any size`, async t => {
    const maxBacklogBytes = 256 * KiB
    const piece = Buffer.alloc(64 * KiB, 'x')
    let received = 0
    const primary = await startBackend(t)
    const fast = await startBackend(t)
    const stalled = await shadowOf('never reading the request').start(t)
    const backends = [{ url: fast.url, name: 'fast' }, { ...stalled.backend, name: 'stalled' }]
    const mirror = { id: 'proxied', backends, maxBacklogBytes, timeout: 60_000 }
    const gateway = await startGateway(t, {
      plugin: { ...plugin, closeTimeout: 1 },
      async routes (app) {
        app.post('/plain', { bodyLimit: 2 * maxBacklogBytes, mirror: { ...mirror, id: 'plain', backends: [fast.url] } }, async () => 'ok')
        await app.register(httpProxy, { upstream: primary.url, prefix: '/proxied', config: { mirror } })
      }
    })
    const client = keepAlive(t, gateway.url)
    const ofFast = () => gateway.mirror('proxied').backends[0]
    const ofStalled = () => gateway.mirror('proxied').backends[1]

    // In many pieces, each sent when the shadow has the one before.
    // More than the system holds for the other.
    const count = (maxBacklogBytes / piece.length) * 64
    const body = new Readable({ read () {} })
    const answer = post(client, '/proxied/', body)
    for (let i = 1; i <= count; i++) {
      body.push(piece)
      await until('the shadow has it', () => (received = bytesOf(fast.sockets)) >= i * piece.length)
    }
    body.push(null)
    t.equal(await answer, 'ok')
    await until('the copy is answered', () => ofFast().success === 1)
    t.equal(hash(fast.requests[0].body), hash(Buffer.alloc(count * piece.length, 'x')))
    t.ok(received > maxBacklogBytes)
    await until('the other is given up', () => ofStalled().inFlight === 0)
    t.match(ofStalled(), { failure: { slow: 1 } })
    booksClose(t, gateway.mirror('proxied'))

    const headers = { 'content-type': 'text/plain' }
    t.equal(await post(client, '/plain', Buffer.alloc(maxBacklogBytes), headers), 'ok')
    await until('a body of just that length is mirrored', () => gateway.mirror('plain').backends[0].success === 1)
    t.equal(await post(client, '/plain', Buffer.alloc(maxBacklogBytes + 1), headers), 'ok')
    t.match(gateway.mirror('plain').backends[0], { offered: 2, total: 1, dropped: { memory: 1 } }, 'a longer one is not')
    booksClose(t, gateway.mirror('plain'))
  })

  t.test(`${mode}: a backend that fails again and again is left alone, then tried with one request`, async t => {
    const primary = await startBackend(t)
    const shadow = await startPuppet(t)
    const mirror = { backends: [shadow.url], breaker: { failures: 3, cooldown: 300 } }
    const gateway = await startProxy(t, primary.url, mirror, plugin)
    const client = keepAlive(t, gateway.url)
    /** One request, until its copy has ended. */
    const one = async () => {
      t.equal(await get(client), 'ok')
      await until('the copy has ended', () => gateway.backend().inFlight === 0)
    }
    /** Requests until one of them is let through. */
    const trial = async () => {
      const { total } = gateway.backend()
      while (gateway.backend().total === total) await get(client)
    }

    shadow.act = shadow.reset
    await one()
    await one()
    shadow.act = shadow.answer
    await one()
    shadow.act = shadow.reset
    await one()
    t.match(gateway.backend().failure, { reset: 2, staleConnection: 1 }, 'a used connection that ends says nothing')
    await one()
    await one()
    t.equal(gateway.backend().breaker, 'closed', 'not three in a row')
    await one()
    t.equal(gateway.backend().breaker, 'open')
    for (let i = 0; i < 5; i++) await one()
    t.match(gateway.backend(), { total: 7, failure: { reset: 5 }, dropped: { breaker: 5 } }, 'left alone')

    const start = performance.now()
    await trial()
    t.ok(performance.now() - start > 100, 'for its time')
    await until('the trial has failed', () => gateway.backend().failure.reset === 6)
    t.match(gateway.backend(), { total: 8, breaker: 'open' })

    shadow.act = shadow.hold
    await trial()
    t.match(gateway.backend(), { total: 9, inFlight: 1, breaker: 'half-open' })
    const { breaker } = gateway.backend().dropped
    for (let i = 0; i < 5; i++) await get(client)
    t.match(gateway.backend(), { total: 9, dropped: { breaker: breaker + 5 } }, 'one at a time')
    shadow.act = shadow.answer
    shadow.release()
    await until('the trial has succeeded', () => gateway.backend().breaker === 'closed')
    await one()
    t.match(gateway.backend(), { total: 10, success: 3 })
    booksClose(t, gateway.mirror())
  })

  t.test(`${mode}: without a breaker it is tried for ever`, async t => {
    const primary = await startBackend(t)
    const shadow = await shadowOf('refusing').start(t)
    const gateway = await startProxy(t, primary.url, { backends: [shadow.backend], breaker: false }, plugin)
    const client = keepAlive(t, gateway.url)
    for (let i = 0; i < 60; i++) await get(client)
    await until('all have failed', () => gateway.backend().failure.connect === 60)
    booksClose(t, gateway.mirror())
  })
}

function bytesOf (sockets: Set<Socket>): number {
  let sum = 0
  for (const socket of sockets) sum += socket.bytesRead
  return sum
}

function hash (body: Buffer | null): string {
  return createHash('sha256').update(body ?? '').digest('hex')
}
