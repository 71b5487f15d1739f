import Fastify from 'fastify'
import t from 'tap'
import type { Test } from 'tap'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import http from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import net from 'node:net'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { startBackend, track } from '../helpers/backend'
import { booksClose } from '../helpers/books'
import { keepAlive, modes, startGateway, startProxy } from '../helpers/gateway'
import { RefusingResolver } from '../helpers/name-server'
import { shadowOf } from '../helpers/shadows'
import { until } from '../helpers/until'

const MiB = 1024 * 1024
const CHUNK = Buffer.alloc(64 * 1024, 'x')

/** A primary that counts what it is sent and what it has written, and does not keep it. */
async function startCounter (t: Test, listener: (request: IncomingMessage, response: ServerResponse, counter: Counter) => void) {
  const server = http.createServer((request, response) => {
    request.on('data', chunk => { counter.received += chunk.length })
    listener(request, response, counter)
  })
  const counter: Counter = Object.assign(await track(t, server), { received: 0, written: 0 })
  return counter
}

interface Counter { url: string, received: number, written: number }

/** Writes so many bytes at the pace at which they are taken. */
async function write (target: ServerResponse | net.Socket, length: number, counter: { written: number }): Promise<void> {
  for (let left = length; left > 0; left -= CHUNK.length) {
    counter.written += CHUNK.length
    if (!target.write(CHUNK)) await once(target, 'drain')
  }
}

function bodyOf (length: number): Readable {
  return Readable.from(new Array(length / CHUNK.length).fill(CHUNK))
}

/** Resolves when a count has stood still for a while. */
async function still (count: () => number): Promise<void> {
  for (let last = -1; last !== count();) {
    last = count()
    await delay(200)
  }
}

for (const { mode, plugin } of modes) {
  t.test(`${mode}, rule 2: a shadow that never reads, and 320 MiB flow through at full speed, in flat memory`, async t => {
    const length = 320 * MiB
    const primary = await startCounter(t, async (request, response, counter) => {
      request.on('end', async () => {
        if (request.method === 'GET') await write(response, length / 4, counter)
        response.end()
      })
    })
    const shadow = await shadowOf('never reading the request').start(t)
    const mirror = { backends: [shadow.backend], timeout: 60_000, compare: { enabled: true } }
    const gateway = await startProxy(t, primary.url, mirror, { ...plugin, closeTimeout: 1 })
    const client = keepAlive(t, gateway.url)
    await (await client.request({ method: 'POST', path: '/', body: bodyOf(MiB) })).body.dump()
    await until('the engine is at work', () => shadow.sockets.size === 1)

    const base = process.memoryUsage().rss
    let most = 0
    const sampler = setInterval(() => { most = Math.max(most, process.memoryUsage().rss) }, 10)
    t.teardown(() => clearInterval(sampler))
    primary.received = 0
    await (await client.request({ method: 'POST', path: '/', body: bodyOf(length) })).body.dump()
    t.equal(primary.received, length, 'the upload is complete')
    const grown = most - base
    t.ok(grown < length / 2, `memory grew by ${grown / MiB} MiB`)

    let received = 0
    const { body } = await client.request({ method: 'GET', path: '/' })
    for await (const chunk of body) received += chunk.length
    t.equal(received, length / 4, 'the download is complete')
    // The backend is slow, unless this process fell behind before that could be seen.
    const givenUp = () => {
      const { slow, memory, thread } = gateway.backend().failure
      return slow + memory + thread
    }
    await until('the copy is given up', () => givenUp() === 1)
    t.equal(gateway.backend().inFlight, 2, 'the small ones wait, and nobody waits for them')
    booksClose(t, gateway.mirror())
  })

  t.test(`${mode}, rule 2: a client that takes its time holds the primary back, and a primary its client, as without a mirror`, async t => {
    const length = 64 * MiB
    let release = () => {}
    const primary = await startCounter(t, async (request, response, counter) => {
      if (request.method === 'GET') {
        await write(response, length, counter)
        response.end()
      } else {
        request.pause()
        release = () => request.resume()
        request.on('end', () => response.end('ok'))
      }
    })
    const shadow = await startBackend(t)
    const gateway = await startProxy(t, primary.url, { backends: [shadow.url], compare: { enabled: true } }, plugin)
    const socket = net.connect(gateway.port, '127.0.0.1')
    t.teardown(() => socket.destroy())

    socket.pause()
    socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n')
    await until('the shadow has answered', () => gateway.backend().success === 1)
    await still(() => primary.written)
    t.ok(primary.written < length / 2, `the primary is held back at ${primary.written}`)
    t.equal(gateway.backend().comparing, 1)
    let received = 0
    socket.on('data', data => { received += data.length }).resume()
    await until('the primary has written all', () => primary.written === length)
    // A thread that falls behind does not compare.
    await until('its answer is complete', () => gateway.backend().comparing === 0)
    await still(() => received)

    const client = { written: 0 }
    socket.write(`POST / HTTP/1.1\r\nhost: a\r\ncontent-length: ${length}\r\n\r\n`)
    const written = write(socket, length, client)
    await still(() => client.written)
    t.ok(client.written < length / 2, `the client is held back at ${client.written}`)
    release()
    await written
    await until('the primary has all of it', () => primary.received === length)
    await until('the copy has ended', () => gateway.backend().inFlight === 0)
    booksClose(t, gateway.mirror())
  })

  t.test(`${mode}, rule 2: endless bodies at full speed do not use up the event loop`, async t => {
    const copies = 64
    const flood = await startFlood(t)
    const sockets = socketsTo(t, flood.port)
    const mirror = { backends: [flood.url], timeout: 60_000, compare: { enabled: true } }
    const gateway = await startGateway(t, {
      plugin: { ...plugin, closeTimeout: 1 },
      routes: app => { app.get('/', { mirror }, async () => 'ok') }
    })
    const client = keepAlive(t, gateway.url)
    const get = async () => (await client.request({ method: 'GET', path: '/', headers: { 'x-mirrored-from': 'nobody' } })).body.text()
    for (let i = 0; i < copies; i++) await (await client.request({ method: 'GET', path: '/' })).body.dump()
    await until('all of them are in flight', () => gateway.backend().inFlight === copies)

    flood.open()
    // Until there is as much to be read at once as there can be, unless another thread reads it.
    if (sockets.size > 0) flood.waitUntilFull()
    let most = 0
    for (let turn = 0, last = bytesRead(sockets); turn < 100; turn++) {
      await new Promise(setImmediate)
      const read = bytesRead(sockets)
      most = Math.max(most, read - last)
      last = read
    }
    t.ok(most < 24 * MiB, `the most in one turn of the event loop was ${most / MiB} MiB`)

    for (let i = 0; i < 50; i++) {
      const start = performance.now()
      t.equal(await get(), 'ok')
      const ms = performance.now() - start
      t.ok(ms < 2500, `answered after ${ms} ms`)
    }
    t.equal(gateway.backend().inFlight, copies, 'all the while')
  })

  for (const route of ['proxied', 'plain'] as const) {
    t.test(`${mode}, rule 8: the mirror does not wait for the primary to finish: ${route}`, async t => {
      let release = () => {}
      const primary = await startBackend(t, (_, response) => { release = () => response.end('ok') })
      const shadow = await startBackend(t)
      const mirror = { backends: [shadow.url], compare: { enabled: true } }
      const gateway = route === 'proxied'
        ? await startProxy(t, primary.url, mirror, plugin)
        : await startGateway(t, {
          plugin,
          routes: app => { app.post('/', { mirror }, () => new Promise(resolve => { release = () => resolve('ok') })) }
        })
      const headers = { 'content-type': 'text/plain' }
      const answer = keepAlive(t, gateway.url).request({ method: 'POST', path: '/', headers, body: 'hello' })
      await until('the shadow has answered', () => gateway.backend().success === 1)
      t.match(shadow.requests, [{ body: Buffer.from('hello') }])
      t.match(gateway.backend(), { inFlight: 0, comparing: 1, compared: 0 })
      booksClose(t, gateway.mirror())
      if (route === 'proxied') await until('the primary has the request', () => primary.requests[0]?.body != null)
      release()
      t.equal(await (await answer).body.text(), 'ok')
      await until('the answers are compared', () => gateway.backend().matched === 1)
      booksClose(t, gateway.mirror())
    })
  }
}

t.test('rule 2: backends\' names are looked up one at a time', async t => {
  const asked: string[] = []
  const answers: Array<(error: Error | null, addresses: unknown[]) => void> = []
  const lookup = (name: string, _: object, callback: typeof answers[0]) => {
    asked.push(name)
    answers.push(callback)
  }
  const { default: fastifyMirror } = t.mockRequire('../../lib', { 'node:dns': { lookup, Resolver: RefusingResolver } })
  const shadow = await startBackend(t)
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(fastifyMirror, { closeTimeout: 1 })
  const hosts = ['a', 'b', 'c', 'd', 'e', 'f']
  for (const host of hosts) {
    app.get(`/${host}`, { mirror: { id: host, backends: [`http://${host}.test:${shadow.port}`], timeout: 1000, breaker: false } }, async () => 'ok')
  }
  const request = () => Promise.all(hosts.map(host => app.inject(`/${host}`)))
  const connect = () => Object.values(app.mirrors.list()).map(({ backends: [{ failure }] }) => failure.connect)
  for (let round = 1; round <= 3; round++) {
    t.equal((await request())[0].body, 'ok')
    await until('all copies are given up', () => connect().every(count => count === round))
    t.strictSame(asked, ['a.test'], 'the others wait for a look-up that hangs')
  }
  for (const [i, host] of hosts.entries()) {
    await until('the next is looked up', () => asked.length > i)
    t.strictSame(asked.slice(i), [`${host}.test`], 'one after the other')
    answers[i](null, [{ address: '127.0.0.1', family: 4 }])
  }
  await request()
  await until('all copies are answered', () => shadow.requests.length === hosts.length)
  t.equal(asked.length, hosts.length, 'and what is known is not asked again')
})

/** All sockets of this thread that connect to a port, from now on. */
function socketsTo (t: Test, port: number): Set<net.Socket> {
  const sockets = new Set<net.Socket>()
  const onSocket = (message: unknown) => {
    const { socket } = message as { socket: net.Socket }
    socket.on('connect', () => { if (socket.remotePort === port) sockets.add(socket) })
  }
  subscribe('net.client.socket', onSocket)
  t.teardown(() => { unsubscribe('net.client.socket', onSocket) })
  return sockets
}

function bytesRead (sockets: Set<net.Socket>): number {
  let sum = 0
  for (const socket of sockets) sum += socket.bytesRead
  return sum
}

/** A server on a thread of its own that, once opened, answers every request with an endless body at full speed. */
async function startFlood (t: Test) {
  // Shared with it: whether it is open, and how many MiB it has written.
  const shared = new Int32Array(new SharedArrayBuffer(8))
  const worker = new Worker(`
    const { parentPort, workerData: shared } = require('node:worker_threads')
    const chunk = Buffer.alloc(256 * 1024, 'x')
    const sockets = []
    const more = socket => { while (!socket.destroyed && socket.write(chunk)) Atomics.add(shared, 1, 1); }
    const timer = setInterval(() => {
      if (Atomics.load(shared, 0) === 0) return
      clearInterval(timer)
      for (const socket of sockets) more(socket.on('drain', () => more(socket)))
    }, 5)
    const server = require('node:net').createServer(socket => {
      socket.on('error', () => {})
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\\r\\n\\r\\n')
        sockets.push(socket)
      })
    })
    server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port))
  `, { eval: true, workerData: shared })
  t.teardown(() => worker.terminate())
  const [port] = await once(worker, 'message')
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    open: () => { Atomics.store(shared, 0, 1) },
    /** Blocks this thread until no socket takes more. */
    waitUntilFull () {
      for (let last = -1; last !== Atomics.load(shared, 1) || last === 0;) {
        last = Atomics.load(shared, 1)
        Atomics.wait(shared, 0, 1, 50)
      }
    }
  }
}
