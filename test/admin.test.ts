import Fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import fastifyMirror from '../lib'
import { placePage } from '../lib/admin/place-page'
import type { PageState } from '../lib/admin/page-data'
import { Places } from '../lib/mismatches/places'
import { Sample } from '../lib/mismatches/sample'
import type { AdminHook, FastifyMirrorOptions, MirrorOptions, MismatchList } from '../types/index'
import { startBackend } from './helpers/backend'
import { booksClose } from './helpers/books'
import { startGateway } from './helpers/gateway'
import { TestPlaces } from './helpers/places'
import { until } from './helpers/until'

/** What users, tests and the README read: these names, in this order. */
const SNAPSHOT = {
  id: 'api',
  routes: [{ method: ['GET', 'POST'], url: '/api/*' }],
  enabled: true,
  percentage: 50,
  rules: [],
  seen: 0,
  disabled: 0,
  filtered: 0,
  looped: 0,
  upgraded: 0,
  unsampled: 0,
  pending: 0,
  unhandled: 0,
  mirrored: 0,
  repeats: null,
  backends: [{
    name: 'shadow:9000',
    url: 'http://shadow:9000',
    enabled: true,
    percentage: 100,
    offered: 0,
    disabled: 0,
    unsampled: 0,
    dropped: { inFlight: 0, memory: 0, breaker: 0, closing: 0, thread: 0, path: 0, error: 0 },
    total: 0,
    inFlight: 0,
    success: 0,
    failure: {
      timeout: 0, connect: 0, reset: 0, body: 0, slow: 0, staleConnection: 0, bodyTimeout: 0, memory: 0, thread: 0, aborted: 0, error: 0
    },
    status: { '2xx': 0, '3xx': 0, '4xx': 0, '5xx': 0 },
    comparing: 0,
    compared: 0,
    matched: 0,
    mismatched: 0,
    notCompared: {
      off: 0, primaryAborted: 0, primaryFailed: 0, hijacked: 0, encoding: 0, conditional: 0, memory: 0, busy: 0, thread: 0, untapped: 0, closing: 0, error: 0
    },
    mismatches: { status: 0, headers: 0, body: 0 },
    latency: {
      shadow: { count: 0, p50: null, p90: null, p95: null, p99: null, max: null },
      primary: { count: 0, p50: null, p90: null, p95: null, p99: null, max: null },
      difference: { count: 0, p50: null, p90: null, p95: null, p99: null, max: null }
    },
    breaker: 'closed'
  }]
}

const { routes, rules, backends: [{ url, ...ofBackend }], ...ofMirror } = SNAPSHOT
/** To whom has not shown who they are. */
const REDACTED = { ...ofMirror, backends: [{ ...ofBackend, name: '#1' }] }

const guard: AdminHook = async (request, reply) => {
  if (request.headers.authorization !== 'let me in') return reply.code(401).send('who are you?')
}
const KEY = { authorization: 'let me in' }

async function appWith (plugin: FastifyMirrorOptions, mirrors: MirrorOptions[] = [{ id: 'api', percentage: 50, backends: ['http://shadow:9000'] }]) {
  const log: Array<{ msg: string, prefix?: string }> = []
  const app = Fastify({
    logger: { level: 'warn', stream: { write: (line: string) => log.push(JSON.parse(line)) } },
    exposeHeadRoutes: false
  }) as FastifyInstance
  t.teardown(() => app.close())
  await app.register(fastifyMirror, plugin)
  for (const [i, mirror] of mirrors.entries()) {
    app.route({ method: ['GET', 'POST'], url: i === 0 ? '/api/*' : `/api/${i}`, mirror, handler: async () => 'ok' })
  }
  await app.ready()
  const get = async (url: string, headers = {}) => {
    const { statusCode, body, headers: { 'content-type': type } } = await app.inject({ url, headers })
    return { statusCode, body, type, json: () => JSON.parse(body) }
  }
  return { app, get, log }
}

/** Every key with its place, in order. */
function keys (value: unknown, path = ''): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) => [`${path}/${key}`, ...keys(inner, `${path}/${key}`)])
}

t.test('behind a guard the numbers have the names that are documented, in that order', async t => {
  const { app, get, log } = await appWith({ admin: { onRequest: guard } })
  const list = await get('/mirrors', KEY)
  t.equal(list.statusCode, 200)
  t.match(list.type, /^application\/json/)
  t.strictSame(list.json(), { api: SNAPSHOT })
  t.strictSame(keys(list.json()), keys({ api: SNAPSHOT }))
  const one = await get('/mirrors/api', KEY)
  t.strictSame(one.json(), SNAPSHOT)
  t.strictSame(keys(one.json()), keys(SNAPSHOT))
  t.strictSame(app.mirrors.list(), { api: SNAPSHOT })
  t.strictSame(keys(app.mirrors.get('api')), keys(SNAPSHOT))
  t.strictSame(log, [], 'nothing to warn of')
})

t.test('without a guard they say nothing of URLs and hosts, and a warning says that they are there', async t => {
  const { app, get, log } = await appWith({}, [
    { id: 'api', percentage: 50, backends: ['http://shadow:9000'] },
    { id: 'named', backends: [{ url: 'http://shadow:9000', name: 'mine' }, 'http://secret.test'] }
  ])
  const list = (await get('/mirrors')).json()
  t.strictSame(list.api, REDACTED)
  t.strictSame(keys(list.api), keys(REDACTED))
  t.strictSame(list.named.backends.map(({ name }: { name: string }) => name), ['mine', '#2'])
  t.strictSame((await get('/mirrors/api')).json(), REDACTED)
  t.notMatch((await get('/mirrors')).body, /shadow:|secret|9000|http/)
  t.strictSame(app.mirrors.get('api'), SNAPSHOT, 'code sees all')
  t.match(log, [{ prefix: '/mirrors', msg: /can be read by whoever reaches this app/ }])
  t.equal(log.length, 1)
})

t.test('without a guard no id tells a route, nor finds one', async t => {
  const app = Fastify() as FastifyInstance
  t.teardown(() => app.close())
  await app.register(fastifyMirror)
  const backends = [{ url: 'http://shadow', name: 'v2' }]
  app.get('/internal/tenants/:tenant/keys', { mirror: { backends } }, async () => 'ok')
  app.get('/b', { mirror: { id: '#2', backends } }, async () => 'ok')
  app.get('/c', { mirror: { id: '#3', backends } }, async () => 'ok')
  app.get('/secret', { mirror: { backends } }, async () => 'ok')
  const list = await app.inject('/mirrors')
  t.strictSame(Object.entries(list.json()).map(([key, one]) => [key, (one as { id: string }).id]), [['#1', '#1'], ['#2', '#2'], ['#3', '#3'], ['#4', '#4']])
  t.notMatch(list.body, /tenant|internal|secret/)
  t.equal((await app.inject('/mirrors/%231')).json().id, '#1')
  for (const id of Object.keys(app.mirrors.list()).filter(id => id.startsWith('get-'))) {
    t.equal((await app.inject(`/mirrors/${id}`)).statusCode, 404, id)
  }
  const other = Fastify() as FastifyInstance
  t.teardown(() => other.close())
  await other.register(fastifyMirror)
  other.get('/a', { mirror: { backends } }, async () => 'ok')
  other.get('/b', { mirror: { id: '#1', backends } }, async () => 'ok')
  t.strictSame(Object.keys((await other.inject('/mirrors')).json()), ['##1', '#1'])
})

t.test('numbers are read once a second for all who ask, but what is changed here is seen at once', async t => {
  const { app } = await appWith({ admin: { onRequest: async () => {} } }, ['api', 'b'].map(id => ({ id, percentage: 100, backends: ['http://127.0.0.1:1'] })))
  const read = async () => {
    const [list, one] = [(await app.inject('/mirrors')).json().api, (await app.inject('/mirrors/api')).json()]
    t.equal(list.percentage, one.percentage)
    return one
  }
  t.match(await read(), { percentage: 100 })
  app.mirrors.update('api', { percentage: 90 })
  t.match(await read(), { percentage: 100 }, 'still as it was')
  t.match(app.mirrors.list().api, { percentage: 90 }, 'code sees it as it is')
  await until('a second is over', async () => (await app.inject('/mirrors/api')).json().percentage === 90)
  for (const [i, [method, url]] of ([
    ['PATCH', '/mirrors/api'], ['PATCH', '/mirrors'], ['POST', '/mirrors/api/reset']
  ] as const).entries()) {
    await read()
    app.mirrors.update('api', { percentage: i })
    const { statusCode } = await app.inject({ method, url, ...method === 'PATCH' && { payload: {} } })
    t.ok(statusCode < 300, url)
    t.match(await read(), { percentage: i }, `${method} ${url}`)
  }
})

t.test('a long list is read in pages', async t => {
  const big = Array.from({ length: 100 }, (_, i) => ({ url: `http://h/${'p'.repeat(1900)}`, name: `${i}` }))
  const ids = ['a', 'b&c', 'ü', 'd', 'e', 'f', 'g', 'h']
  const { app } = await appWith({ admin: { onRequest: async () => {} } }, ids.map(id => ({ id, backends: big })))
  const follow = async (url: string) => {
    const pages: string[][] = []
    for (let next: string | undefined = url; next !== undefined;) {
      const { body, headers }: { body: string, headers: Record<string, unknown> } = await app.inject(`/mirrors${next}`)
      t.ok(Buffer.byteLength(body) < 2e6)
      pages.push(Object.keys(JSON.parse(body)))
      next = /^<(.*)>; rel="next"$/.exec(String(headers.link))?.[1]
    }
    t.strictSame(pages.flat(), ids)
    return pages.map(({ length }) => length)
  }
  t.strictSame(await follow('?limit=3'), [3, 3, 2])
  const pages = await follow('')
  t.ok(pages.length > 1, 'no answer is over 2 MB')
  t.equal((await app.inject('/mirrors?after=none')).body, '{}')
  t.equal((await app.inject('/mirrors?limit=0')).statusCode, 400)
})

/** A store of so many places with large examples. */
function storeOf (count: number, exampleBytes = 0): TestPlaces {
  const places = new TestPlaces(5000)
  for (let i = 0; i < count; i++) {
    const body = Buffer.alloc(exampleBytes, '\x01')
    const request = { method: 'GET', path: '/', sentPath: '/', headers: [], body, complete: true }
    const difference = { primaryStatus: 200, shadowStatus: 200, primaryHash: '', shadowHash: '', headers: [], body: { kind: 'hash' as const, reason: 'off' as const } }
    places.put({ backend: 'a', time: i, request, ...difference }, `GET /${i}`)
  }
  return places
}

t.test('mismatches are read in pages', async t => {
  const index = storeOf(1500, 2000).index('newest')
  for (const [most, least] of [[5000, 2], [70, 22], [1500, 2]]) {
    const found: string[] = []
    let count = 0
    for (let after: string | undefined | null; after !== null; count++) {
      const page = await placePage(index, [{ name: 'shadow' }], most, after)
      t.ok(page.body.length < 2e6)
      const { places, total } = JSON.parse(page.body.toString()) as MismatchList
      t.equal(total, 1500)
      found.push(...places.map(({ id }) => id))
      after = page.last
    }
    t.strictSame(found, index.places.map(({ place }) => place.id))
    t.ok(count >= least, `${count} pages`)
  }
})

t.test('of a store only what is asked for is masked, one place in a turn of the event loop', async t => {
  const { app } = await appWith({ admin: { onRequest: async () => {} } }, [{ id: 'api', backends: [{ url: 'http://a', name: 'a' }] }])
  const store = storeOf(100)
  let read = 0
  let most = 0
  const sampleRead = Sample.prototype.read
  t.capture(Sample.prototype, 'read', function (this: Sample, ...args: Parameters<typeof sampleRead>) {
    read++
    return sampleRead.apply(this, args)
  })
  t.capture(Places.prototype, 'index', store.index.bind(store))
  t.capture(Places.prototype, 'find', store.find.bind(store))
  let before = 0
  const look = () => {
    most = Math.max(most, read - before)
    before = read
    timer = setImmediate(look)
  }
  let timer = setImmediate(look)
  t.teardown(() => clearImmediate(timer))
  const [{ id }] = (await app.inject('/mirrors/api/mismatches?limit=1')).json().places
  t.equal(read, 1)
  t.equal((await app.inject('/mirrors/ui/state?mirror=api')).json().mirror.places.places.length, 100)
  t.equal(read, 1)
  t.equal((await app.inject('/mirrors/api/mismatches')).json().places.length, 100)
  t.equal(read, 101)
  t.equal(most, 1)
  const { examples: [example] } = (await app.inject(`/mirrors/ui/place?mirror=api&place=${id}&base=http://a`)).json()
  t.match(example, { uses: ['first', 'latest', 'most different'], request: { path: '/' }, curl: { shadow: /^curl /, primary: /^curl / } })
  t.equal(read, 102, 'of the place alone')
  store.countUnsorted(store.endpoint('GET /other'), 0, 0)
  const other = store.index('frequent', 'GET /other').places[0].place
  const none = (await app.inject(`/mirrors/ui/place?mirror=api&place=${other.id}&base=http://a`)).json()
  t.strictSame(none, { examples: [] }, 'where there was no time for any')
})

t.test('what is told of the fullest store takes no turn of the event loop long', async t => {
  const store = new TestPlaces(5000)
  for (let i = 0; i < 5000; i++) {
    const letters = [...`${i}`].map(digit => 'abcdefghij'[Number(digit)]).join('')
    const places = { keys: [`changed /${letters.slice(0, 2)}/${letters}`], firsts: [-1], more: false }
    store.count(store.endpoint(`GET /${i % 200}`), 0, places, i)
  }
  const times: number[] = []
  for (const order of ['rarest', 'frequent', 'newest', 'status'] as const) {
    for (let i = 0; i < 7; i++) {
      const begun = performance.now()
      store.index(order)
      store.find('nobody')
      times.push(performance.now() - begun)
    }
  }
  const median = times.sort((a, b) => a - b)[times.length >> 1]
  t.ok(median < 20, `${median.toFixed(1)} ms`)
})

t.test('the page has less than 2 MB in one answer, and says what is left out', async t => {
  const names = Array.from({ length: 100 }, (_, i) => `${i}`.padEnd(100, '\u20ac'))
  const long = names.map(name => ({ url: `http://h/${'p'.repeat(1900)}`, name }))
  const ids = Array.from({ length: 20 }, (_, i) => `m${i}`)
  const { app } = await appWith({ admin: { onRequest: async () => {} } }, ids.map((id, i) => ({ id, backends: long, enabled: i > 4 })))
  const store = new TestPlaces(1000)
  for (let i = 0; i < 300; i++) {
    const where = Array.from({ length: 8 }, (_, k) => `/${'\u20ac'.repeat(48 + k)}`).join('')
    // Of each backend that differs there is a count, by its name: a row has some 5 KB.
    for (let backend = 0; backend < 10; backend++) {
      store.count(store.endpoint(`GET /${i}`), backend, { keys: [`changed ${where}`], firsts: [-1], more: false }, 0)
    }
  }
  t.capture(Places.prototype, 'index', store.index.bind(store))
  const { body } = await app.inject('/mirrors/ui/state?mirror=m0')
  t.comment(`${Buffer.byteLength(body)} bytes`)
  t.ok(Buffer.byteLength(body) < 2e6)
  const { mirrors, more, mirror } = JSON.parse(body) as PageState
  t.ok(mirrors.length > 5)
  t.equal(mirrors.length + more, 20)
  t.strictSame(mirrors.map(({ id }) => id), ids.slice(5, 5 + mirrors.length), 'what is switched off is left out first')
  t.ok(mirror !== null && mirror.snapshot.backends.length === 100 && mirror.verdict.backends.length === 100, 'the one that is looked at is whole')
  t.equal(mirror?.places.total, 300)
  t.ok(mirror !== null && mirror.places.places.length > 20 && mirror.places.places.length <= 200)
  t.equal((await app.inject('/mirrors/ui/state')).json().more, more)
})

t.test('numbers are as they are', async t => {
  const shadow = await startBackend(t, (_, response) => response.end('ko'))
  const gateway = await startGateway(t, {
    routes: app => {
      app.get('/', { mirror: { id: 'm', backends: [shadow.url], compare: { enabled: true } } }, async () => 'ok')
    }
  })
  for (let i = 1; i <= 3; i++) {
    await gateway.app.inject('/')
    await until('it is compared', () => gateway.backend().compared === i)
  }
  const answer = (await gateway.app.inject('/mirrors/m')).json()
  const { routes, rules, backends: [{ url, name, ...numbers }], ...rest } = gateway.mirror()
  t.strictSame(answer, { ...rest, backends: [{ ...numbers, name: '#1' }] })
  t.match(answer, { seen: 3, mirrored: 3, backends: [{ mismatched: 3, mismatches: { body: 3 }, latency: { difference: { count: Number } } }] })
  booksClose(t, gateway.mirror())
})

t.test('there is no mirror of another name', async t => {
  for (const [plugin, headers] of [[{}, {}], [{ admin: { onRequest: guard } }, KEY]] as Array<[FastifyMirrorOptions, object]>) {
    const { app, get } = await appWith(plugin)
    for (const id of ['other', 'API', '__proto__', 'constructor', 'toString', '%00']) {
      const answer = await get(`/mirrors/${id}`, headers)
      t.equal(answer.statusCode, 404)
      t.match(answer.json(), { statusCode: 404, error: 'Not Found', message: /there is no mirror/ })
      t.equal(app.mirrors.get(decodeURIComponent(id)), undefined)
    }
  }
})

t.test('the guard, one hook or several, is before every admin route', async t => {
  const calls: string[] = []
  const guards: Record<string, AdminHook | AdminHook[]> = {
    async: guard,
    callback: (request, reply, done) => {
      if (request.headers.authorization === 'let me in') done()
      else reply.code(401).send('who are you?')
    },
    error: (request, _reply, done) => done(request.headers.authorization === 'let me in'
      ? undefined
      : Object.assign(new Error('who are you?'), { statusCode: 401 })),
    several: [async () => { calls.push('first') }, guard, async () => { calls.push('last') }],
    this: async function (request, reply) {
      calls.push(typeof this.mirrors.list)
      if (request.headers.authorization !== 'let me in') return reply.code(401).send('who are you?')
    }
  }
  for (const [name, onRequest] of Object.entries(guards)) {
    const { app, get } = await appWith({ admin: { onRequest } })
    for (const url of ['/mirrors', '/mirrors/api', '/mirrors/other']) {
      t.equal((await get(url)).statusCode, 401, `${name}: ${url}`)
      t.equal((await get(url, KEY)).statusCode, url === '/mirrors/other' ? 404 : 200, `${name}: ${url}`)
    }
    t.equal((await app.inject('/api/x')).statusCode, 200, 'and before no other')
  }
  t.strictSame(calls, ['first', 'first', 'last', 'first', 'first', 'last', 'first', 'first', 'last', ...Array(6).fill('function')])
})

t.test('HEAD of an admin route is guarded, too', async t => {
  const app = Fastify() as FastifyInstance
  t.teardown(() => app.close())
  await app.register(fastifyMirror, { admin: { onRequest: guard } })
  app.get('/a', { mirror: { id: 'a', backends: ['http://shadow'] } }, async () => 'ok')
  for (const url of ['/mirrors', '/mirrors/a']) {
    t.equal((await app.inject({ method: 'HEAD', url })).statusCode, 401)
    t.equal((await app.inject({ method: 'HEAD', url, headers: KEY })).statusCode, 200)
  }
})

t.test('without a guard nothing is there that needs it', async t => {
  const { app } = await appWith({})
  const there: Array<[method: 'GET' | 'DELETE' | 'PATCH' | 'POST', url: string]> = [
    ['GET', '/mirrors/api/mismatches'],
    ['DELETE', '/mirrors/api/mismatches'],
    ['GET', '/mirrors/api/verdict'],
    ['POST', '/mirrors/api/reset'],
    ['PATCH', '/mirrors/api'],
    ['PATCH', '/mirrors']
  ]
  for (const [method, url] of there) t.equal((await app.inject({ method, url })).statusCode, 404)
})

t.test('no admin routes at all', async t => {
  const { app, get, log } = await appWith({ admin: false })
  t.equal((await get('/mirrors')).statusCode, 404)
  t.equal((await get('/mirrors/api')).statusCode, 404)
  t.strictSame(app.mirrors.list(), { api: SNAPSHOT })
  t.strictSame(log, [])
})

t.test('another prefix', async t => {
  const { get, log } = await appWith({ admin: { prefix: '/internal/shadow.traffic' } })
  t.equal((await get('/internal/shadow.traffic')).statusCode, 200)
  t.equal((await get('/internal/shadow.traffic/api')).statusCode, 200)
  t.equal((await get('/mirrors')).statusCode, 404)
  t.match(log, [{ prefix: '/internal/shadow.traffic' }])
})

t.test('the prefix of a scope goes before', async t => {
  const app = Fastify() as FastifyInstance
  t.teardown(() => app.close())
  app.register(async scope => {
    await scope.register(fastifyMirror, {})
    scope.get('/a', { mirror: { backends: ['http://shadow'] } }, async () => 'ok')
  }, { prefix: '/scope' })
  const list = await app.inject('/scope/mirrors')
  t.strictSame(Object.keys(list.json()), ['#1'])
  t.equal((await app.inject('/scope/mirrors/%231')).statusCode, 200)
  t.match(app.hasRoute({ method: 'GET', url: '/scope/mirrors/' }), true)
  t.equal((await app.inject('/mirrors')).statusCode, 404)
})

t.test('routeOptions are merged into every admin route', async t => {
  const seen: object[] = []
  const app = Fastify() as FastifyInstance
  t.teardown(() => app.close())
  app.addHook('onRoute', route => { seen.push(route) })
  await app.register(fastifyMirror, {
    admin: {
      onRequest: guard,
      routeOptions: { logLevel: 'silent', constraints: { host: 'admin.test' }, config: { mine: 1 } as object, schema: { hide: true, tags: ['ops'] } as object }
    }
  })
  await app.ready()
  t.ok(seen.length >= 4)
  for (const route of seen) {
    t.match(route, { logLevel: 'silent', constraints: { host: 'admin.test' }, config: { mine: 1 }, schema: { hide: true, tags: ['ops'] } })
  }
  t.match(seen.filter(route => 'url' in route && route.url === '/mirrors/:id')[0], { schema: { response: { 200: Object, 404: Object } } })
  t.equal((await app.inject({ url: '/mirrors', headers: { ...KEY, host: 'admin.test' } })).statusCode, 200)
  t.equal((await app.inject({ url: '/mirrors', headers: { ...KEY, host: 'public.test' } })).statusCode, 404)
})

t.test('an id may be any text, and every route of its mirror is there', async t => {
  const ids = [
    '/'.repeat(100), '%'.repeat(100), '%2F', '%25', '%zz', '%252F', '%2e%2e', 'ü'.repeat(100), '🟢'.repeat(50), 'a b', 'a?b', 'a#b', 'a/b/c', '..a', '.a.', '...', '*',
    ':id', '__proto__', 'constructor', 'toString', '"', '<script>', '\\', 'a;b', '+', '&', 'GET /api/:x', 'mismatches', 'a/reset', '/', '/ui', 'ui/', 'ui/state',
    'verdict/', 'x'.repeat(100), '0', 'null', ' ', '\'!()*~'
  ]
  const routes = [['GET', ''], ['PATCH', ''], ['POST', '/reset'], ['GET', '/verdict'], ['GET', '/endpoints'], ['GET', '/mismatches'], ['DELETE', '/mismatches']] as const
  const lenient = { ignoreTrailingSlash: true, ignoreDuplicateSlashes: true, caseSensitive: false, useSemicolonDelimiter: true }
  for (const routerOptions of [{}, lenient]) {
    const app = Fastify({ routerOptions })
    t.teardown(() => app.close())
    await app.register(fastifyMirror, { admin: { onRequest: async () => {} } })
    for (const [i, id] of ids.entries()) app.get(`/${i}`, { mirror: { id, backends: ['http://shadow:9000'] } }, async () => 'ok')
    const list = (await app.inject('/mirrors')).body
    t.strictSame(new Set(Object.keys(JSON.parse(list) as object)), new Set(ids))
    for (const [i, id] of ids.entries()) {
      for (const [method, path] of routes) {
        const url = `/mirrors/${encodeURIComponent(id)}${path}`
        const { statusCode, body } = await app.inject({ method, url, ...method === 'PATCH' && { payload: { percentage: i } } })
        t.ok(statusCode === 200 || statusCode === 204, `${method} ${url}`)
        if (path === '') t.equal(JSON.parse(body).id, id)
      }
      t.match(app.mirrors.get(id), { id, percentage: i })
      t.equal(Object.getOwnPropertyDescriptor(app.mirrors.list(), id)?.value.id, id)
    }
  }
})

t.test('fastify.mirrors can not be changed, and its answers are not the mirror\'s own', async t => {
  const { app } = await appWith({})
  t.ok(Object.isFrozen(app.mirrors))
  const snapshot = app.mirrors.get('api') as unknown as typeof SNAPSHOT
  snapshot.seen = 5
  snapshot.routes[0].method.push('PUT')
  snapshot.backends[0].dropped.error = 5
  t.strictSame(app.mirrors.get('api'), SNAPSHOT)
})
