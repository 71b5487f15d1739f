import httpProxy from '@fastify/http-proxy'
import replyFrom from '@fastify/reply-from'
import type { FastifyInstance, FastifyRequest, FastifyServerOptions } from 'fastify'
import { once } from 'node:events'
import http from 'node:http'
import type { ServerResponse } from 'node:http'
import http2 from 'node:http2'
import { createRequire } from 'node:module'
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import t from 'tap'
import type { MirrorOptions, MirrorSnapshot } from '../types/index'
import { REFUSED, startBackend, startTcp } from './helpers/backend'
import { booksClose, imbalances } from './helpers/books'
import { client, rawClient } from './helpers/client'
import { modes, startGateway, startProxy } from './helpers/gateway'
import type { Gateway } from './helpers/gateway'
import { watchProcess } from './helpers/process'
import { lacks, since } from './helpers/since'
import { until } from './helpers/until'

const HEAD = 'HTTP/1.1\r\nhost: h\r\n'

/** The one backend's share of a mirror that has all that it was chosen for. */
async function done (gateway: Gateway, id?: string): Promise<MirrorSnapshot> {
  await until('the copies have ended', () => {
    const { pending, backends } = gateway.mirror(id)
    return pending + backends.reduce((open, { inFlight, comparing }) => open + inFlight + comparing, 0) === 0
  })
  return gateway.mirror(id)
}

t.test('why a request is not mirrored: the first reason counts', async t => {
  const shadow = await startBackend(t)
  const mirrors: Record<string, Partial<MirrorOptions>> = {
    off: { enabled: false, percentage: 0, conditions: { methods: ['PUT'] } },
    methods: { conditions: { methods: ['post', 'Put'] } },
    header: { conditions: { headers: { 'X-Mirror': 'True', 'x-there': true } } },
    path: { conditions: { pathRegex: '^/path/v[0-9]+$' } },
    all: { conditions: { methods: ['GET'], headers: { 'x-mirror': 'true' }, pathRegex: 'v2' }, percentage: 0 },
    never: { percentage: 0 },
    open: {}
  }
  const gateway = await startGateway(t, {
    routes: app => {
      for (const [id, options] of Object.entries(mirrors)) {
        const route = { mirror: { id, ...options, backends: [shadow.url] }, exposeHeadRoute: false, handler: async () => 'ok' }
        app.route({ ...route, method: ['GET', 'POST', 'PUT', 'HEAD'], url: `/${id}` })
        app.route({ ...route, method: ['GET'], url: `/${id}/*` })
      }
      app.get('/false', { mirror: false }, async () => 'ok')
      app.get('/false/in/config', { config: { mirror: false } }, async () => 'ok')
    }
  })
  const send = client(t, gateway.url)
  const mark = { 'x-mirrored-from': 'elsewhere' }
  const upgrade = { connection: 'upgrade', upgrade: 'WebSocket' }
  const both = { 'x-mirror': 'TRUE', 'x-there': '' }
  const cases: Array<[id: string, reason: keyof MirrorSnapshot, request?: { method?: string, path?: string, headers?: Record<string, string> }]> = [
    ['off', 'disabled'],
    ['off', 'disabled', { method: 'PUT', headers: { ...mark, ...upgrade } }],
    ['methods', 'filtered'],
    ['methods', 'filtered', { method: 'HEAD', headers: mark }],
    ['methods', 'mirrored', { method: 'POST' }],
    ['methods', 'mirrored', { method: 'PUT' }],
    ['header', 'filtered'],
    ['header', 'filtered', { headers: { 'x-mirror': 'true' } }],
    ['header', 'filtered', { headers: { 'x-mirror': 'truer', 'x-there': '1' } }],
    ['header', 'mirrored', { headers: both }],
    ['header', 'looped', { headers: { ...both, ...mark, ...upgrade } }],
    ['path', 'filtered'],
    ['path', 'filtered', { path: '/path/v2/x' }],
    ['path', 'mirrored', { path: '/path/v2?/x' }],
    ['all', 'filtered', { path: '/all/v2', headers: { 'x-mirror': 'no' } }],
    ['all', 'filtered', { path: '/all/v1', headers: { 'x-mirror': 'true' } }],
    ['all', 'filtered', { method: 'POST', headers: { 'x-mirror': 'true' } }],
    ['all', 'unsampled', { path: '/all/v2', headers: { 'x-mirror': 'true' } }],
    ['never', 'unsampled'],
    ['never', 'looped', { headers: { ...mark, ...upgrade } }],
    ['never', 'upgraded', { headers: upgrade }],
    ['open', 'looped', { headers: { 'X-MIRRORED-FROM': '' } }],
    ['open', 'upgraded', { headers: upgrade }],
    ['open', 'mirrored', { headers: { connection: 'upgrade', upgrade: 'h2c' } }],
    ['open', 'mirrored', { method: 'HEAD' }]
  ]
  const counts: Record<string, Partial<Record<keyof MirrorSnapshot, number>>> = {}
  for (const [id, reason, request] of cases) {
    t.equal((await send({ path: `/${id}`, ...request })).status, 200)
    const count = counts[id] ??= {}
    count.seen = (count.seen ?? 0) + 1
    count[reason] = (count[reason] ?? 0) + 1
    const { seen, disabled, filtered, looped, upgraded, unsampled, pending, unhandled, mirrored } = gateway.mirror(id)
    const none = { disabled: 0, filtered: 0, looped: 0, upgraded: 0, unsampled: 0, pending: 0, unhandled: 0, mirrored: 0 }
    t.same({ seen, disabled, filtered, looped, upgraded, unsampled, pending, unhandled, mirrored }, { ...none, ...count }, id)
    booksClose(t, gateway.mirror(id))
  }
  for (const id of ['methods', 'header', 'path', 'open']) {
    const { mirrored, backends } = await done(gateway, id)
    t.match(backends, [{ offered: mirrored, success: mirrored, notCompared: { off: mirrored } }])
  }
  for (const path of ['/false', '/false/in/config']) t.equal((await send({ path })).status, 200)
  t.equal(shadow.requests.length, 6)
})

t.test('fractions of a percent, and keys that always get the same decision', async t => {
  const shadow = await startBackend(t)
  let key: unknown = ''
  const gateway = await startGateway(t, {
    routes: app => {
      const backends = [shadow.url]
      app.get('/half', { mirror: { id: 'half', percentage: 50, backends } }, async () => 'ok')
      app.get('/rare', { mirror: { id: 'rare', percentage: 0.5, backends } }, async () => 'ok')
      app.get('/header', { mirror: { id: 'header', percentage: 50, sampleBy: 'X-User', backends } }, async () => 'ok')
      app.get('/function', { mirror: { id: 'function', percentage: 50, sampleBy: () => key as string, backends } }, async () => 'ok')
    }
  })
  const ask = (url: string, headers = {}) => gateway.app.inject({ url, headers })
  for (let i = 0; i < 2000; i++) await Promise.all([ask('/half'), ask('/rare')])
  const { mirrored: half } = gateway.mirror('half')
  const { mirrored: rare } = gateway.mirror('rare')
  t.ok(half > 850 && half < 1150, `${half} of 2000 at 50 %`)
  t.ok(rare < 40, `${rare} of 2000 at 0.5 %`)

  let chosen = 0
  for (let user = 0; user < 40; user++) {
    const before = gateway.mirror('header').mirrored
    for (let i = 0; i < 3; i++) await ask('/header', { 'x-user': `u${user}` })
    const times = gateway.mirror('header').mirrored - before
    t.ok(times === 0 || times === 3, 'always or never')
    // The same decision for every mirror that is as often, however it gets the key.
    key = `u${user}`
    const { mirrored } = gateway.mirror('function')
    await ask('/function')
    t.equal(gateway.mirror('function').mirrored - mirrored, times / 3)
    chosen += times / 3
  }
  t.ok(chosen > 5 && chosen < 35, `${chosen} of 40 users at 50 %`)

  key = undefined
  const { mirrored } = gateway.mirror('function')
  for (let i = 0; i < 100; i++) await ask('/function')
  const rolled = gateway.mirror('function').mirrored - mirrored
  t.ok(rolled > 20 && rolled < 80, `${rolled} of 100 without a key are rolled`)
})

t.test('a sampleBy that fails is told of, and is of no other request', async t => {
  const shadow = await startBackend(t)
  let key: () => unknown = () => undefined
  const gateway = await startGateway(t, {
    routes: app => { app.get('/', { mirror: { backends: [shadow.url], sampleBy: () => key() as string } }, async () => 'ok') }
  })
  for (const bad of [() => ({}), async () => 'x', async () => { throw new Error('too late') }]) {
    key = bad
    await gateway.app.inject('/')
    await turn()
  }
  key = () => 'a key'
  await gateway.app.inject('/')
  t.match(await done(gateway), { seen: 4, mirrored: 4, backends: [{ dropped: { error: 3 }, total: 1 }] })
  t.equal(gateway.log.filter(({ msg }) => msg === 'sampleBy failed').length, 3)
  booksClose(t, gateway.mirror())
})

t.test('the gateway\'s own spelling is understood as it is', async t => {
  const shadow = await startBackend(t, (_, response) => response.end('ko'))
  const gateway = await startGateway(t, {
    routes: app => {
      // As a parser of YAML gives it.
      const mirror = JSON.parse(`{
        "enabled": true,
        "percentage": 100,
        "backends": [{ "url": ${JSON.stringify(shadow.url)}, "weight": 3 }],
        "conditions": { "methods": ["GET", "POST"], "headers": { "X-Mirror": "true" }, "path_regex": "^/api/v2/.*" },
        "compare": {
          "enabled": true, "log_mismatches": true, "detailed_diff": false, "max_body_capture": 10,
          "ignore_headers": ["x-a"], "ignore_json_fields": ["/a"]
        }
      }`)
      app.get('/api/*', { mirror }, async () => 'ok')
    }
  })
  const send = client(t, gateway.url)
  await send({ path: '/api/v2/a', headers: { 'x-mirror': 'true' } })
  await send({ path: '/api/v1/a', headers: { 'x-mirror': 'true' } })
  await send({ path: '/api/v2/a' })
  t.match(await done(gateway), { seen: 3, filtered: 2, mirrored: 1, backends: [{ mismatched: 1 }] })
  t.equal(gateway.log.filter(({ msg }) => msg === 'mirror mismatch').length, 1)
})

t.test('a request that was chosen is pending until it is sent, or for ever unhandled', async t => {
  const shadow = await startBackend(t)
  const primary = await startBackend(t)
  let goOn = () => {}
  const waits = () => new Promise<void>(resolve => { goOn = resolve })
  const gateway = await startGateway(t, {
    routes: async app => {
      const mirror = (id: string) => ({ id, backends: [shadow.url], compare: { enabled: true } })
      app.addHook('onRequest', async ({ url }, reply) => {
        if (url === '/unseen') return reply.code(401).send('no')
      })
      app.post('/unseen', { mirror: mirror('unseen') }, async () => 'ok')
      app.post('/waits', { mirror: mirror('waits'), preHandler: waits }, async () => 'ok')
      app.post('/answered', { mirror: mirror('answered'), preHandler: async (_, reply) => reply.code(401).send('no') }, async () => 'ok')
      app.post('/thrown', { mirror: mirror('thrown'), preValidation: async () => { throw new Error('no') } }, async () => 'ok')
      app.post('/hijacked', { mirror: mirror('hijacked'), preHandler: async (_, reply) => { reply.hijack().raw.end('ok') } }, async () => 'ok')
      await app.register(httpProxy, {
        upstream: primary.url, prefix: '/proxied', preHandler: waits as () => void, config: { mirror: mirror('proxied') }
      })
    }
  })
  const send = client(t, gateway.url)
  const upload = { method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'body' }
  for (const id of ['waits', 'proxied']) {
    const answered = send({ ...upload, path: `/${id}` })
    await until('it is chosen', () => gateway.mirror(id).seen === 1)
    t.match(gateway.mirror(id), { pending: 1, mirrored: 0, unhandled: 0 })
    booksClose(t, gateway.mirror(id))
    await turn()
    goOn()
    t.equal((await answered).status, 200)
    t.match(await done(gateway, id), { pending: 0, mirrored: 1, backends: [{ matched: 1 }] })
  }
  for (const id of ['answered', 'thrown', 'hijacked']) {
    await send({ ...upload, path: `/${id}` })
    t.match(await done(gateway, id), { seen: 1, unhandled: 1, mirrored: 0 }, id)
    booksClose(t, gateway.mirror(id))
  }
  await send({ ...upload, path: '/unseen' })
  t.match(gateway.mirror('unseen'), { seen: 0, mirrored: 0 })
  t.equal(shadow.requests.length, 2)
})

t.test('where the handler could call reply.from, and answers past Fastify, nothing is sent', {
  skip: lacks(since.handler)
}, async t => {
  const shadow = await startBackend(t)
  const gateway = await startGateway(t, {
    routes: async app => {
      await app.register(httpProxy, {
        upstream: 'http://localhost',
        handler: (_request, reply) => { reply.hijack().raw.end('ok') },
        config: { mirror: { backends: [shadow.url] } }
      })
    }
  })
  t.equal(String((await client(t, gateway.url)({})).body), 'ok')
  t.match(await done(gateway), { seen: 1, unhandled: 1, mirrored: 0 })
  t.same(shadow.requests, [])
})

t.test('nothing stays open behind a client that leaves early', async t => {
  const faults = watchProcess(t)
  const shadow = await startBackend(t)
  const waiting: Array<() => void> = []
  const routes = (app: FastifyInstance) => {
    app.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
    app.addHook('onRequest', async ({ url }) => {
      if (url === '/late') await new Promise<void>(resolve => waiting.push(resolve))
    })
    app.addHook('onRequest', async ({ url }, reply) => {
      if (url === '/ended') {
        // As no plugin should: it neither hijacks nor tells Fastify that there is an answer.
        reply.raw.end('ended')
        await until('it is closed', () => reply.raw.closed)
        Object.defineProperty(reply.raw, 'writableEnded', { value: false })
      }
    })
    app.get('/slow', async () => { await new Promise<void>(resolve => waiting.push(resolve)) })
    for (const url of ['/late', '/ended', '/queued']) {
      app.post(url, { mirror: { id: url, backends: [shadow.url], compare: { enabled: true } } }, async () => 'ok')
    }
  }
  const gateway = await startGateway(t, { routes })
  /** Until the gateway knows that a client has left. */
  const leaves = async (leave: () => void, { app: { server } } = gateway) => {
    const connections = promisify(server.getConnections.bind(server))
    const before = await connections()
    leave()
    await until('it has left', async () => await connections() < before)
  }
  const upload = (url: string, body: string) => `POST ${url} ${HEAD}content-type: a/b\r\ncontent-length: 6\r\n\r\n${body}`

  await t.test('while an older hook takes its time', async t => {
    const raw = await rawClient(t, gateway.port, upload('/late', 'abc'))
    await until('it waits', () => waiting.length === 1)
    await leaves(() => raw.socket.destroy())
    waiting.pop()?.()
    await until('it is counted', () => gateway.mirror('/late').seen === 1)
    t.match(gateway.mirror('/late'), { seen: 1, unhandled: 1, pending: 0 })
  })

  await t.test('or when one has ended the answer', { skip: lacks(since.endedBehindIt) }, async t => {
    const raw = await rawClient(t, gateway.port, `POST /ended ${HEAD}content-length: 0\r\n\r\n`)
    await raw.until(/ended/)
    await until('it is counted', () => gateway.mirror('/ended').seen === 1)
    t.match(gateway.mirror('/ended'), { seen: 1, unhandled: 1, pending: 0 })
  })

  await t.test('while a hook of a route takes its time to which no backend takes a copy', { skip: lacks(since.leftEarly) }, async t => {
    const primary = await startBackend(t)
    const hooks: Array<() => void> = []
    const gateway = await startGateway(t, {
      routes: async app => {
        await app.register(httpProxy, {
          upstream: primary.url,
          preHandler: (async ({ url }: { url: string }) => {
            if (url === '/leaves') await new Promise<void>(resolve => hooks.push(resolve))
          }) as unknown as () => void,
          config: { mirror: { backends: [REFUSED.url], breaker: { failures: 1, cooldown: 600_000 } } }
        })
      }
    })
    t.equal((await client(t, gateway.url)({})).status, 200)
    await until('the breaker is open', () => gateway.backend().breaker === 'open')
    const raw = await rawClient(t, gateway.port, `GET /leaves ${HEAD}\r\n`)
    await until('it waits', () => hooks.length === 1)
    raw.socket.destroy()
    await until('it has left', () => gateway.mirror().unhandled === 1)
    hooks[0]()
    await until('the handler has run', () => primary.requests.length === 2)
    t.match(gateway.mirror(), { seen: 2, pending: 0, unhandled: 1, mirrored: 1, backends: [{ dropped: { breaker: 0 } }] })
    booksClose(t, gateway.mirror())
  })

  await t.test('while its requests wait behind another on the connection', async t => {
    const count = 30
    const raw = await rawClient(t, gateway.port, `GET /slow ${HEAD}\r\n` + upload('/queued', 'abcdef').repeat(count - 1) + upload('/queued', 'abc'))
    await until('all are sent', () => gateway.mirror('/queued').mirrored === count)
    t.match(gateway.mirror('/queued').backends[0], { total: count })
    raw.socket.destroy()
    const { backends: [{ failure, success, notCompared, compared }] } = await done(gateway, '/queued')
    t.equal(failure.aborted, 1)
    t.equal(success, count - 1)
    t.equal(compared + notCompared.primaryAborted, count - 1)
    booksClose(t, gateway.mirror('/queued'))
    waiting.pop()?.()
  })

  await t.test('while one that waits behind another waits for an older hook, too', async t => {
    const { seen } = gateway.mirror('/late')
    const raw = await rawClient(t, gateway.port, `GET /slow ${HEAD}\r\n` + upload('/late', 'abcdef'))
    await until('both wait', () => waiting.length === 2)
    await leaves(() => raw.socket.destroy())
    for (const goOn of waiting.splice(0)) goOn()
    await until('it is counted', () => gateway.mirror('/late').seen === seen + 1)
    t.match(gateway.mirror('/late'), { unhandled: seen + 1, pending: 0 })
  })

  await t.test('nor behind one that was answered in its turn', async t => {
    const raw = await rawClient(t, gateway.port, `GET /slow ${HEAD}\r\n` + upload('/queued', 'abcdef').repeat(2))
    await until('it waits', () => waiting.length === 1)
    waiting.pop()?.()
    await raw.until(/ok[^]+ok$/)
    raw.socket.destroy()
    const { backends: [{ matched, compared }] } = await done(gateway, '/queued')
    t.ok(matched >= 2 && matched === compared)
  })

  await t.test('over HTTP/2', async t => {
    const gateway = await startGateway(t, { routes, server: { http2: true } as FastifyServerOptions })
    const session = http2.connect(gateway.url)
    const stream = session.request({ ':method': 'POST', ':path': '/late' })
    stream.on('error', () => {})
    await until('it waits', () => waiting.length === 1)
    await leaves(() => session.destroy(), gateway)
    waiting.pop()?.()
    await until('it is counted', () => gateway.mirror('/late').seen === 1)
    t.match(gateway.mirror('/late'), { seen: 1, unhandled: 1, pending: 0 })
  })
  t.same(faults, [])
})

t.test('what mirroring itself can not cope with reaches nobody', async t => {
  const faults = watchProcess(t)
  const shadow = await startBackend(t)
  const upstream = await startBackend(t)
  const gateway = await startGateway(t, {
    routes: async app => {
      const mirror = (id: string) => ({ mirror: { id, backends: [shadow.url], compare: { enabled: true } } })
      app.addHook('onRequest', async ({ raw, url }) => {
        if (url === '/sealed') Object.defineProperty(raw, 'push', { value: raw.push, writable: false })
      })
      app.post('/sealed', mirror('sealed'), async () => 'ok')
      app.post('/no-url', mirror('no-url'), async ({ raw }) => {
        raw.url = undefined
        return 'ok'
      })
      app.post('/no-response', mirror('no-response'), (_, reply) => reply.send({ [Symbol.toStringTag]: 'Response', status: 200 }))
      app.post('/unreadable', mirror('unreadable'), (_, reply) => {
        Object.defineProperty(reply.raw, 'errored', { get () { throw new Error('unreadable') } })
        reply.hijack().raw.end('ok')
      })
      await app.register(async scope => {
        await scope.register(replyFrom, { base: upstream.url })
        scope.post('/no-url-proxied', mirror('no-url-proxied'), (request, reply) => {
          request.raw.url = undefined
          return reply.from('/x?y')
        })
      })
    }
  })
  const send = client(t, gateway.url)
  for (const [id, body] of Object.entries({ sealed: 'ok', 'no-url': 'ok', 'no-response': '', unreadable: 'ok', 'no-url-proxied': 'ok' })) {
    const answer = await send({ method: 'POST', path: `/${id}`, headers: { 'content-type': 'application/json' }, body: '{}' })
    t.equal(answer.status, 200, id)
    t.equal(String(answer.body), body, id)
    await until('it is told', () => gateway.log.some(line => line.mirror === id))
    t.ok(gateway.log.some(({ mirror, msg }) => mirror === id && msg === 'mirroring failed'))
    const { backends: [backend] } = await done(gateway, id)
    t.equal(backend.comparing, 0)
    booksClose(t, gateway.mirror(id))
  }
  t.same(faults, [])
})

t.test('an upgrade is left alone, and works', async t => {
  const { WebSocket, WebSocketServer } = createRequire(__filename)('ws')
  const server = http.createServer((_, response) => response.end('ok'))
  const upstream = new WebSocketServer({ server })
  upstream.on('connection', (socket: EventTarget & { on: Function, send: Function }) => {
    socket.on('message', (data: Buffer) => socket.send(`${data}, too`))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    upstream.close()
    server.closeAllConnections()
    server.close()
  })
  const shadow = await startBackend(t)
  const gateway = await startGateway(t, {
    routes: async app => {
      const { port } = server.address() as { port: number }
      await app.register(httpProxy, { upstream: `http://127.0.0.1:${port}`, websocket: true, config: { mirror: { backends: [shadow.url] } } })
    }
  })
  const socket = new WebSocket(gateway.url.replace('http', 'ws'))
  await once(socket, 'open')
  socket.send('hello')
  const [message] = await once(socket, 'message')
  t.equal(String(message), 'hello, too')
  socket.close()
  await once(socket, 'close')
  t.match(gateway.mirror(), { seen: 1, upgraded: 1, mirrored: 0 })
  await client(t, gateway.url)({})
  t.match(await done(gateway), { seen: 2, upgraded: 1, mirrored: 1, backends: [{ success: 1 }] })
  t.equal(shadow.requests.length, 1)
})

/** Mulberry32: the same faults in every run. */
function seeded (seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Without an end Node does not see that the client has left, as long as nobody reads the request's body. */
const hung: Array<(response: ServerResponse) => void> = [
  response => { response.write('half, and no more') },
  () => {}
]

const misdeeds: Array<(response: ServerResponse) => void> = [
  ...hung,
  response => response.end('ok'),
  response => response.end('ok'),
  response => response.end('ko'),
  response => response.writeHead(503).end('ok'),
  response => response.writeHead(204).end(),
  response => { setTimeout(() => response.end('ok'), 30) },
  response => {
    response.write('o')
    setTimeout(() => response.end('k'), 10)
  },
  response => response.destroy(),
  response => {
    response.writeHead(200, { 'content-length': 9 })
    response.write('half', () => response.destroy())
  },
  response => { response.socket?.destroySoon() }
]

for (const { mode, plugin } of modes) {
  t.test(`${mode}: the books close at every moment, under any mix of faults`, async t => {
    const faults = watchProcess(t)
    const random = seeded(20)
    const pick = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)]
    const answer = (_: unknown, response: ServerResponse) => pick(misdeeds)(response)
    const primary = await startBackend(t, answer)
    const shadows = [await startBackend(t, answer), await startBackend(t, answer)]
    const garbage = await startTcp(t, socket => socket.once('data', () => socket.end('no HTTP')))
    const fails = () => { throw new Error('of the user') }
    const compare = { enabled: true }
    const mirrors: Record<string, MirrorOptions> = {
      plain: { backends: [shadows[0].url, { url: shadows[1].url, percentage: 50 }], compare, timeout: 150, maxInFlight: 10 },
      proxied: { backends: shadows.map(({ url }) => url), compare, timeout: 150, maxBacklogBytes: 50_000, sampleBy: 'x-user', percentage: 70 },
      broken: {
        backends: [REFUSED.url, garbage.url],
        breaker: { failures: 3, cooldown: 30 },
        compare: {},
        sampleBy: () => random() < 0.1 ? fails() : undefined
      },
      picky: {
        backends: [shadows[0].url],
        compare: { enabled: true, detailedDiff: true, logMismatches: true },
        conditions: { methods: ['POST'], headers: { 'x-user': true } },
        timeout: 100,
        breaker: false,
        rewriteRequestHeaders: (_: FastifyRequest, headers) => random() < 0.1 ? fails() : headers
      }
    }
    const gateway = await startGateway(t, {
      plugin: { ...plugin, maxBufferedBytes: 1_000_000, closeTimeout: 50 },
      server: { logger: false },
      routes: async app => {
        app.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
        app.addHook('onRequest', async () => { if (random() < 0.3) await turn() })
        for (const [id, mirror] of Object.entries(mirrors)) {
          if (id === 'proxied') continue
          app.route({
            method: ['GET', 'POST', 'DELETE'],
            url: `/${id}`,
            mirror: { id, ...mirror },
            preHandler: async (_, reply) => { if (random() < 0.1) return reply.code(401).send('no') },
            handler: (request, reply) => {
              const misdeed = pick(misdeeds)
              if (random() < 0.5 || hung.includes(misdeed)) request.raw.resume()
              if (random() < 0.1) throw new Error('of the handler')
              reply.hijack()
              misdeed(reply.raw)
            }
          })
        }
        await app.register(httpProxy, {
          upstream: primary.url,
          prefix: '/proxied',
          undici: { headersTimeout: 150, bodyTimeout: 150 },
          replyOptions: { retriesCount: 1 },
          config: { mirror: { id: 'proxied', ...mirrors.proxied } }
        })
      }
    })

    const broken: string[] = []
    let checks = 0
    const state = { over: false }
    const watching = (async () => {
      while (!state.over) {
        for (const id of Object.keys(gateway.app.mirrors.list())) broken.push(...imbalances(gateway.mirror(id)))
        checks++
        await turn()
      }
    })()

    const ids = Object.keys(mirrors)
    async function one (): Promise<void> {
      const method = pick(['GET', 'POST', 'POST', 'DELETE'])
      const size = method === 'GET' ? 0 : pick([0, 1, 1000, 200_000])
      const headers: http.OutgoingHttpHeaders = { 'content-type': 'a/b', 'x-user': `u${Math.floor(random() * 50)}` }
      if (random() < 0.1) headers['x-mirrored-from'] = 'h'
      if (random() < 0.2) delete headers['x-user']
      if (size > 0 && random() < 0.5) headers['content-length'] = size
      const request = http.request(`${gateway.url}/${pick(ids)}`, { method, headers, agent: false })
      const ended = new Promise<void>(resolve => {
        request.on('error', () => resolve())
        request.on('close', () => resolve())
        request.on('response', response => {
          response.on('error', () => {})
          if (random() < 0.1) request.destroy()
          else response.resume()
        })
      })
      // Whatever still hangs leaves.
      const leaves = setTimeout(() => request.destroy(), 250)
      if (size > 0) request.write(Buffer.alloc(Math.ceil(size / 2)))
      if (random() < 0.2) {
        await delay(Math.floor(random() * 30))
        if (random() < 0.5) request.destroy()
      }
      if (!request.destroyed) request.end(Buffer.alloc(Math.floor(size / 2)))
      await ended
      clearTimeout(leaves)
    }
    async function many (count: number): Promise<void> {
      for (let i = 0; i < count; i++) await one()
    }
    await Promise.all(Array.from({ length: 12 }, () => many(40)))

    for (const id of ids) await done(gateway, id)
    state.over = true
    await watching
    t.ok(checks > 100, `looked ${checks} times`)
    t.same(broken, [])
    for (const id of ids) {
      const mirror = gateway.mirror(id)
      t.ok(mirror.mirrored > 10, `${id}: ${mirror.mirrored} of ${mirror.seen} mirrored`)
      booksClose(t, mirror)
    }
    await gateway.app.close()
    for (const mirror of Object.values(gateway.app.mirrors.list())) booksClose(t, mirror)
    t.same(faults.filter(fault => fault instanceof Error), [])
  })

  t.test(`${mode}: closing the app in the middle of it all leaves nothing open in the books`, async t => {
    const shadow = await startBackend(t, () => {})
    const primary = await startBackend(t)
    const gateway = await startProxy(t, primary.url, { backends: [shadow.url], compare: { enabled: true } }, { ...plugin, closeTimeout: 20 })
    const send = client(t, gateway.url)
    for (let i = 0; i < 5; i++) await send({ method: 'POST', body: 'x', headers: { 'content-type': 'a/b' } })
    t.equal(gateway.backend().inFlight, 5)
    await gateway.app.close()
    t.match(gateway.mirror(), { pending: 0, mirrored: 5, backends: [{ inFlight: 0, comparing: 0, failure: { aborted: 5 } }] })
    booksClose(t, gateway.mirror())
  })
}
