import t from 'tap'
import type { Test } from 'tap'
import http from 'node:http'
import type { RequestListener } from 'node:http'
import https from 'node:https'
import type { Socket } from 'node:net'
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import tls from 'node:tls'
import { startBackend, startTcp, track } from './helpers/backend'
import { testEngines } from './helpers/engine'
import { cert, key } from './helpers/tls'
import { until } from './helpers/until'

// No shadow is blamed for what was the gateway's, the client's or the distance's.

const MIB = 1024 * 1024
const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'

function block (ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end;);
}

testEngines(t, 'an answer that came while the loop was blocked came in time, and is no sample of anything', async (t, bench) => {
  const waiting: Array<() => void> = []
  const shadow = await startBackend(t, (_, response) => {
    if (waiting.push(() => response.end('ok')) < 5) return
    for (const answer of waiting.splice(0)) answer()
    block(2000)
  })
  // Much for what comes before, on a machine that is busy.
  const target = bench.target(shadow.url, { timeout: 1500 })
  for (let i = 0; i < 4; i++) waiting.push(() => {})
  const first = bench.send(target)
  await first.ended()
  t.equal(first.sink.fate, 'answered: 200')
  const others = Array.from({ length: 5 }, () => bench.send(target, { compare: true }))
  for (const { exchange } of others) exchange.primaryWhole(200, '', null, 'ok', 1)
  for (const { sink, ended } of others) {
    await ended()
    t.equal(sink.fate, 'answered: 200')
    t.ok(Number.isNaN(sink.ms))
    t.equal(sink.latency, null)
  }
}, { only: 'inline', own: true })

testEngines(t, 'a client that stops to send has its copies given up, and one that goes on has not', async (t, bench) => {
  const shadow = await startBackend(t)
  const target = bench.target(shadow.url, { bodyTimeout: 150 })
  const stalled = bench.send([target, target], { method: 'POST', upload: true })
  stalled.exchange.write(Buffer.from('a'))
  const silent = bench.send(target, { method: 'POST', upload: true })
  const going = bench.send(target, { method: 'POST', upload: true })
  const writing = setInterval(() => going.exchange.write(Buffer.from('x')), 20)
  t.teardown(() => clearInterval(writing))
  await stalled.ended()
  await silent.ended()
  t.strictSame([...stalled.sinks, silent.sink].map(({ fate }) => fate), Array(3).fill('failed: bodyTimeout'))
  stalled.exchange.write(Buffer.from('late'))
  stalled.exchange.end()
  clearInterval(writing)
  going.exchange.end()
  await going.ended()
  t.equal(going.sink.fate, 'answered: 200')
})

testEngines(t, 'what waits for a connection is not slow, and has the time of a copy', async (t, bench) => {
  const connections: Socket[] = []
  const server = tls.createServer({ key, cert }, socket => {
    socket.on('error', () => {}).on('data', (chunk: Buffer) => {
      if (chunk.includes('0\r\n\r\n')) socket.write(OK)
    })
  })
  // The handshake waits until the test lets it go.
  const held: Array<() => void> = []
  const far = await startTcp(t, socket => {
    connections.push(socket)
    held.push(() => server.emit('connection', socket))
  })
  const target = bench.target(far.url.replace('http:', 'https:').replace('127.0.0.1', 'localhost'), {
    connect: { ca: cert }, maxBacklogBytes: 256 * 1024
  })
  const { exchange, sink, ended } = bench.send(target, { method: 'POST', upload: true })
  for (let i = 0; i < 32; i++) {
    exchange.write(Buffer.alloc(64 * 1024, 'x'))
    await delay(2)
  }
  t.strictSame(sink.calls, [], '2 MiB wait')
  await until('it connects', () => held.length > 0)
  for (const letGo of held) letGo()
  exchange.end()
  await ended()
  t.equal(sink.fate, 'answered: 200')
  for (const socket of connections) socket.destroy()

  const stuck = bench.target((await startTcp(t, socket => { socket.resume() })).url.replace('http:', 'https:'), { timeout: 200 })
  const never = bench.send(stuck, { method: 'POST', upload: true })
  never.exchange.write(Buffer.from('x'))
  await never.ended()
  t.equal(never.sink.fate, 'failed: connect', 'though the body is not complete')
}, { own: true })

for (const protocol of ['http', 'https']) {
  /** A backend that takes all that comes, at once, and tells when an upload has begun to come. */
  const start = async (t: Test) => {
    let begun = false
    const handler: RequestListener = (request, response) => {
      request.on('data', () => { begun = true }).on('end', () => response.end('ok'))
    }
    const { port } = await track(t, protocol === 'http' ? http.createServer(handler) : https.createServer({ key, cert }, handler))
    return { url: `${protocol}://localhost:${port}`, begins: () => until('it begins', () => begun) }
  }

  testEngines(t, `${protocol}: what comes at once is no slowness of the backend's`, async (t, bench) => {
    const shadow = await start(t)
    const { exchange, sink, ended } = bench.send(bench.target(shadow.url, { connect: { ca: cert } }), { method: 'POST', upload: true })
    exchange.write(Buffer.from('x'))
    await shadow.begins()
    for (let i = 0; i < 64; i++) exchange.write(Buffer.alloc(64 * 1024, 'x'))
    exchange.end()
    await ended()
    t.equal(sink.fate, 'answered: 200')
  })

  testEngines(t, `${protocol}: nor is it that each turn of the event loop brings more than the connection takes in a turn`, async (t, bench) => {
    const shadow = await start(t)
    const target = bench.target(shadow.url, { connect: { ca: cert }, maxBacklogBytes: 256 * 1024 })
    const { exchange, sink, ended } = bench.send(target, { method: 'POST', upload: true })
    exchange.write(Buffer.from('x'))
    await shadow.begins()
    for (let i = 0; i < 32; i++) {
      exchange.write(Buffer.alloc(256 * 1024, 'x'))
      await nextTurn()
    }
    t.strictSame(sink.calls, [])
    exchange.end()
    await ended()
    t.equal(sink.fate, 'answered: 200')
  }, { only: 'inline' })
}

testEngines(t, 'a backend that takes less than comes is slow, though it takes something again and again', async (t, bench) => {
  let read = 0
  const shadow = await startTcp(t, socket => {
    socket.pause()
    // A tenth of what comes at most.
    const timer = setInterval(() => { read += socket.read(Math.min(6554, socket.readableLength))?.length ?? 0 }, 5)
    socket.on('close', () => clearInterval(timer))
  })
  const target = bench.target(shadow.url, { maxBacklogBytes: 256 * 1024 })
  const { exchange, sink, ended } = bench.send(target, { method: 'POST', upload: true })
  for (let i = 0; i < 600 && !sink.done; i++) {
    exchange.write(Buffer.alloc(64 * 1024, 'x'))
    await delay(5)
  }
  await ended()
  t.equal(sink.fate, 'failed: slow')
  t.ok(read > 0)
})

testEngines(t, 'a backend that does not read leaves half of the memory to the others, and is not said to have failed for it', async (t, bench) => {
  const hung = await startTcp(t, socket => { socket.pause() })
  const shadow = await startBackend(t)
  const stuck = bench.target(hung.url, { maxBacklogBytes: 100 * MIB })
  const fine = bench.target(shadow.url)
  const { exchange, sinks, ended } = bench.send([stuck, fine], { method: 'POST', upload: true })
  for (let i = 0; i < 160 && !sinks[0].done; i++) {
    exchange.write(Buffer.alloc(128 * 1024, 'x'))
    await delay(4)
    await until('it is there', () => !bench.engine.threaded || bench.engine.budget.used === 0)
  }
  await until('the first is given up', () => sinks[0].done)
  t.equal(sinks[0].fate, 'failed: memory')
  t.strictSame(sinks[1].calls, [], 'the other goes on')
  exchange.end()
  await ended()
  t.equal(sinks[1].fate, 'answered: 200')
  const whole = bench.send([stuck, fine], { method: 'POST', body: Buffer.alloc(MIB) })
  await until('the other is answered', () => whole.sinks[1].done)
  t.equal(whole.sinks[1].fate, 'answered: 200')
  whole.exchange.cut()
}, { own: true, bytes: 8 * MIB })

testEngines(t, 'what waits to be compared when the engine closes is told so', async (t, bench) => {
  const shadow = await startBackend(t)
  const hung = await startTcp(t, socket => { socket.resume() })
  const waiting = [1, 2, 3].map(() => bench.send(bench.target(shadow.url), { compare: true }))
  const stuck = bench.send([bench.target(shadow.url), bench.target(hung.url)], { compare: true })
  for (const { sink } of [...waiting, stuck]) await until('it is answered', () => sink.answered)
  await bench.engine.close(30)
  await until('all is told', () => [...waiting, stuck].every(({ sinks }) => sinks.every(sink => sink.done)))
  for (const { sink } of [...waiting, stuck]) t.strictSame(sink.calls, ['answered: 200', 'not compared: closing'])
  t.equal(stuck.sinks[1].fate, 'failed: aborted')
}, { own: true })

testEngines(t, 'what is being looked into when the engine closes is told so, and nothing else later', async (t, bench) => {
  const body = (price: number) => JSON.stringify(Array.from({ length: 40_000 }, (_, id) => ({ id, price })))
  const shadow = await startBackend(t, (_, response) => response.end(body(1)))
  const diff = { maxBodyCapture: 4 * MIB, ignoreHeaders: [], ignoreJsonFields: [], rules: [], origins: {}, redact: [] }
  const target = bench.target(shadow.url, { diff })
  const sent = Array.from({ length: 4 }, () => bench.send(target, { compare: true }))
  for (const { exchange } of sent) exchange.primaryWhole(200, '', ['content-type', 'application/json'], body(2), 1)
  for (const { sink } of sent) await until('it is answered', () => sink.answered)
  await bench.engine.close(1)
  await until('all is told', () => sent.every(({ sink }) => sink.done))
  t.ok(sent.some(({ sink }) => sink.calls[1] === 'not compared: closing'))
  await delay(300)
  t.ok(sent.every(({ sink }) => sink.calls.length === 2))
}, { own: true })

testEngines(t, 'a header that holds NUL is one header, which no request can have', async (t, bench) => {
  const shadow = await startBackend(t)
  const { sink, ended } = bench.send(bench.target(shadow.url), { headers: ['host', 'a', 'x', 'a\0x-admin\0true'] })
  await ended()
  t.equal(sink.fate, 'refused')
  t.equal(shadow.connections, 0)
})
