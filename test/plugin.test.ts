import httpProxy from '@fastify/http-proxy'
import Fastify from 'fastify'
import type { FastifyBaseLogger, FastifyInstance, FastifyServerOptions } from 'fastify'
import { EventEmitter } from 'node:events'
import type { Worker } from 'node:worker_threads'
import t from 'tap'
import type { Test } from 'tap'
import fastifyMirror, { fastifyMirror as named } from '../lib'
import { BoundedLog } from '../lib/log'
import { printableData } from '../lib/printable'
import type { FastifyMirrorOptions, MirrorOptions } from '../types/index'
import { startBackend } from './helpers/backend'
import { startGateway } from './helpers/gateway'
import { until } from './helpers/until'

const backends = ['http://shadow:9000']

async function appWith (t: Test, plugin: FastifyMirrorOptions = {}, server: FastifyServerOptions = {}): Promise<FastifyInstance> {
  const app = Fastify(server) as FastifyInstance
  t.teardown(() => app.close())
  await app.register(fastifyMirror, { admin: false, ...plugin })
  return app
}

/** Ids with the routes that are theirs, as `method url`. */
function mirrored (app: FastifyInstance): Record<string, string[]> {
  return Object.fromEntries(Object.entries(app.mirrors.list()).map(([id, { routes }]) => {
    return [id, routes.map(({ method, url }) => `${method.join()} ${url}`)]
  }))
}

const handler = async () => 'ok'

t.test('is one plugin, by default and by name', async t => {
  t.equal(fastifyMirror, named)
  t.equal((await appWith(t)).hasPlugin('fastify-mirror'), true)
})

t.test('a mirror\'s id is its route\'s, unless it is given', async t => {
  const app = await appWith(t)
  app.get('/users/:id', { mirror: { backends } }, handler)
  app.post('/users/:id', { mirror: { backends } }, handler)
  app.route({ method: ['PUT', 'PATCH'], url: '/users/:id', mirror: { backends }, handler })
  app.get('/given', { mirror: { id: 'mine', backends } }, handler)
  app.get('/off', { mirror: false }, handler)
  app.get('/none', handler)
  app.get('/undefined', { mirror: undefined, config: { mirror: undefined } }, handler)
  await app.ready()
  t.same(mirrored(app), {
    'get-users-id': ['GET,HEAD /users/:id'],
    'post-users-id': ['POST /users/:id'],
    'users-id': ['PUT,PATCH /users/:id'],
    mine: ['GET,HEAD /given']
  })
})

t.test('routes that share an options object are one mirror', async t => {
  const app = await appWith(t)
  const mirror = { backends }
  app.get('/a', { mirror }, handler)
  app.post('/a', { config: { mirror } }, handler)
  app.route({ method: ['GET', 'HEAD'], url: '/b', mirror, handler })
  await app.register(httpProxy, { upstream: 'http://primary', prefix: '/api', config: { mirror: { id: 'api', backends } } })
  await app.ready()
  t.same(mirrored(app), {
    'get-a': ['GET,HEAD,POST /a', 'GET,HEAD /b'],
    api: ['DELETE,GET,HEAD,PATCH,POST,PUT,OPTIONS /api', 'DELETE,GET,HEAD,PATCH,POST,PUT,OPTIONS /api/*']
  })
  t.same(mirror, { backends }, 'the user\'s object is as it was')
})

t.test('a route of a prefix is counted once, with and without its slash', async t => {
  const shadow = await startBackend(t)
  const gateway = await startGateway(t, {
    routes: async app => {
      for (const prefixTrailingSlash of ['both', 'slash', 'no-slash'] as const) {
        await app.register(async scope => {
          scope.get('/', { prefixTrailingSlash, mirror: { id: prefixTrailingSlash, backends: [shadow.url] } }, async () => 'ok')
        }, { prefix: `/${prefixTrailingSlash}` })
      }
    }
  })
  for (const [path, status] of Object.entries({
    '/both': 200, '/both/': 200, '/slash': 404, '/slash/': 200, '/no-slash': 200, '/no-slash/': 404
  })) {
    t.equal((await gateway.app.inject(path)).statusCode, status, path)
  }
  for (const [id, count] of Object.entries({ both: 2, slash: 1, 'no-slash': 1 })) {
    await until('they are mirrored', () => gateway.mirror(id).backends[0].success === count)
    t.equal(gateway.mirror(id).seen, count)
  }
  t.same(shadow.requests.map(({ url }) => url).sort(), ['/both', '/both/', '/no-slash', '/slash/'])
})

t.test('a GET and its HEAD are one mirror', async t => {
  const shadow = await startBackend(t)
  const gateway = await startGateway(t, {
    routes: app => { app.get('/', { mirror: { backends: [shadow.url], compare: { enabled: true } } }, async () => 'ok') }
  })
  await gateway.app.inject({ method: 'HEAD', url: '/' })
  await gateway.app.inject({ method: 'GET', url: '/' })
  await until('both are compared', () => gateway.backend().matched === 2)
  t.same(shadow.requests.map(({ method }) => method).sort(), ['GET', 'HEAD'])
  t.same(Object.keys(gateway.app.mirrors.list()), ['get'])
})

t.test('an id that is another mirror\'s is an error', async t => {
  const app = await appWith(t)
  app.get('/a', { mirror: { id: 'mine', backends } }, handler)
  t.throws(() => app.get('/b', { mirror: { id: 'mine', backends } }, handler), {
    code: 'FST_MIRROR_DUPLICATE_ID', message: /GET \/b.*"mine".*GET,HEAD \/a/
  })
  app.get('/c', { mirror: { backends } }, handler)
  t.throws(() => app.get('/c', { constraints: { host: 'h' }, mirror: { backends } }, handler), { code: 'FST_MIRROR_DUPLICATE_ID' })
})

t.test('routes that come to one default id have a hash of their own, whatever the order, and others keep theirs', async t => {
  const routes = [['GET', '/users/:id'], ['GET', '/users/id'], ['GET', '/users-id'], ['GET', '/other'], ['POST', '/users/:id']] as const
  const idsOf = async (order: ReadonlyArray<typeof routes[number]>, given?: string) => {
    const app = await appWith(t)
    for (const [method, url] of order) app.route({ method, url, mirror: { backends }, handler })
    if (given !== undefined) app.get('/given', { mirror: { id: given, backends } }, handler)
    const ids = Object.entries(app.mirrors.list()).map(([id, { id: own, routes: [{ url }] }]) => {
      t.equal(id, own)
      t.equal(app.mirrors.get(id)?.routes[0].url, url)
      return [url, id] as const
    })
    return { app, ids: new Map(ids.filter(([, id]) => !id.startsWith('post'))), order: ids.map(([url]) => url) }
  }
  const one = await idsOf(routes)
  t.strictSame(one.order, routes.map(([, url]) => url), 'in the order of registration')
  for (const [, url] of routes.slice(0, 3)) t.match(one.ids.get(url), /^get-users-id-[\da-f]{8}$/)
  t.equal(new Set(one.ids.values()).size, 4)
  t.equal(one.ids.get('/other'), 'get-other')
  t.equal(one.app.mirrors.get('get-users-id'), undefined, 'it never stands for another route')
  t.ok(one.app.mirrors.get('post-users-id'))
  for (const order of [[...routes].reverse(), [...routes.slice(2), ...routes.slice(0, 2)]]) t.strictSame((await idsOf(order)).ids.get('/users/id'), one.ids.get('/users/id'))

  const beside = await idsOf([routes[3]], 'get-other')
  t.match(beside.ids.get('/other'), /^get-other-[\da-f]{8}$/)
  t.equal(beside.ids.get('/given'), 'get-other', 'what is given goes before')
  t.throws(() => beside.app.get('/more', { mirror: { id: beside.ids.get('/other'), backends } }, handler), { code: 'FST_MIRROR_DUPLICATE_ID' })

  const taken = await appWith(t)
  taken.get('/a', { mirror: { id: one.ids.get('/users/id'), backends } }, handler)
  taken.get('/users/id', { mirror: { backends } }, handler)
  t.throws(() => taken.get('/users/:id', { mirror: { backends } }, handler), { code: 'FST_MIRROR_DUPLICATE_ID', message: /GET,HEAD \/users\/id".* is taken by .*\/a"/ })
})

t.test('the options in both places are an error, whatever they are', async t => {
  const app = await appWith(t)
  const mirror = { backends }
  for (const [own, ofConfig] of [[mirror, mirror], [mirror, false], [false, mirror], [false, false], [null, mirror]]) {
    t.throws(() => app.get('/', { mirror: own as MirrorOptions, config: { mirror: ofConfig as MirrorOptions } }, handler), {
      code: 'FST_MIRROR_CONFLICTING_OPTIONS', message: /GET \/.*mirror.*config\.mirror/
    })
  }
  t.same(app.mirrors.list(), {})
})

t.test('a bad value fails the registration of its route', async t => {
  const app = await appWith(t)
  for (const mirror of [null, true, 'http://shadow', 5, [], {}, { backends: [] }, { backends, percentage: 101 }]) {
    t.throws(() => app.get('/', { mirror: mirror as unknown as MirrorOptions }, handler), {
      code: 'FST_MIRROR_INVALID_OPTION', message: /^route "GET \/": mirror.* must be .*got/
    }, JSON.stringify(mirror))
    t.throws(() => app.get('/', { config: { mirror: mirror as unknown as MirrorOptions } }, handler), { code: 'FST_MIRROR_INVALID_OPTION' })
  }
  t.throws(() => app.get('/', { mirror: { backends, percentag: 5 } as MirrorOptions }, handler), {
    code: 'FST_MIRROR_UNKNOWN_OPTION', message: /percentag .*did you mean "percentage"/
  })
  t.same(app.mirrors.list(), {})

  app.register(httpProxy, { upstream: 'http://primary', config: { mirror: { backends: ['ftp://shadow'] } } })
  await t.rejects(async () => { await app.ready() }, { code: 'FST_MIRROR_INVALID_OPTION', message: /backends\[0\]/ })
})

t.test('what can have no effect is refused', async t => {
  const app = await appWith(t)
  t.throws(() => app.get('/', { mirror: { backends, compare: { enabled: true, ignoreHeaders: ['x-a'] } } }, handler), {
    code: 'FST_MIRROR_INVALID_OPTION', message: /GET \/.*ignoreHeaders.*detailedDiff/
  })
})

t.test('bad options of the plugin fail its registration', async t => {
  const bad: Array<[options: object, code: string]> = [
    [{ closeTimeout: -1 }, 'FST_MIRROR_INVALID_OPTION'],
    [{ defaults: { timeout: 'soon' } }, 'FST_MIRROR_INVALID_OPTION'],
    [{ amin: false }, 'FST_MIRROR_UNKNOWN_OPTION']
  ]
  for (const [options, code] of bad) {
    const app = Fastify()
    await t.rejects(async () => { await app.register(fastifyMirror, options) }, { code })
  }
})

t.test('the plugin\'s defaults are under every mirror\'s options', async t => {
  const app = await appWith(t, { defaults: { backends, percentage: 10, conditions: { methods: ['GET'] } } })
  app.get('/a', { mirror: {} }, handler)
  app.get('/b', { mirror: { percentage: 20, backends: ['http://other'] } }, handler)
  t.match(app.mirrors.list(), {
    'get-a': { percentage: 10, backends: [{ name: 'shadow:9000' }] }, 'get-b': { percentage: 20, backends: [{ name: 'other' }] }
  })
})

t.test('registered twice in a scope, or below one that has it, it is an error', async t => {
  const twice = await appWith(t)
  await t.rejects(async () => { await twice.register(fastifyMirror, { admin: false }) }, { code: 'FST_MIRROR_ALREADY_REGISTERED' })

  const below = await appWith(t)
  below.register(async scope => { await scope.register(fastifyMirror, { admin: false }) })
  await t.rejects(async () => { await below.ready() }, { code: 'FST_MIRROR_ALREADY_REGISTERED' })
})

t.test('scopes beside each other have mirrors of their own', async t => {
  const shadow = await startBackend(t)
  const app = Fastify() as FastifyInstance
  t.teardown(() => app.close())
  const scopes: FastifyInstance[] = []
  for (const prefix of ['/a', '/b']) {
    app.register(async scope => {
      await scope.register(fastifyMirror, { defaults: { backends: [shadow.url] } })
      scope.get('/x', { mirror: { id: 'x' } }, handler)
      scope.register(async inner => { inner.get('/y', { mirror: { id: 'y' } }, handler) })
      scopes.push(scope)
    }, { prefix })
  }
  app.get('/c', { mirror: { id: 'c', backends: [shadow.url] } }, handler)
  await app.ready()
  t.notOk(app.hasDecorator('mirrors'))
  for (const scope of scopes) t.same(Object.keys(scope.mirrors.list()), ['x', 'y'])
  t.same(Object.keys((await app.inject('/b/mirrors')).json()), ['x', 'y'])
  for (const url of ['/a/x', '/b/x', '/b/y', '/c']) t.equal((await app.inject(url)).body, 'ok')
  await until('they are mirrored', () => shadow.requests.length === 3)
  t.equal(scopes[0].mirrors.get('x')?.seen, 1)
  t.match(scopes[1].mirrors.list(), { x: { seen: 1 }, y: { seen: 1 } })
})

t.test('without await it is there for the plugins that come after it', async t => {
  const app = Fastify() as FastifyInstance
  t.teardown(() => app.close())
  app.register(fastifyMirror, { admin: false })
  app.register(async scope => { scope.get('/a', { mirror: { backends } }, handler) })
  app.after(() => { app.get('/b', { mirror: { backends } }, handler) })
  app.get('/too/early', { mirror: { backends } }, handler)
  await app.ready()
  t.same(Object.keys(app.mirrors.list()), ['get-a', 'get-b'])
})

t.test('other plugins\' hooks and the route\'s own are called as without it', async t => {
  const shadow = await startBackend(t)
  const calls: string[] = []
  const note = (name: string) => async () => { calls.push(name) }
  const gateway = await startGateway(t, {
    routes: app => {
      const mirror = { backends: [shadow.url] }
      for (const [path, many] of [['/one', false], ['/many', true]] as const) {
        const hook = (name: string) => many ? [note(`${name} 1`), note(`${name} 2`)] : note(name)
        app.get(path, {
          mirror: { ...mirror, id: path },
          onRequest: hook('onRequest'),
          onError: hook('onError'),
          onSend: hook('onSend'),
          onResponse: hook('onResponse')
        }, async () => { throw new Error('of the handler') })
      }
      app.get('/null', { mirror: { ...mirror, id: '/null' }, onError: note('onError') }, () => {
        throw null // eslint-disable-line no-throw-literal -- whatever users throw
      })
      app.get('/none', { mirror: { ...mirror, id: '/none' } }, async function named () { return 'ok' })
    }
  })
  for (const [path, expected] of Object.entries({
    '/one': ['onRequest', 'onError', 'onSend', 'onResponse'],
    '/many': ['onRequest', 'onError', 'onSend', 'onResponse'].flatMap(name => [`${name} 1`, `${name} 2`]),
    '/null': ['onError'],
    '/none': []
  })) {
    calls.length = 0
    await gateway.app.inject(path)
    t.same(calls, expected)
  }
})

t.test('a handler keeps its name, its this and its arguments', async t => {
  let seen: unknown[] = []
  const names: string[] = []
  const app = Fastify() as FastifyInstance
  t.teardown(() => app.close())
  await app.register(fastifyMirror, { admin: false })
  app.addHook('onRoute', ({ handler }) => { names.push(handler.name) })
  app.register(async scope => {
    scope.get('/', { mirror: { percentage: 0, backends } }, async function mine (...args) {
      seen = [this === scope, args.length]
      return 'ok'
    })
  })
  t.equal((await app.inject('/')).body, 'ok')
  t.same(seen, [true, 2])
  t.equal(names[0], 'mine')
})

t.test('warnings come at a bounded rate, and say how many were held back', t => {
  const lines: Array<[fields: object, message: string]> = []
  let now = 0
  const { now: real } = performance
  performance.now = () => now
  t.teardown(() => { performance.now = real })
  let throws = false
  const log = new BoundedLog({
    warn: (fields: object, message: string) => {
      if (throws) throw new Error('of the logger')
      lines.push([fields, message])
    }
  } as FastifyBaseLogger)
  for (let i = 0; i < 13; i++) log.warn({ i }, 'trouble')
  t.same(lines, Array.from({ length: 10 }, (_, i) => [{ i }, 'trouble']))
  now = 9999
  log.warn({}, 'trouble')
  t.equal(lines.length, 10)
  now = 10_000
  log.warn({ i: 'next' }, 'trouble')
  log.warn({ i: 'last' }, 'trouble')
  t.same(lines.slice(10), [[{ i: 'next', suppressed: 4 }, 'trouble'], [{ i: 'last' }, 'trouble']])
  throws = true
  log.warn({}, 'trouble')
  t.equal(lines.length, 12)
  t.end()
})

t.test('no character that a terminal obeys, or that nobody sees, is in a line', t => {
  const nasty = 'a\u001b[2J\u009b2J\u007f\u2028\u202e\u3164\ud800\nb'
  const shown = 'a\\u{1b}[2J\\u{9b}2J\\u{7f}\\u{2028}\\u{202e}\\u{3164}\\u{d800}\\u{a}b'
  const errors: unknown[] = []
  const log = new BoundedLog({ warn: ({ err }: { err: unknown }) => { errors.push(err) } } as unknown as FastifyBaseLogger)
  const plain = new Error('plain')
  const bare = Object.assign(new Error(nasty), { code: 'E_NASTY', stack: undefined })
  for (const err of [plain, new TypeError(nasty), bare, nasty, null]) log.warn({ err }, 'trouble')
  const [first, typed, without, ...rest] = errors as Array<Record<string, string>>
  t.equal(first, plain)
  t.match(typed, { type: 'TypeError', message: shown })
  t.ok(typed.stack.startsWith(`TypeError: ${shown}\n`), 'the stack has its lines')
  t.notMatch(typed.stack, /(?![ \n])[\p{C}\p{Z}\u3164]/u)
  t.strictSame(without, { type: 'Error', message: shown, stack: '', code: 'E_NASTY' })
  t.strictSame(rest, [shown, null])
  const data = { [nasty]: [nasty, 1, null, { a: nasty }] }
  t.strictSame(printableData(data), { [shown]: [shown, 1, null, { a: shown }] })
  t.end()
})

t.test('connect options that can not work fail the registration of their route', async t => {
  const cases: Array<[plugin: FastifyMirrorOptions, connect: Record<string, unknown>, message: RegExp]> = [
    [{}, { minVersion: 'TLSv9' }, /^route "GET \/": mirror\.backends\[0\]\.connect must be TLS options that node:tls accepts \(.+\), got \[hidden object\]$/],
    [{}, { servername: '10.0.0.1' }, /^route "GET \/": mirror\.backends\[0\]\.connect\.servername must be a host name, and no address .+, got \[hidden string\]$/],
    [{ thread: true }, { lookup () {} }, /^route "GET \/": mirror\.backends\[0\]\.connect\.lookup must be what can be sent to a thread, .+ got \[hidden function\]$/]
  ]
  for (const [plugin, connect, message] of cases) {
    const app = await appWith(t, plugin)
    const register = () => app.get('/', { mirror: { backends: [{ url: 'https://shadow:9000', connect }] } }, handler)
    t.throws(register, { code: 'FST_MIRROR_INVALID_OPTION', message })
  }
})

t.test('a thread that dies is told of, and the primary serves on', async t => {
  let worker: Worker | undefined
  process.once('worker', started => { worker = started })
  const gateway = await startGateway(t, {
    plugin: { thread: true },
    routes: app => { app.get('/', { mirror: { backends: ['http://127.0.0.1:9'] } }, handler) }
  })
  await (worker as Worker).terminate()
  await until('it is told', () => gateway.log.some(({ msg }) => msg === 'the mirrors\' thread ended, and will be started again'))
  t.equal((await gateway.app.inject('/')).body, 'ok')
  t.equal(gateway.backend().dropped.thread, 1)
})

t.test('threads that die at their start are told of with what to do', async t => {
  class Dying extends EventEmitter {
    readonly performance = { eventLoopUtilization: () => ({ active: 0 }) }
    constructor () {
      super()
      setImmediate(() => this.emit('error', new Error('port taken')))
    }

    postMessage () {}
    unref () {}
  }
  const { default: plugin } = t.mockRequire('../lib', { 'node:worker_threads': { Worker: Dying } })
  const log: string[] = []
  const app = Fastify({ logger: { level: 'warn', stream: { write: line => { log.push(JSON.parse(line).msg) } } } })
  t.teardown(() => app.close())
  await app.register(plugin, { thread: true })
  await until('three died', () => log.length === 3)
  t.strictSame(log.slice(0, 2), Array(2).fill('the mirrors\' thread ended, and will be started again'))
  t.match(log[2], /ended at its start 3 times in a row, and is tried again in 2 s; .*dropped\.thread.*leave out thread: true$/)
})

t.test('a process that may start no worker is told so at registration', async t => {
  t.intercept(process, 'permission', { value: { has: (scope: string) => scope !== 'worker' }, configurable: true })
  const app = Fastify()
  await t.rejects(async () => { await app.register(fastifyMirror, { thread: true }) }, {
    code: 'FST_MIRROR_THREAD_NOT_ALLOWED', message: /--allow-worker.*or leave out thread: true$/
  })
  await Fastify().register(fastifyMirror)
})

t.test('a close that is told twice is heard once', async t => {
  const shadow = await startBackend(t)
  const gateway = await startGateway(t, {
    routes: app => {
      app.get('/', { mirror: { backends: [shadow.url] } }, async (_, reply) => {
        reply.raw.once('close', () => reply.raw.emit('close'))
        return 'ok'
      })
    }
  })
  t.equal((await gateway.app.inject('/')).body, 'ok')
  await until('the copy has ended', () => gateway.backend().success === 1)
  t.match(gateway.mirror(), { seen: 1, pending: 0, mirrored: 1 })
})
