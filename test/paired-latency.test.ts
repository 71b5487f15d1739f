import type { ServerResponse } from 'node:http'
import net from 'node:net'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import type { Test } from 'tap'
import { Pool } from 'undici'
import type { LatencySummary, MirrorOptions } from '../types/index'
import { startBackend } from './helpers/backend'
import { booksClose } from './helpers/books'
import { modes, startGateway, startProxy } from './helpers/gateway'
import type { Gateway } from './helpers/gateway'
import { PATIENCE } from './helpers/twins'
import { until } from './helpers/until'

/** A query such as `?primary=100&shadow=150`: milliseconds that each takes. */
function timeOf (side: 'primary' | 'shadow', url: string): number {
  return Number(new URL(url, 'http://x').searchParams.get(side) ?? 0)
}

async function respond (side: 'primary' | 'shadow', url: string, response: ServerResponse): Promise<void> {
  const ms = timeOf(side, url)
  if (new URL(url, 'http://x').pathname !== '/streamed') {
    await delay(ms)
    response.end('ok')
    return
  }
  // The head at once, and the body in pieces.
  for (let piece = 0; piece < 5; piece++) {
    response.write('x'.repeat(1000))
    await delay(ms / 5)
  }
  response.end()
}

async function startPair (t: Test, mirror: Partial<MirrorOptions> = {}, plugin = {}) {
  const primary = await startBackend(t, (request, response) => respond('primary', request.url as string, response))
  const shadow = await startBackend(t, (request, response) => respond('shadow', request.url as string, response))
  const gateway = await startProxy(t, primary.url, {
    backends: [shadow.url], timeout: PATIENCE, ...mirror, compare: { enabled: true, ...mirror.compare }
  }, plugin)
  const pool = new Pool(gateway.url, { connections: 50, pipelining: 1 })
  t.teardown(() => pool.destroy())
  const send = async (path: string, more: { method?: 'GET' | 'POST', body?: Readable } = {}) => {
    await (await pool.request({ method: 'GET', path, ...more })).body.arrayBuffer()
  }
  const compared = (count: number) => until('all are compared', () => gateway.backend().compared === count, PATIENCE)
  /** Sends so many from the beginning, and again where the event loop was blocked meanwhile: then some pairs give no latency. */
  const sampled = (count: number, sendAll: () => Promise<unknown>) => until('all give a latency', async () => {
    gateway.app.mirrors.reset(gateway.mirror().id)
    await sendAll()
    await compared(count)
    return counts(gateway.backend()).every(sampled => sampled === count)
  }, PATIENCE)
  return { shadow, gateway, send, compared, sampled }
}

/** Whether a percentile is what the backends took, and what a busy machine may add or take from it. */
function near (t: Test, actual: number | null, expected: number, what: string): void {
  t.ok(actual !== null && Math.abs(actual - expected) < 700, `${what}: ${actual} ms, of ${expected} ms`)
}

function counts ({ latency: { shadow, primary, difference } }: ReturnType<Gateway['backend']>): number[] {
  return [shadow, primary, difference].map(({ count }) => count)
}

for (const { mode, plugin } of modes) {
  t.test(`${mode}: the difference is that of each pair`, async t => {
    const { shadow, gateway, send, compared, sampled } = await startPair(t, {}, plugin)
    await sampled(1, () => send('/'))
    t.strictSame(counts(gateway.backend()), [1, 1, 1])
    t.ok((gateway.backend().latency.primary.p50 as number) > 0, 'fractions are kept')

    await t.test('when many are under way, in one order here and in another there', async t => {
      // Taken apart, either side's are all the same; paired, two in three differ by two seconds.
      const pairs: Array<[primary: number, shadow: number]> = [[0, 2000], [2000, 0], [0, 2000]]
      await sampled(30, () => Promise.all(pairs.flatMap(([primary, shadow]) => {
        return Array.from({ length: 10 }, () => send(`/?primary=${primary}&shadow=${shadow}`))
      })))
      const { shadow, primary, difference } = gateway.backend().latency
      near(t, primary.p50, 0, 'primary\'s p50')
      near(t, primary.p90, 2000, 'primary\'s p90')
      near(t, shadow.p50, 2000, 'shadow\'s p50')
      near(t, difference.p50, 2000, 'p50')
      near(t, difference.max, 2000, 'max')
    })

    await t.test('which may be less than nothing', async t => {
      await sampled(10, () => Promise.all(Array.from({ length: 10 }, () => send('/?primary=1500&shadow=100'))))
      const { difference } = gateway.backend().latency
      near(t, difference.p50, -1400, 'p50')
      near(t, difference.max, -1400, 'max')
    })

    await t.test('to the end of what is streamed', async t => {
      await sampled(10, () => Promise.all(Array.from({ length: 10 }, () => send('/streamed?primary=500&shadow=2000'))))
      const { shadow, primary, difference } = gateway.backend().latency
      near(t, primary.p50, 500, 'primary')
      near(t, shadow.p50, 2000, 'shadow')
      near(t, difference.p50, 1500, 'difference')
    })

    await t.test('on a connection that is used again, none of the time before', async t => {
      let connections = 0
      await sampled(3, async () => {
        // The first since the reset has a new connection.
        await send('/?primary=0&shadow=100')
        await compared(1)
        connections = shadow.connections
        for (let i = 0; i < 2; i++) {
          await delay(1500)
          await send('/?primary=0&shadow=100')
          await compared(i + 2)
        }
      })
      t.equal(shadow.connections, connections, 'used again')
      const { shadow: latency, difference } = gateway.backend().latency
      t.ok(latency.p50 as number >= 99, `the shadow takes ${latency.p50} ms`)
      near(t, difference.max, 100, 'difference')
    })

    await t.test('with an upload that takes its time, on both sides', async t => {
      const body = () => Readable.from((async function * () {
        for (let i = 0; i < 4; i++) {
          yield Buffer.alloc(1000)
          await delay(250)
        }
      })())
      await sampled(1, () => send('/?primary=0&shadow=0', { method: 'POST', body: body() }))
      const { shadow, primary, difference } = gateway.backend().latency
      near(t, primary.p50, 1000, 'primary')
      near(t, shadow.p50, 1000, 'shadow')
      near(t, difference.p50, 0, 'difference')
    })
    booksClose(t, gateway.mirror())
  })

  t.test(`${mode}: a pair whose shadow we held back ourselves gives no sample`, async t => {
    // So long that it is read in turns, with rests between them.
    const big = Buffer.alloc(16 * 1024 * 1024, 'x')
    const primary = await startBackend(t, (_, response) => response.end(big))
    const shadow = await startBackend(t, (_, response) => response.end(big))
    const gateway = await startProxy(t, primary.url, {
      backends: [shadow.url], timeout: PATIENCE, compare: { enabled: true }
    }, plugin)
    await (await fetch(gateway.url)).arrayBuffer()
    await until('it is compared', () => gateway.backend().matched === 1, PATIENCE)
    t.match(counts(gateway.backend()), [0, Number, 0])
    t.equal(gateway.backend().latency.difference.count, 0)
  })

  t.test(`${mode}: a pair in which the client held the answer back gives no sample`, async t => {
    // More than the sockets on its way hold, and less than may be on its way to a thread, however far that is behind.
    const big = Buffer.alloc(14 * 1024 * 1024, 'x')
    const primary = await startBackend(t, (_, response) => response.end(big))
    const shadow = await startBackend(t, (_, response) => response.end(big))
    const gateway = await startProxy(t, primary.url, { backends: [shadow.url], timeout: PATIENCE, compare: { enabled: true } }, plugin)
    const socket = net.connect(gateway.port, '127.0.0.1')
    t.teardown(() => socket.destroy())
    let received = 0
    socket.on('data', chunk => { received += chunk.length }).pause()
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
    await until('the copy is answered', () => gateway.backend().success === 1, PATIENCE)
    socket.resume()
    await until('the client has it all', () => received > big.length, PATIENCE)
    await until('it is compared', () => gateway.backend().compared === 1, PATIENCE)
    t.equal(gateway.backend().matched, 1)
    t.strictSame(counts(gateway.backend()).slice(1), [0, 0])
    t.strictSame(gateway.backend().latency.difference, { count: 0, p50: null, p90: null, p95: null, p99: null, max: null } satisfies LatencySummary)
    booksClose(t, gateway.mirror())
  })
}

t.test('what is not compared is not paired', async t => {
  const { gateway, send } = await startPair(t, { compare: { enabled: false } })
  await send('/')
  await until('the copy is answered', () => gateway.backend().success === 1)
  t.strictSame(counts(gateway.backend()).slice(1), [0, 0])
  booksClose(t, gateway.mirror())
})

t.test('on a plain route the primary\'s time is that of its handler, and of what it streams', async t => {
  const shadow = await startBackend(t, (request, response) => respond('shadow', request.url as string, response))
  const gateway = await startGateway(t, {
    routes: app => {
      const mirror = { id: 'plain', backends: [shadow.url], timeout: PATIENCE, compare: { enabled: true } }
      const slowly = async () => { await delay(1500) }
      app.get('/', { mirror, onRequest: slowly, preHandler: slowly, onSend: slowly }, async () => {
        await delay(100)
        return 'ok'
      })
      app.get('/streamed', { mirror }, async (_, reply) => reply.send(Readable.from((async function * () {
        for (let i = 0; i < 5; i++) {
          yield 'x'.repeat(1000)
          await delay(200)
        }
      })())))
    }
  })
  const pool = new Pool(gateway.url)
  t.teardown(() => pool.destroy())
  // Again where the event loop was blocked meanwhile: then the pair gives no latency.
  const sampled = (path: string) => until('it gives a latency', async () => {
    gateway.app.mirrors.reset('plain')
    await (await pool.request({ method: 'GET', path })).body.dump()
    await until('it is compared', () => gateway.backend().compared === 1, PATIENCE)
    return counts(gateway.backend()).every(count => count === 1)
  }, PATIENCE)
  await sampled('/?shadow=1100')
  near(t, gateway.backend().latency.primary.max, 100, 'primary')
  near(t, gateway.backend().latency.difference.max, 1000, 'difference')

  await sampled('/streamed?shadow=1000')
  near(t, gateway.backend().latency.primary.max, 1000, 'primary')
  near(t, gateway.backend().latency.difference.max, 0, 'difference')
})
