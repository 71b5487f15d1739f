import cors from '@fastify/cors'
import Fastify from 'fastify'
import type { FastifyInstance, FastifyReply, FastifyRequest, FastifyServerOptions } from 'fastify'
import { connect } from 'node:http2'
import net from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import type { Test } from 'tap'
import fastifyMirror from '../lib'
import type { AdminHook, AdminOptions } from '../types/index'
import { startBackend } from './helpers/backend'
import { until } from './helpers/until'

const open: AdminHook = async () => {}
const HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', 'cross-origin-resource-policy': 'same-origin' }

const FILE = /\/ui\/[a-z-]+\.[a-z]+$/

interface Setup { admin?: AdminOptions, before?: (app: FastifyInstance) => void | Promise<void>, server?: FastifyServerOptions }

/** An app with a mirror `a` that has seen a mismatch, and every admin route as `[method, path]`. */
async function setUp (t: Test, { admin, before, server }: Setup) {
  const shadow = await startBackend(t, (_, response) => response.end('other'))
  const app = Fastify(server) as FastifyInstance
  t.teardown(() => app.close())
  await before?.(app)
  const routes: Array<[method: 'GET', url: string]> = []
  app.addHook('onRoute', ({ method, url }) => { if (url.startsWith('/mirrors')) routes.push([method as 'GET', url]) })
  await app.register(fastifyMirror, { admin })
  app.get('/', { mirror: { id: 'a', backends: [shadow.url], compare: { enabled: true } } }, async () => 'ok')
  await app.inject('/')
  await until('it is compared', () => app.mirrors.get('a')?.backends[0].mismatched === 1)
  const place = app.mirrors.mismatches('a')?.places[0].id as string
  const all = routes.map(([method, url]): ['GET', string] => [method, url.replace(':id', 'a').replace(':place', place)])
  const state = () => JSON.stringify([app.mirrors.enabled, app.mirrors.list(), app.mirrors.mismatches('a')?.places])
  return { app, all, state }
}

const refuse = (reply: FastifyReply) => { reply.code(401).send({ no: 1 }) }

/** Guards that answer and go on all the same. */
const careless: Record<string, [AdminHook | AdminHook[], status: number]> = {
  'async, nothing returned': [async (_, reply) => refuse(reply), 401],
  'async, later': [async (_, reply) => { await wait(1); refuse(reply) }, 401],
  'async, which throws after it': [async (_, reply) => { refuse(reply); throw new Error('late') }, 401],
  'async, not found': [async (_, reply) => { reply.callNotFound() }, 404],
  'async, elsewhere': [async (_, reply) => { reply.redirect('/login') }, 302],
  'async, past Fastify': [async (_, reply) => { reply.raw.writeHead(403).end() }, 403],
  'async, past Fastify, in parts': [async (_, reply) => { reply.raw.writeHead(403); setTimeout(() => reply.raw.end(), 5) }, 403],
  'a callback, called after it': [(_, reply, done) => { refuse(reply); done() }, 401],
  'a callback, called with an error after it': [(_, reply, done) => { refuse(reply); done(new Error('late')) }, 401],
  'a callback, called twice': [(_request, _reply, done) => { done(Object.assign(new Error('no'), { statusCode: 401 })); done() }, 401],
  'no promise of its own': [(_, reply) => ({ then: (resolve: () => void) => { refuse(reply); resolve() } }) as Promise<void>, 401],
  'a throw after it': [(_, reply) => { refuse(reply); throw new Error('late') }, 401],
  'a rejection with nothing': [async () => { throw undefined }, 500], // eslint-disable-line no-throw-literal
  'a throw of nothing': [() => { throw undefined }, 500], // eslint-disable-line no-throw-literal
  'before another one': [[async (_, reply) => refuse(reply), async () => { throw new Error('not reached') }], 401]
}

for (const [name, [onRequest, status]] of Object.entries(careless)) {
  t.test(`nothing goes on once a guard has answered, beside a hook that waits: ${name}`, async t => {
    const { app, all, state } = await setUp(t, {
      admin: { onRequest },
      before: app => { app.addHook('onSend', async () => { await wait(2) }) }
    })
    const before = state()
    for (const [method, url] of all.filter(([, url]) => !FILE.test(url) && !url.endsWith('/'))) {
      for (const payload of method === 'GET' ? [undefined] : ['{"enabled":false}', '{']) {
        const answer = await app.inject({ method, url, payload, headers: payload === undefined ? {} : { 'content-type': 'application/json' } })
        t.equal(answer.statusCode, status, `${method} ${url}`)
        if (status === 401) t.notMatch(answer.body, /ready|enabled|curl|<html/)
      }
    }
    t.equal(state(), before)
  })
}

t.test('other hooks of the admin routes may answer, too', async t => {
  const { app, state } = await setUp(t, {
    admin: { onRequest: open, routeOptions: { preHandler: async (_: FastifyRequest, reply: FastifyReply) => refuse(reply) } },
    before: app => { app.addHook('onSend', async () => { await wait(2) }) }
  })
  const before = state()
  t.equal((await app.inject({ method: 'PATCH', url: '/mirrors', payload: { enabled: false } })).statusCode, 401)
  t.equal(state(), before)
})

t.test('a guard is async or has a callback', async t => {
  const app = Fastify()
  t.teardown(() => app.close())
  const both = async (_request: unknown, _reply: unknown, done: () => void) => { done() }
  await t.rejects(async () => { await app.register(fastifyMirror, { admin: { onRequest: [open, both] } }) }, {
    code: 'FST_MIRROR_INVALID_OPTION', message: /admin\.onRequest\[1\] must be either async or with a callback/
  })
})

t.test('no answer is kept by anybody, or opened to other origins, whoever gives it', async t => {
  let guard: AdminHook = open
  const lax = async (app: FastifyInstance) => {
    await app.register(cors, { origin: true, credentials: true, exposedHeaders: ['x-a'] })
    app.addHook('onSend', async (_, reply) => { reply.header('cache-control', 'public, max-age=60').header('Access-Control-Max-Age', '5') })
  }
  const { app, all } = await setUp(t, { before: lax, admin: { hosts: ['localhost'], onRequest: function (...args) { return guard.apply(this, args) }, routeOptions: { onSend: async () => {} } } })
  const check = async (method: 'GET', url: string, status: number, more: object = {}) => {
    const { statusCode, headers } = await app.inject({ method, url, headers: { host: 'localhost', origin: 'http://localhost' }, ...more })
    t.equal(statusCode, status, `${method} ${url}`)
    t.match(headers, HEADERS, `${method} ${url}`)
    t.strictSame(Object.keys(headers).filter(name => name.startsWith('access-control')), [])
  }
  for (const [status, hook] of [
    [401, async (_, reply) => reply.code(401).send('no')],
    [403, async () => { throw Object.assign(new Error('no'), { statusCode: 403 }) }],
    [500, async () => { throw new TypeError('broken') }],
    [404, async (_, reply) => { reply.callNotFound() }]
  ] as Array<[number, AdminHook]>) {
    guard = hook
    for (const [method, url] of all) await check(method, url, status)
  }
  guard = open
  for (const [method, url] of all) {
    if (method === 'GET') await check(method, url, url.endsWith('/ui/') ? 302 : /\/ui\/place\/?$/.test(url) ? 400 : 200)
    await check(method, url, 421, { headers: { host: 'evil.test' } })
    if (!FILE.test(url)) await check(method, url, 403, { headers: { host: 'localhost', origin: 'http://evil.test' } })
  }
  await check('GET', '/mirrors/none', 404)
  await check('GET', '/mirrors/a/verdict?gate', 417)
  await check('PATCH' as 'GET', '/mirrors', 400, { payload: '{', headers: { host: 'localhost', 'content-type': 'application/json' } })
  await check('PATCH' as 'GET', '/mirrors', 400, { payload: { enabled: 0 } })
  t.match(await app.inject('/'), { headers: { 'cache-control': /public/ } }, 'and no other route has them')
})

t.test('without a guard the headers are there, too', async t => {
  const { app } = await setUp(t, {})
  for (const url of ['/mirrors', '/mirrors/', '/mirrors/a', '/mirrors/a/', '/mirrors/none', '/mirrors/ui']) t.match((await app.inject(url)).headers, HEADERS)
  const other = await app.inject({ url: '/mirrors', headers: { origin: 'http://evil.test' } })
  t.match(other.json(), { statusCode: 403, code: 'FST_MIRROR_OTHER_ORIGIN' })
})

t.test('reads by pages of other origins are refused, but links to the page', async t => {
  const { app, all } = await setUp(t, { admin: { onRequest: open } })
  const get = async (url: string, headers: Record<string, string>) => (await app.inject({ url, headers: { host: 'a.test', ...headers } })).statusCode
  for (const [method, url] of all) {
    if (method !== 'GET' || url.endsWith('/ui/') || /\/ui\/place\/?$/.test(url)) continue
    const file = FILE.test(url)
    for (const mode of ['cors', 'no-cors', 'navigate']) {
      for (const site of ['cross-site', 'same-site']) {
        const may = file || (mode === 'navigate' && url === '/mirrors/ui')
        t.equal(await get(url, { 'sec-fetch-site': site, 'sec-fetch-mode': mode }), may ? 200 : 403, `${site} ${mode} ${url}`)
      }
      for (const site of ['same-origin', 'none']) t.equal(await get(url, { 'sec-fetch-site': site, 'sec-fetch-mode': mode }), 200, `${site} ${mode} ${url}`)
    }
    for (const origin of ['http://b.test', 'http://a.test:81', 'null']) t.equal(await get(url, { origin }), file ? 200 : 403, `${origin} ${url}`)
    for (const headers of [{ origin: 'http://a.test' }, {}] as Array<Record<string, string>>) t.equal(await get(url, headers), 200, `no browser, or its own: ${url}`)
  }
})

t.test('with hosts the routes answer to these names alone, whatever the method', async t => {
  const hosts = ['Ops.test', 'localhost', '127.0.0.1', '::1']
  const reached: string[] = []
  for (const admin of [{ hosts, onRequest: async (request: FastifyRequest) => { reached.push(request.url) } }, { hosts }]) {
    // A page of a name that leads here for a moment may set such a header.
    const { app, all, state } = await setUp(t, { admin, server: { trustProxy: true } })
    const before = state()
    reached.length = 0
    const bad = ['evil.test', 'evil.test:80', 'ops.test.evil.test', 'evil.test#localhost', 'localhost@evil.test', '127.0.0.2', '[::2]', 'localhost, evil.test', '@', '[::1']
    for (const host of bad) {
      for (const [method, url] of all) {
        const answer = await app.inject({ method, url, headers: { host, 'x-forwarded-host': 'localhost' } })
        t.equal(answer.statusCode, 421, `${method} ${url} of ${host}`)
        if (method !== 'HEAD' as string) t.match(answer.json(), { code: 'FST_MIRROR_OTHER_HOST', error: 'Misdirected Request' })
      }
    }
    t.strictSame(reached, [], 'not even the guard')
    t.equal(state(), before)
    for (const host of ['ops.test', 'OPS.TEST:8080', 'localhost:1', '127.0.0.1', '[::1]', '[0:0::1]:443']) {
      t.equal((await app.inject({ url: '/mirrors', headers: { host } })).statusCode, 200, host)
    }
    t.equal((await app.inject({ url: '/', headers: { host: 'evil.test' } })).statusCode, 200, 'other routes to any')
  }
})

t.test('a request without any host is refused', async t => {
  const { app } = await setUp(t, { admin: { hosts: ['127.0.0.1'] } })
  const { port } = new URL(await app.listen({ port: 0, host: '127.0.0.1' }))
  const ask = async (headers: string) => new Promise<string>(resolve => {
    const socket = net.connect(Number(port), '127.0.0.1')
    socket.once('data', data => { resolve(data.toString().slice(9, 12)); socket.destroy() })
    socket.write(`GET /mirrors HTTP/1.0\r\n${headers}\r\n`)
  })
  t.equal(await ask(''), '421')
  t.equal(await ask('host: 127.0.0.1\r\n'), '200')
})

t.test('over HTTP/2 it is the authority', async t => {
  const app = Fastify({ http2: true }) as unknown as FastifyInstance
  t.teardown(() => app.close())
  await app.register(fastifyMirror, { admin: { hosts: ['127.0.0.1'] } })
  const session = connect(await app.listen({ port: 0, host: '127.0.0.1' }))
  t.teardown(() => session.destroy())
  const ask = async (headers: Record<string, string>) => new Promise(resolve => {
    session.request({ ':path': '/mirrors', ...headers }).on('response', ({ ':status': status }) => resolve(status)).resume()
  })
  t.equal(await ask({}), 200)
  t.equal(await ask({ ':authority': 'evil.test' }), 421)
  t.equal(await ask({ ':authority': '127.0.0.1', host: 'evil.test' }), 421)
  t.equal(await ask({ ':authority': 'evil.test', host: '127.0.0.1' }), 421)
})

t.test('a slash at the end makes no difference, where the app takes it or not', async t => {
  for (const server of [{}, { routerOptions: { ignoreTrailingSlash: true } }]) {
    const { app, all } = await setUp(t, { admin: { onRequest: open }, server })
    for (const url of ['/mirrors', '/mirrors/a', '/mirrors/a/mismatches', '/mirrors/a/verdict', '/mirrors/ui/state']) {
      t.equal((await app.inject(`${url}/`)).statusCode, 200, url)
    }
    t.match((await app.inject('/mirrors/ui/state/')).json(), { prefix: '/mirrors' })
    t.match(await app.inject('/mirrors/ui/'), { statusCode: 302, headers: { location: '../ui' } })
    t.equal((await app.inject({ method: 'POST', url: '/mirrors/a/reset/' })).statusCode, 204)
    t.ok(all.length > 10)
  }
})

t.test('where a guard is missing for the page, that is said', async t => {
  const { app } = await setUp(t, {})
  for (const url of ['/mirrors/ui', '/mirrors/ui/']) {
    t.match((await app.inject(url)).json(), { statusCode: 404, error: 'Not Found', message: /only there behind a guard.*admin\.onRequest/ })
  }
})
