import httpProxy from '@fastify/http-proxy'
import Fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import t from 'tap'
import type { Test } from 'tap'
import fastifyMirror from '../lib'
import { onInitialization } from '../lib/hooks/unmirrored'

const backends = ['http://127.0.0.1:9']
const mirror = { backends }
const handler = async () => 'ok'
const EARLY = 'is not mirrored, as it was added before fastify-mirror had loaded; write "await app.register(mirror)" before it'
const ELSEWHERE = 'is not mirrored, as fastify-mirror is not registered in its scope; register it in the app that both belong to, and await it'

function makeApp (t: Test): { app: FastifyInstance, log: string[] } {
  const log: string[] = []
  const stream = { write: (line: string) => { log.push(JSON.parse(line).msg) } }
  const app = Fastify({ logger: { level: 'warn', stream } }) as FastifyInstance
  t.teardown(() => app.close())
  return { app, log }
}

/** What is wrong with it, and what is told of that. */
const mistakes: Record<string, { make: (app: FastifyInstance, strict?: boolean) => void, told: string[] }> = {
  'routes before the plugin': {
    make (app, strict) {
      app.get('/option', { mirror }, handler)
      app.register(fastifyMirror, { admin: false, strict })
      app.get('/config', { config: { mirror } }, handler)
      app.route({ method: ['PUT', 'PATCH'], url: '/many', mirror, handler })
      app.route({ method: 'HEAD', url: '/head', mirror: { backends }, handler })
      app.get('/off', { mirror: false }, handler)
      app.get('/none', handler)
      app.register(async scope => { scope.get('/later', { mirror: { ...mirror, id: 'later' } }, handler) })
    },
    told: [
      `route "GET /option" ${EARLY}`, `route "GET /config" ${EARLY}`, `route "PUT,PATCH /many" ${EARLY}`, `route "HEAD /head" ${EARLY}`
    ]
  },
  'a proxy before the plugin': {
    make (app, strict) {
      app.register(httpProxy, { upstream: 'http://127.0.0.1:9', prefix: '/api', httpMethods: ['GET'], config: { mirror } })
      app.register(fastifyMirror, { admin: false, strict })
    },
    told: [`route "GET /api" ${EARLY}`, `route "GET /api/*" ${EARLY}`]
  },
  'routes in scopes without the plugin': {
    make (app, strict) {
      app.register(async scope => {
        await scope.register(fastifyMirror, { admin: false, strict })
        scope.get('/with', { mirror }, handler)
        scope.register(async inner => { inner.get('/inner', { mirror: { ...mirror, id: 'inner' } }, handler) })
      })
      app.register(async scope => { scope.get('/without', { mirror }, handler) })
      app.get('/above', { config: { mirror } }, handler)
    },
    told: [`route "GET /above" ${ELSEWHERE}`, `route "GET /without" ${ELSEWHERE}`]
  },
  'a mirror that http-proxy does not hand on': {
    make (app, strict) {
      app.register(fastifyMirror, { admin: false, strict })
      for (const prefix of ['/api', undefined]) {
        app.register(httpProxy, { upstream: 'http://127.0.0.1:9', prefix, mirror } as Parameters<typeof httpProxy>[1])
      }
      // Another plugin may well have such an option.
      app.register(async () => {}, { mirror })
    },
    told: ['/api', '/'].map(prefix => {
      return `http-proxy at "${prefix}" does not hand on its option "mirror", and nothing of it is mirrored; give it as config: { mirror: ... }`
    })
  }
}

for (const [name, { make, told }] of Object.entries(mistakes)) {
  t.test(`${name} are told of when the app is ready`, async t => {
    const { app, log } = makeApp(t)
    make(app)
    await app.ready()
    t.strictSame(log, told)
  })

  t.test(`${name} are an error with "strict"`, async t => {
    const { app, log } = makeApp(t)
    make(app, true)
    await t.rejects(async () => { await app.ready() }, { code: 'FST_MIRROR_NOT_MIRRORED', message: told.join('\n') })
    t.strictSame(log, [])
  })
}

t.test('with "strict" an app without mistakes gets ready', async t => {
  const { app, log } = makeApp(t)
  await app.register(fastifyMirror, { admin: false, strict: true })
  app.get('/', { mirror }, handler)
  await app.register(httpProxy, { upstream: 'http://127.0.0.1:9', prefix: '/api', config: { mirror: { ...mirror, id: 'api' } } })
  await app.ready()
  t.strictSame(log, [])
})

t.test('each route is told of once, by however many registrations', async t => {
  const { app, log } = makeApp(t)
  app.get('/above', { mirror }, handler)
  for (const prefix of ['/a', '/b']) app.register(async scope => { await scope.register(fastifyMirror, { admin: false }) }, { prefix })
  await app.ready()
  t.strictSame(log, [`route "GET /above" ${ELSEWHERE}`])
})

t.test('of an app that was made before the plugin was loaded, requests tell', async t => {
  unsubscribe('fastify.initialization', onInitialization)
  t.teardown(() => subscribe('fastify.initialization', onInitialization))
  const { app, log } = makeApp(t)
  const early = { backends }
  app.register(fastifyMirror, { admin: false })
  app.get('/early', { config: { mirror: early } }, handler)
  app.get('/off', { config: { mirror: false } }, handler)
  app.get('/none', handler)
  app.register(async scope => { scope.get('/later', { config: { mirror } }, handler) })
  await app.ready()
  t.strictSame(log, [])
  for (const url of ['/off', '/none', '/nowhere', '/later']) await app.inject(url)
  t.strictSame(log, [])
  for (let i = 0; i < 3; i++) t.equal((await app.inject('/early')).body, 'ok')
  t.strictSame(log, [`route "GET /early" ${EARLY}`])
})

t.test('but only the first of them, so that all others pay nothing', async t => {
  unsubscribe('fastify.initialization', onInitialization)
  t.teardown(() => subscribe('fastify.initialization', onInitialization))
  const { app, log } = makeApp(t)
  app.register(fastifyMirror, { admin: false })
  app.get('/early', { config: { mirror: { backends } } }, handler)
  for (let i = 0; i < 1000; i++) await app.inject('/nowhere')
  await app.inject('/early')
  t.strictSame(log, [])
})
