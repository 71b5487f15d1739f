import httpProxy from '@fastify/http-proxy'
import t from 'tap'
import type { Test } from 'tap'
import type { ServerResponse } from 'node:http'
import type { MirrorOptions, MirrorSnapshot, NoiseOptions, RepeatSnapshot } from '../types/index'
import { REFUSED, startBackend } from './helpers/backend'
import type { Received } from './helpers/backend'
import { booksClose } from './helpers/books'
import { rawClient } from './helpers/client'
import { keepAlive, modes, startGateway } from './helpers/gateway'
import { until } from './helpers/until'

interface Setup {
  noise?: Partial<NoiseOptions>
  /** Whether another instance is asked rather than the shadow. */
  other?: boolean | string
  mirror?: Partial<MirrorOptions>
  shadow?: (response: ServerResponse, received: Received) => void
  url?: string
}

const sum = (counts: Record<string, number>) => Object.values(counts).reduce((total, count) => total + count, 0)
const isRepeat = ({ headers }: Received) => `${headers['x-mirrored-from']}`.endsWith(';repeat')
const settled = ({ pending, repeats, backends }: MirrorSnapshot) => pending === 0 &&
  repeats?.inFlight === 0 && repeats.comparing === 0 && backends.every(({ inFlight, comparing }) => inFlight + comparing === 0)

function answerOk (_: unknown, response: ServerResponse): void {
  response.end('ok')
}

/** A gateway whose mirror asks twice, with all its backends. */
async function setUp (t: Test, plugin: object, { noise, other, mirror, shadow: answer, url }: Setup = {}) {
  const reply = (response: ServerResponse) => { response.setHeader('content-type', 'application/json').end('{"a":1}') }
  const primary = await startBackend(t, (_, response) => reply(response))
  const shadow = await startBackend(t, (_, response, received) => (answer ?? reply)(response, received))
  const third = await startBackend(t, (_, response) => reply(response))
  const from = other === undefined ? 'shadow' : { url: typeof other === 'string' ? other : `${third.url}/base` }
  const gateway = await startGateway(t, {
    plugin,
    async routes (app) {
      const options: MirrorOptions = {
        id: 'm',
        backends: [{ url: url ?? shadow.url, name: 'shadow' }],
        compare: { enabled: true, detailedDiff: true },
        noise: { from, percentage: 100, ...noise },
        ...mirror
      }
      await app.register(httpProxy, { upstream: primary.url, config: { mirror: options } })
    }
  })
  const client = keepAlive(t, gateway.url)
  return {
    gateway,
    primary,
    shadow,
    third,
    async ask (path: string, request: { method?: 'GET' | 'POST' | 'PUT' | 'HEAD', headers?: Record<string, string>, body?: string } = {}) {
      const { body } = await client.request({ method: 'GET', path, ...request })
      await body.dump()
    },
    async ended () {
      await until('all has ended', () => settled(gateway.mirror()))
      const snapshot = gateway.mirror()
      booksClose(t, snapshot)
      return { snapshot, repeats: snapshot.repeats as RepeatSnapshot, backend: snapshot.backends[0] }
    }
  }
}

for (const { mode, plugin } of modes) {
  t.test(`${mode}: from the shadow, at most the share of the copies is asked twice`, async t => {
    const { ask, ended, primary, shadow, third } = await setUp(t, plugin, { noise: { percentage: 25 } })
    for (let i = 0; i < 41; i++) {
      await ask(`/a?${i}`)
      const { repeats } = await ended()
      t.ok(repeats.total <= (i + 1) / 4)
    }
    const { repeats, backend } = await ended()
    t.match(repeats, { asked: 10, total: 10, success: 10, compared: 10, matched: 10 })
    t.equal(sum(repeats.dropped), 0)
    t.strictSame([primary.requests.length, shadow.requests.length, third.requests.length], [41, 51, 0], 'the primary gets none more')
    t.equal(shadow.requests.filter(isRepeat).length, 10)
    t.match(backend, { offered: 41, total: 41, success: 41, compared: 41, matched: 41 })
    t.ok(backend.latency.shadow.count <= 41 && backend.latency.primary.count <= 41)
  })

  t.test(`${mode}: a repeat is the copy once more, marked, when the first answer has ended, and keeps no cookie`, async t => {
    let open = 0
    let together = 0
    const { ask, ended, shadow, gateway } = await setUp(t, plugin, {
      mirror: { removeHeaders: ['authorization'] },
      shadow (response) {
        together = Math.max(together, ++open)
        response.setHeader('set-cookie', 'session=new')
        response.write('{"id":')
        setImmediate(() => response.end(`${open--}}`))
      }
    })
    await ask('/a/b?c=d', { headers: { cookie: 'session=old', 'x-a': '1', authorization: 'x' } })
    const { repeats } = await ended()
    t.equal(repeats.mismatched + repeats.matched, 1)
    const [first, second] = shadow.requests
    t.equal(together, 1)
    t.equal(first.headers['x-mirrored-from'], `127.0.0.1:${gateway.port}`)
    t.strictSame(second, {
      ...first,
      headers: { ...first.headers, 'x-mirrored-from': `127.0.0.1:${gateway.port};repeat` },
      rawHeaders: first.rawHeaders.map(text => text === first.headers['x-mirrored-from'] ? `${text};repeat` : text)
    })
    t.equal(second.headers.cookie, 'session=old')
  })

  t.test(`${mode}: another instance of the primary is asked what the shadow is, and compared with the primary`, async t => {
    const { ask, ended, primary, shadow, third } = await setUp(t, plugin, {
      other: true, noise: { percentage: 50 }, shadow: response => response.end('other')
    })
    for (let i = 0; i < 8; i++) await ask(`/a?${i}`, { headers: { 'x-a': `${i}` } })
    await ask('/a', { method: 'HEAD' })
    await ask('/a', { method: 'POST', body: 'x' })
    const { repeats, backend } = await ended()
    t.match(repeats, { asked: 4, total: 4, success: 4, compared: 4, matched: 4 })
    t.strictSame([primary.requests.length, shadow.requests.length, third.requests.length], [10, 10, 4])
    t.ok(third.requests.every(isRepeat))
    t.match(third.requests[0], { method: 'GET', url: '/base/a?1', headers: { host: third.host, 'x-a': '1' } })
    t.match(backend, { compared: 10, mismatched: 10 })
  })

  t.test(`${mode}: only what asks for nothing but an answer is asked twice`, async t => {
    const { ask, ended, shadow } = await setUp(t, plugin, { mirror: { endpoint: 'graphql' }, noise: { methods: ['get'] } })
    const json = { 'content-type': 'application/json' }
    const post = (body: string) => ask('/graphql', { method: 'POST', headers: json, body })
    const query = JSON.stringify({ query: 'query A { a }' })
    await post(query)
    const { repeats } = await ended()
    t.match(repeats, { asked: 1, matched: 1 })
    t.strictSame(shadow.requests.map(({ body }) => body?.toString()), [query, query])
    t.ok(isRepeat(shadow.requests[1]))
    await post(JSON.stringify({ query: 'mutation B { b }' }))
    await post(JSON.stringify({ query: 'query A { a } mutation B { b }', operationName: 'A' }))
    await post(JSON.stringify({ extensions: { persistedQuery: {} } }))
    await post('no json')
    await ask('/graphql', { method: 'PUT', headers: json, body: query })
    await ask('/graphql', { method: 'HEAD' })
    await ask('/graphql', { method: 'PUT' })
    t.match((await ended()).repeats, { asked: 1, total: 1 })
    await post(JSON.stringify({ query: `query A { ${'a '.repeat(2000)} }` }))
    t.match((await ended()).repeats, { asked: 2, total: 1, dropped: { body: 1 } })
    await post(JSON.stringify([{ query: '{ a }' }, { query: '# c\nfragment F on T { a } query { ...F }' }]))
    t.match((await ended()).repeats, { asked: 3, total: 2 })
  })

  t.test(`${mode}: what becomes of repeats changes nothing that is concluded of copies`, async t => {
    const { ask, ended, gateway } = await setUp(t, plugin, {
      mirror: { breaker: { failures: 1, cooldown: 60_000 } },
      shadow (response, received) {
        if (isRepeat(received)) response.destroy()
        else response.end('{"a":1}')
      }
    })
    for (let i = 0; i < 3; i++) await ask('/a')
    const { repeats, backend } = await ended()
    t.match(repeats, { asked: 3, total: 3, success: 0 })
    t.equal(repeats.failure.reset + repeats.failure.staleConnection, 3)
    t.match(backend, { total: 3, success: 3, breaker: 'closed' })
    t.equal(sum(backend.failure), 0)
    t.notOk(gateway.log.some(({ msg }) => msg === 'the copy failed'))
  })

  t.test(`${mode}: without a first answer, or without the place for it, nothing is asked twice`, async t => {
    const failing = await setUp(t, plugin, { url: REFUSED.url, mirror: { breaker: false } })
    for (let i = 0; i < 3; i++) await failing.ask('/a')
    t.match((await failing.ended()).repeats, { asked: 0 })

    const other = await setUp(t, plugin, { other: REFUSED.url, mirror: { breaker: { failures: 2, cooldown: 60_000 } } })
    for (let i = 0; i < 3; i++) {
      await other.ask('/a')
      await other.ended()
    }
    t.match((await other.ended()).repeats, { asked: 3, total: 2, failure: { connect: 2 }, dropped: { breaker: 1 } })

    const held: ServerResponse[] = []
    const busy = await setUp(t, plugin, { mirror: { maxInFlight: 4, timeout: 60_000 }, shadow: (response, { url }) => { url === '/held' ? held.push(response) : response.end() } })
    for (let i = 0; i < 2; i++) await busy.ask('/held')
    await until('two are held', () => held.length === 2)
    await busy.ask('/a')
    await until('one is dropped', () => busy.gateway.mirror().repeats?.dropped.inFlight === 1)
    t.equal(busy.gateway.app.mirrors.update('m', { backends: { shadow: { enabled: false } } })?.id, 'm')
    for (const response of held) response.end()
    t.match((await busy.ended()).repeats, { asked: 3, total: 0, dropped: { inFlight: 1, disabled: 2 } })
    busy.gateway.app.mirrors.update('m', { enabled: true, backends: { shadow: { enabled: true } } })
    held.length = 0
    await busy.ask('/held')
    await until('one is held', () => held.length === 1)
    busy.gateway.app.mirrors.update('m', { enabled: false })
    held[0].end()
    t.match((await busy.ended()).repeats, { asked: 4, total: 0, dropped: { disabled: 3 } })
  })

  t.test(`${mode}: while the breaker is not closed nothing is asked twice`, async t => {
    const held: ServerResponse[] = []
    const { ask, ended, gateway } = await setUp(t, plugin, {
      mirror: { breaker: { failures: 1, cooldown: 60_000 }, timeout: 60_000 },
      shadow: (response, { url }) => { url === '/held' ? held.push(response) : response.destroy() }
    })
    await ask('/held')
    await until('one is held', () => held.length === 1)
    await ask('/a')
    await until('the breaker is open', () => gateway.backend().breaker === 'open')
    held[0].end()
    t.match((await ended()).repeats, { asked: 1, total: 0, dropped: { breaker: 1 } })
  })

  t.test(`${mode}: a reset leaves repeats under way to their period; closing cuts them`, async t => {
    const held: ServerResponse[] = []
    const { ask, ended, gateway } = await setUp(t, { ...plugin, closeTimeout: 0 }, {
      mirror: { timeout: 60_000 },
      shadow: (response, received) => { isRepeat(received) ? held.push(response) : response.end() }
    })
    await ask('/a')
    await until('a repeat is held', () => held.length === 1)
    gateway.app.mirrors.reset('m')
    t.match(gateway.mirror().repeats, { asked: 0, inFlight: 0 })
    held[0].end()
    await ask('/a')
    await until('another repeat is held', () => held.length === 2)
    await gateway.app.close()
    t.match((await ended()).repeats, { asked: 1, total: 1, failure: { aborted: 1 } })
  })
}

t.test('each shadow is asked twice for its own copies alone, and one of them for a request', async t => {
  const [one, two] = [await startBackend(t), await startBackend(t)]
  const { app, url, mirror } = await startGateway(t, {
    routes (app) {
      app.get('/', {
        mirror: {
          backends: [{ url: one.url, percentage: 0 }, { url: two.url }],
          compare: { enabled: true, detailedDiff: true },
          noise: { from: 'shadow', percentage: 100 }
        }
      }, async () => 'ok')
    }
  })
  await app.inject('/')
  await until('all has ended', () => settled(mirror()))
  t.strictSame([one.requests.length, two.requests.length], [0, 2])
  t.ok(url)
})

t.test('a function that rewrites headers is asked for another instance, too', async t => {
  let fails = false
  let calls = 0
  const { ask, ended, third } = await setUp(t, {}, {
    other: true,
    mirror: {
      rewriteRequestHeaders (_request, headers) {
        if (fails && ++calls % 2 === 0) throw new Error('no')
        return { ...headers, 'x-own': 'yes' }
      }
    }
  })
  await ask('/a')
  t.match((await ended()).repeats, { asked: 1, matched: 1 })
  t.match(third.requests[0].headers, { 'x-own': 'yes', host: third.host })
  await ask('/a/..;/b')
  t.match((await ended()).repeats, { asked: 1 }, 'no path goes up from where the other instance is')
  fails = true
  await ask('/a')
  t.match((await ended()).repeats, { asked: 1 })
})

t.test('of a plain route, too, and of nothing that the primary did not answer itself', async t => {
  const [shadow, third] = [await startBackend(t, answerOk), await startBackend(t, answerOk)]
  const gateway = await startGateway(t, {
    routes: app => {
      const mirror = (id: string, base = ''): MirrorOptions => ({
        id,
        backends: [shadow.url],
        compare: { enabled: true, detailedDiff: true },
        noise: { from: { url: third.url + base }, percentage: 100 }
      })
      app.get('/up/*', { mirror: mirror('up', '/base') }, async () => 'ok')
      app.get('/plain', { mirror: mirror('plain') }, async () => 'ok')
      app.get('/hijacked', { mirror: mirror('hijacked') }, (_, reply) => {
        reply.hijack()
        reply.raw.end('ok')
      })
    }
  })
  const client = keepAlive(t, gateway.url)
  for (const path of ['/plain', '/hijacked', '/up/..;/..;/b']) await (await client.request({ method: 'GET', path })).body.dump()
  for (const id of ['plain', 'hijacked', 'up']) await until('all has ended', () => settled(gateway.mirror(id)))
  t.match(gateway.mirror('plain').repeats, { asked: 1, total: 1, compared: 1 })
  t.match(gateway.mirror('hijacked').repeats, { total: 0, compared: 0 })
  t.match(gateway.mirror('up'), { mirrored: 1, repeats: { total: 0 } })
  t.strictSame(third.requests.map(({ url }) => url), ['/plain'])
  for (const id of ['plain', 'hijacked', 'up']) booksClose(t, gateway.mirror(id))
})

t.test('what the client library refuses to send once is not asked twice', async t => {
  const shadow = await startBackend(t)
  const gateway = await startGateway(t, {
    routes: app => {
      const noise: NoiseOptions = { from: 'shadow', percentage: 100, methods: ['OPTIONS'] }
      const compare = { enabled: true, detailedDiff: true }
      app.options('*', { mirror: { id: 'm', backends: [shadow.url], compare, noise } }, async () => 'ok')
    }
  })
  const { socket } = await rawClient(t, gateway.port, 'OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n')
  socket.resume()
  await until('the copy is dropped', () => gateway.backend().dropped.error === 1)
  await until('all has ended', () => settled(gateway.mirror()))
  t.match(gateway.mirror().repeats, { total: 0, compared: 0 })
  t.equal(shadow.requests.length, 0)
  booksClose(t, gateway.mirror())
})

t.test('where nothing is asked twice nothing is known of noise, nor decided', async t => {
  const { app, mirror } = await startGateway(t, {
    routes: app => {
      app.get('/', { mirror: { id: 'm', backends: [REFUSED.url], compare: { enabled: true } } }, async () => 'ok')
    }
  })
  const nothing = { dismissed: 0, proposals: [] }
  t.strictSame(app.mirrors.noise('m'), nothing)
  t.strictSame(app.mirrors.decideNoise('m', { accept: ['a'], dismiss: ['b'] }), nothing)
  t.strictSame(mirror('m').rules, [])
})

t.test('another instance is connected anew as shadows are', async t => {
  const { ask, ended, gateway, third } = await setUp(t, {}, { other: true })
  await ask('/a')
  await ended()
  gateway.app.mirrors.update('m', { reconnect: true })
  await ask('/a')
  await ended()
  gateway.app.mirrors.reset('m')
  await ask('/a')
  t.match((await ended()).repeats, { asked: 1, matched: 1 })
  t.equal(third.connections, 3)
})

t.test('what a cache gave counts apart, and a shadow that fails when it is asked twice is told', async t => {
  const { ask, ended, gateway } = await setUp(t, {}, {
    shadow (response, received) {
      if (received.url === '/a') response.setHeader('age', '1').end()
      else if (isRepeat(received)) response.socket?.end('no HTTP at all\r\n\r\n')
      else response.end()
    }
  })
  await ask('/a')
  t.match((await ended()).repeats, { asked: 1, success: 1, cached: 1, compared: 0 })
  await ask('/b')
  t.match((await ended()).repeats, { asked: 2, failure: { reset: 1 } })
  t.match(gateway.log.at(-1), { msg: 'the repeat failed', backend: 'shadow' })
})
