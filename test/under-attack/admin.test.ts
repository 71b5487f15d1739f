import Fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import { Registry } from 'prom-client'
import t from 'tap'
import type { Test } from 'tap'
import { Client } from 'undici'
import fastifyMirror from '../../lib'
import type { AdminHook, AdminOptions, MismatchList, MirrorOptions } from '../../types/index'
import { MAX_BODY } from '../../lib/mismatches/mismatch'
import { startBackend } from '../helpers/backend'
import { startGateway } from '../helpers/gateway'
import { TestPlaces } from '../helpers/places'
import { startTwins } from '../helpers/twins'
import { until } from '../helpers/until'

const VERBS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE']
const SECRET = 'CANARYpassword'

/** Admin routes as they are added: method and URL. */
function watchRoutes (app: FastifyInstance): Array<[method: string, url: string]> {
  const routes: Array<[string, string]> = []
  app.addHook('onRoute', ({ method, url }) => { routes.push(...[method].flat().map((one): [string, string] => [one, url])) })
  return routes
}

/** An app with a mirror `a` that has seen a mismatch. */
async function startApp (t: Test, admin: AdminOptions | undefined) {
  const shadow = await startBackend(t, (_, response) => response.end('other'))
  const app = Fastify() as FastifyInstance
  t.teardown(() => app.close())
  const routes = watchRoutes(app)
  await app.register(fastifyMirror, admin === undefined ? {} : { admin })
  await app.after()
  const ofAdmin = routes.filter(([, url]) => url.startsWith('/mirrors'))
  app.get('/', { mirror: { id: 'a', backends: [{ url: shadow.url, name: 'shadow' }], compare: { enabled: true } } }, async () => 'ok')
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const client = new Client(url)
  t.teardown(() => client.destroy())
  await (await client.request({ method: 'GET', path: '/' })).body.dump()
  await until('it is compared', () => app.mirrors.get('a')?.backends[0].mismatched === 1)
  const { places: [{ id: place }] } = app.mirrors.mismatches('a') as MismatchList
  const ask = async (method: string, path: string, headers = {}, body: string | null = null) => {
    const answer = await client.request({ method: method as 'GET', path, headers, body })
    return { status: answer.statusCode, text: await answer.body.text() }
  }
  const state = () => JSON.stringify([app.mirrors.list(), app.mirrors.mismatches('a'), app.mirrors.enabled, app.mirrors.verdict('a')?.verdict])
  const pathOf = (route: string) => route.replace(':id', 'a').replace(':place', place)
  return { app, routes: ofAdmin, ask, state, pathOf }
}

t.test('without a guard two routes are there, and nothing else, by whatever name', async t => {
  const guarded = await startApp(t, { onRequest: async () => {} })
  const { ask, routes, pathOf, state } = await startApp(t, undefined)
  t.strictSame(new Set(routes.map(route => route.join(' ').replace(/\/$/, ''))), new Set(['/mirrors', '/mirrors/:id', '/mirrors/ui'].flatMap(url => [`GET ${url}`, `HEAD ${url}`])))
  t.ok(guarded.routes.length > 15, 'there are many behind one')
  const before = state()
  const known = new Set(guarded.routes.map(([, url]) => pathOf(url)))
  const disguised = [
    '/mirrors/', '//mirrors', '/mirrors//', '/MIRRORS', '/mirrors;a', '/mirrors.json', '/%6dirrors/a/mismatches', '/mirrors/a/', '/mirrors/a%2fmismatches',
    '/mirrors/a%2Fverdict', '/mirrors/a/../a/mismatches', '/mirrors/./a/mismatches', '/mirrors/%2e%2e/mirrors/a/mismatches', '/mirrors/a;/mismatches',
    '/mirrors/a//mismatches', '/mirrors/a/mismatches/', '/mirrors/a/mismatches%00', '/mirrors/a/mismatches?x', '/mirrors/ui', '/mirrors/ui/', '/mirrors/ui/..',
    '/mirrors/ui/../../package.json', '/mirrors/ui/%2e%2e%2f%2e%2e%2fpackage.json', '/mirrors/ui/state?mirror=a', '/mirrors/__proto__', '/mirrors/constructor'
  ]
  for (const path of [...known, ...disguised]) {
    for (const verb of VERBS) {
      const { status } = await ask(verb, path)
      const there = /^\/mirrors(?:\/a)?\/?$/.test(path) && (verb === 'GET' || verb === 'HEAD')
      t.equal(status, there ? 200 : 404, `${verb} ${path}`)
    }
  }
  // Methods that are not what they seem.
  for (const name of ['x-http-method-override', 'x-http-method', 'x-method-override']) {
    t.equal((await ask('GET', '/mirrors/a', { [name]: 'PATCH' })).status, 200)
    t.equal((await ask('POST', '/mirrors/a?_method=PATCH', { [name]: 'PATCH', 'content-type': 'application/json' }, '{"enabled":false}')).status, 404)
  }
  t.equal(state(), before, 'nothing has changed')
})

const guards: Record<string, [hook: AdminHook | AdminHook[], status: number]> = {
  'an async hook that answers': [async (_, reply) => reply.code(401).send('who are you?'), 401],
  'a hook with a callback that answers': [(_, reply) => { reply.code(403).send('no') }, 403],
  'an async hook that throws': [async () => { throw Object.assign(new Error('no'), { statusCode: 418 }) }, 418],
  'a hook with a callback that fails': [(_request, _reply, done) => done(Object.assign(new Error('no'), { statusCode: 401 })), 401],
  'a hook that breaks': [async () => { throw new TypeError('no such thing') }, 500],
  'the second of two': [[async () => {}, async (_, reply) => reply.code(401).send('who are you?')], 401]
}

for (const [name, [onRequest, refusal]] of Object.entries(guards)) {
  t.test(`with a guard nothing answers before it: ${name}`, async t => {
    const { ask, routes, pathOf, state } = await startApp(t, { onRequest })
    const before = state()
    const bodies: Array<[headers: object, body: string | null]> = [
      [{}, null],
      [{ 'content-type': 'application/json' }, '{"enabled":false,"percentage":0}'],
      [{ 'content-type': 'application/json' }, '{'],
      [{ 'content-type': 'application/json' }, ' '.repeat(100_000)],
      [{ 'content-type': 'text/plain' }, 'enabled=false'],
      [{ origin: 'http://evil.test', 'sec-fetch-site': 'cross-site' }, null]
    ]
    for (const [method, url] of routes) {
      for (const [headers, body] of method === 'GET' || method === 'HEAD' ? bodies.slice(0, 1) : bodies) {
        for (const path of [pathOf(url), `${pathOf(url)}?side=wrong&base=1&mirror=&gate`, pathOf(url.replace(':id', 'none').replace(':place', 'none'))]) {
          t.equal((await ask(method, path, headers, body)).status, refusal, `${method} ${path}`)
        }
      }
    }
    t.equal(state(), before, 'nothing has changed')
  })
}

t.test('no password of a URL comes out of anything', async t => {
  const url = `http://user:${SECRET}@shadow.test`
  await t.test('a backend may have none, and what refuses it does not say it', async t => {
    const wrong: unknown[] = [
      url, [url], { url }, `https://user:${SECRET}%40@h`, `http://${SECRET}@h`, `http://u:${SECRET}?x@h`, `http://u:${SECRET}#x@h`, `http://u:${SECRET}/x@h`,
      `http:\\\\u:${SECRET}@h`, `HTTP:u:${SECRET}@h`, ` http://u:${SECRET}@h`, `http://u:${SECRET}\n@h`, `ftp://u:${SECRET}@h`, `u:${SECRET}@h`
    ]
    for (const backend of wrong) {
      const app = Fastify()
      t.teardown(() => app.close())
      await app.register(fastifyMirror)
      const register = (mirror: unknown) => {
        try {
          app.get('/', { mirror: mirror as MirrorOptions }, async () => 'ok')
        } catch (error) {
          return error as Error & { code: string }
        }
      }
      for (const mirror of [{ backends: [backend] }, { backends: [{ url: backend }] }, { backends: backend }, { id: { backend }, backends: ['http://a'] }]) {
        const error = register(mirror)
        t.match(error, { code: /^FST_MIRROR_/ }, String(backend))
        t.notMatch(`${error?.message} ${error?.stack}`, SECRET)
      }
      const other = Fastify()
      t.teardown(() => other.close())
      const error = await other.register(fastifyMirror, { defaults: { backends: [backend as string] } }).then(() => null, error => error)
      t.match(error, { code: /^FST_MIRROR_/ })
      t.notMatch(`${error?.message} ${error?.stack}`, SECRET)
    }
  })

  await t.test('nor is one shown that a client or a backend has sent', async t => {
    const lines: string[] = []
    const register = new Registry()
    const twins = await startTwins(t, {
      plugin: { admin: { onRequest: async () => {} }, prometheus: { register } },
      server: { logger: { level: 'warn', stream: { write: (line: string) => { lines.push(line) } } } },
      compare: { logMismatches: true }
    })
    const json = { location: `${url}/a`, 'content-type': 'application/json' }
    const { mismatch } = await twins.ask(
      { headers: json, body: JSON.stringify({ a: url, [url]: 1 }) },
      { headers: { ...json, location: `${url}/b` }, body: JSON.stringify({ a: `${url}/b`, [url]: 2 }) },
      { method: 'POST', path: `/fetch/${url}/a?next=${encodeURIComponent(url)}`, headers: { referer: `${url}/`, 'content-type': 'text/plain' }, body: `see ${url}` }
    )
    const { client } = twins
    const read = async (path: string) => (await client.request({ method: 'GET', path })).body.text()
    const curl = `/mirrors/twins/mismatches/${mismatch?.places[0]}/curl`
    const shown: Record<string, string> = {
      event: JSON.stringify(mismatch),
      log: lines.join(''),
      metrics: await register.metrics(),
      list: await read('/mirrors'),
      mismatches: await read('/mirrors/twins/mismatches'),
      curl: await read(curl),
      'curl to the primary': await read(`${curl}?side=primary`),
      'curl to where nobody should be told of': await read(`${curl}?base=${encodeURIComponent(url)}`),
      state: await read('/mirrors/ui/state?mirror=twins'),
      place: await read(`/mirrors/ui/place?mirror=twins&place=${mismatch?.places[0]}&base=${encodeURIComponent(twins.gateway.url)}`),
      'place for a base that has one': await read(`/mirrors/ui/place?mirror=twins&place=${mismatch?.places[0]}&base=${encodeURIComponent(url)}`),
      'a patch of no such backend': await (await client.request({
        method: 'PATCH', path: '/mirrors/twins', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ backends: { [url]: { enabled: false } } })
      })).body.text()
    }
    for (const [where, text] of Object.entries(shown)) {
      t.ok(text.length > 40, `${where} says something: ${text.slice(0, 100)}`)
      t.equal(new RegExp(`.{0,80}${SECRET}.{0,20}`).exec(text)?.[0], undefined, where)
    }
  })
})

t.test('the fullest store of mismatches is bounded: 32 KiB a place', async t => {
  const limit = 100
  const places = new TestPlaces(limit)
  const long = '\u20ac'.repeat(100_000)
  const headers = Array.from({ length: 100 }, (_, i) => [`x-${String.fromCharCode(97 + i % 26)}${i}${'y'.repeat(500)}`, '\x80'.repeat(3000)]).flat()
  for (let i = 0; i < limit * 2; i++) {
    places.put({
      backend: 'b'.repeat(100),
      time: Date.now(),
      request: { method: 'POST', path: `/${long}`, sentPath: `/${long}`, headers, body: Buffer.from(long).subarray(0, MAX_BODY + 1), complete: false },
      primaryStatus: 200 + i,
      shadowStatus: 500 + i,
      primaryHash: 'a'.repeat(64),
      shadowHash: 'b'.repeat(64),
      headers: Array.from({ length: 200 }, (_, k) => ({ name: `x-${k}-${'n'.repeat(500)}`, primary: Array(50).fill(long), shadow: Array(50).fill(long) })),
      body: {
        kind: 'json',
        truncated: false,
        differences: Array.from({ length: 200 }, (_, k) => ({ change: 'changed' as const, pointer: `/${'p'.repeat(390)}${k}`, primary: '\u20ac'.repeat(200), shadow: '\u20ac'.repeat(200) }))
      }
    })
  }
  const list = places.list()
  t.equal(list.places.length, limit + 1)
  const most = Math.max(...list.places.map(place => Buffer.byteLength(JSON.stringify(place))))
  t.comment(`the largest place has ${most} bytes`)
  t.ok(most < 32 * 1024, `one has ${most} bytes`)
})

t.test('numbers, and what the page asks for again and again, grow with mirrors and backends alone', async t => {
  const backends = Array.from({ length: 100 }, (_, i) => ({ url: `http://${'h'.repeat(60)}${i}.test/${'p'.repeat(1000)}`, name: `${i}`.padEnd(100, '\u20ac') }))
  const gateway = await startGateway(t, {
    plugin: { admin: { onRequest: async () => {} } },
    routes: app => { app.get('/', { mirror: { id: '\u20ac'.repeat(100), backends, enabled: false } }, async () => 'ok') }
  })
  for (const path of ['/mirrors', `/mirrors/ui/state?mirror=${encodeURIComponent('\u20ac'.repeat(100))}`]) {
    const { statusCode, body } = await gateway.app.inject(path)
    t.equal(statusCode, 200)
    t.ok(Buffer.byteLength(body) < 100 * 8 * 1024, `${path}: ${Buffer.byteLength(body)} bytes for 100 backends`)
  }
})
