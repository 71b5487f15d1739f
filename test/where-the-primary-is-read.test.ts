import compress from '@fastify/compress'
import etag from '@fastify/etag'
import httpProxy from '@fastify/http-proxy'
import Fastify from 'fastify'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { once } from 'node:events'
import http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import t from 'tap'
import type { Test } from 'tap'
import { gunzipSync } from 'node:zlib'
import { request } from 'undici'
import fastifyMirror from '../lib'
import type { BackendSnapshot, FastifyMirrorOptions, MirrorOptions } from '../types/index'
import { startBackend } from './helpers/backend'
import { booksClose } from './helpers/books'
import { modes, startGateway } from './helpers/gateway'
import { kindsOf } from './helpers/places'
import { until } from './helpers/until'

const TEXT = 'some text, '.repeat(200)

/** What handlers give, by path. */
const handlers: Record<string, (reply: FastifyReply) => unknown> = {
  '/object': () => ({ text: TEXT, list: [1, 2, 3] }),
  '/string': () => TEXT,
  '/buffer': reply => reply.type('text/plain').send(Buffer.from(TEXT)),
  '/stream': reply => reply.type('text/plain').send(Readable.from([TEXT, TEXT])),
  '/web': reply => reply.type('text/plain').send(new Response(TEXT).body),
  '/response': reply => reply.header('set-cookie', 'a=1').header('x-a', 'no').send(new Response(TEXT, {
    status: 201,
    headers: [['content-type', 'text/plain'], ['x-a', 'yes'], ['set-cookie', 'b=2'], ['set-cookie', 'c=3']]
  })),
  '/headers': reply => reply.header('x-list', [1, '2']).header('x-number', 3).header('vary', ['a', 'b']).send('ok'),
  '/nothing': reply => reply.code(204).send(),
  '/error': () => { throw Object.assign(new Error('no tea'), { statusCode: 418 }) }
}

type Part = 'mirror' | 'compress' | 'etag' | 'own'

interface Setup {
  /** In the order in which they are registered. */
  parts: Part[]
  plugin?: FastifyMirrorOptions
  routes: (app: FastifyInstance) => void | Promise<void>
}

async function startApp (t: Test, { parts, plugin = {}, routes }: Setup): Promise<FastifyInstance & { url: string }> {
  const app = Fastify() as FastifyInstance
  t.teardown(() => app.close())
  for (const part of parts) {
    if (part === 'mirror') await app.register(fastifyMirror, plugin)
    else if (part === 'compress') await app.register(compress, { threshold: 1 })
    else if (part === 'etag') await app.register(etag)
    else app.addHook('onSend', changePayload)
  }
  await routes(app)
  return Object.assign(app, { url: await app.listen({ port: 0, host: '127.0.0.1' }) })
}

/** A hook of the user's, that changes what it can. */
async function changePayload (_request: FastifyRequest, reply: FastifyReply, payload: unknown): Promise<unknown> {
  reply.header('x-own', '1')
  return typeof payload === 'string' ? payload + ' (changed)' : payload
}

/** The same app twice, as a gateway with plain routes and as its shadow. */
async function startTwice (t: Test, parts: Part[], mirror: Partial<MirrorOptions>, plugin?: FastifyMirrorOptions) {
  const shadow = await startApp(t, { parts: parts.filter(part => part !== 'mirror'), routes: plainRoutes(false) })
  const gateway = await startApp(t, {
    parts, plugin, routes: plainRoutes({ backends: [shadow.url], ...mirror, compare: { enabled: true, ...mirror.compare } })
  })
  return { shadow, gateway }
}

function plainRoutes (mirror: MirrorOptions | false) {
  return (app: FastifyInstance) => {
    for (const [url, handler] of Object.entries(handlers)) {
      app.get(url, { mirror: mirror && { ...mirror, id: url } }, (_request, reply) => handler(reply))
    }
  }
}

async function ask (url: string, headers: Record<string, string> = {}) {
  const answer = await request(url, { headers })
  const { date, connection, 'keep-alive': keepAlive, ...shown } = answer.headers
  return { status: answer.statusCode, headers: shown, body: Buffer.from(await answer.body.arrayBuffer()) }
}

/** What came of the next comparison. */
async function outcome (app: FastifyInstance, id: string, send: () => Promise<unknown>): Promise<string> {
  const backend = () => app.mirrors.get(id)?.backends[0] as BackendSnapshot
  const before = fates(backend())
  await send()
  let fate: string | undefined
  await until('the copy has ended', () => {
    const after = fates(backend())
    fate = Object.keys(after).find(name => after[name] > before[name])
    return fate
  })
  if (fate !== 'mismatched') return fate as string
  return kindsOf(app.mirrors.mismatches(id, { sort: 'newest' }))[0]
}

function fates ({ matched, mismatched, notCompared, failure }: BackendSnapshot): Record<string, number> {
  return { matched, mismatched, ...notCompared, ...failure }
}

const NEGOTIATING = ['accept-encoding', 'if-none-match']

for (const { mode, plugin } of modes) {
  t.test(`${mode}: registered first, before what codes and tags, it compares what the handler gave`, async t => {
    const { shadow, gateway } = await startTwice(t, ['mirror', 'compress', 'etag'], {
      removeHeaders: NEGOTIATING, compare: { detailedDiff: true, ignoreHeaders: ['etag'] }
    }, plugin)
    for (const path of Object.keys(handlers)) {
      const headers = { 'accept-encoding': 'gzip' }
      const first = await ask(shadow.url + path, headers)
      let answer
      t.equal(await outcome(gateway, path, async () => { answer = await ask(gateway.url + path, headers) }), 'matched', path)
      t.strictSame(answer, first, 'and the client gets what it would get without')
      if (first.headers.etag === undefined) continue

      const again = { ...headers, 'if-none-match': String(first.headers.etag) }
      t.match(await ask(shadow.url + path, again), { status: 304 })
      t.equal(await outcome(gateway, path, async () => { t.match(await ask(gateway.url + path, again), { status: 304 }) }), 'matched', `${path}, that the client has`)
    }
    t.equal(gunzipSync((await ask(gateway.url + '/string', { 'accept-encoding': 'gzip' })).body).toString(), TEXT)
    for (const mirror of Object.values(gateway.mirrors.list())) booksClose(t, mirror)
  })

  t.test(`${mode}: headers beyond ASCII are equal, however Node sends them`, async t => {
    const routes = (app: FastifyInstance, mirror: (id: string) => object) => {
      app.get('/text', mirror('text'), async (_, reply) => { reply.header('x-user', 'Jos\xe9'); return { ok: true } })
      app.get('/bytes', mirror('bytes'), async (_, reply) => { reply.header('x-user', 'Jos\xe9'); return Buffer.from('ok') })
      app.get('/nothing', mirror('nothing'), (_, reply) => { reply.header('x-user', 'Jos\xe9').send() })
      app.get('/stream', mirror('stream'), async (_, reply) => { reply.header('x-user', 'Jos\xe9'); return Readable.from(['o', 'k']) })
    }
    const shadow = await startGateway(t, { routes: app => routes(app, () => ({})) })
    const gateway = await startGateway(t, {
      plugin,
      routes: async app => {
        routes(app, id => ({ mirror: { id, backends: [shadow.url], compare: { enabled: true, detailedDiff: true } } }))
        await app.register(httpProxy, {
          upstream: shadow.url,
          prefix: '/proxied',
          config: { mirror: { id: 'proxied', backends: [shadow.url], compare: { enabled: true, detailedDiff: true } } }
        })
      }
    })
    for (const id of ['text', 'bytes', 'nothing', 'stream', 'proxied']) {
      const path = id === 'proxied' ? '/proxied/text' : `/${id}`
      t.equal(await outcome(gateway.app, id, () => ask(gateway.url + path)), 'matched', id)
    }
  })
}

t.test('on a plain route, of an app that codes and tags and has itself as a shadow', async t => {
  const gzip = { 'accept-encoding': 'gzip' }
  const cases: Array<[what: string, parts: Part[], mirror: Partial<MirrorOptions>, first: string, again: string]> = [
    ['the copy negotiates what the primary has not yet', ['mirror', 'compress', 'etag'], {}, 'matched', 'conditional'],
    ['which a diff can tell', ['mirror', 'compress', 'etag'], { compare: { detailedDiff: true } }, '200/200 content-encoding etag vary', 'conditional'],
    ['a copy without these headers does not', ['mirror', 'compress', 'etag'], { removeHeaders: NEGOTIATING }, 'matched', 'matched'],
    ['whichever of those comes first', ['mirror', 'etag', 'compress'], { removeHeaders: NEGOTIATING }, 'matched', 'matched'],
    ['compression may even come before', ['compress', 'mirror', 'etag'], { removeHeaders: NEGOTIATING }, 'matched', 'matched'],
    ['tags may not', ['etag', 'mirror', 'compress'], { removeHeaders: NEGOTIATING }, 'matched', 'conditional'],
    ['a hook of one\'s own comes after', ['mirror', 'own'], {}, '200/200 hash: off', '200/200 hash: off'],
    ['or before, where the shadow has it too', ['own', 'mirror'], {}, 'matched', 'matched']
  ]
  for (const [what, parts, mirror, first, again] of cases) {
    await t.test(`${what}: ${parts.join(', ')}`, async t => {
      const { gateway } = await startTwice(t, parts, mirror)
      let tag = '"none"'
      t.equal(await outcome(gateway, '/string', async () => {
        tag = String((await ask(gateway.url + '/string', gzip)).headers.etag ?? tag)
      }), first)
      t.equal(await outcome(gateway, '/string', () => ask(gateway.url + '/string', { ...gzip, 'if-none-match': tag })), again)
    })
  }
})

t.test('on a proxied route, it is the upstream\'s answer', async t => {
  let headers: Record<string, string> = { 'content-type': 'text/plain', 'x-upstream': '1' }
  const primary = await startBackend(t, (_, response) => response.writeHead(200, headers).end(TEXT))
  const shadow = await startBackend(t, (_, response) => response.writeHead(200, { 'content-type': 'text/plain', 'x-upstream': '1' }).end(TEXT))
  const proxied = (app: FastifyInstance) => app.register(httpProxy, {
    upstream: primary.url,
    replyOptions: { rewriteHeaders: ({ 'x-upstream': _, ...headers }) => ({ ...headers, 'x-gateway': '1' }) },
    config: { mirror: { id: 'proxied', backends: [shadow.url], compare: { enabled: true, detailedDiff: true } } }
  })

  await t.test('whatever codes, tags and changes it comes after', async t => {
    const gateway = await startApp(t, { parts: ['mirror', 'compress', 'etag', 'own'], routes: async app => { await proxied(app) } })
    let answer: Awaited<ReturnType<typeof ask>> | undefined
    t.equal(await outcome(gateway, 'proxied', async () => { answer = await ask(gateway.url, { 'accept-encoding': 'gzip' }) }), 'matched')
    t.match(answer, { status: 200, headers: { 'content-encoding': 'gzip', 'x-gateway': '1', 'x-own': '1', 'x-upstream': undefined } })
    t.equal(gunzipSync((answer as NonNullable<typeof answer>).body).toString(), TEXT)
  })

  await t.test('what changed the payload before is taken for the upstream\'s', async t => {
    const gateway = await startApp(t, {
      parts: [],
      routes: async app => {
        app.addHook('onSend', async (_request, _reply, payload) => {
          const chunks = []
          for await (const chunk of payload as Readable) chunks.push(chunk)
          return Buffer.concat(chunks).toString().toUpperCase()
        })
        await app.register(fastifyMirror)
        await proxied(app)
      }
    })
    t.equal(await outcome(gateway, 'proxied', () => ask(gateway.url)), '200/200 text')
  })

  await t.test('a tag that makes an answer of its own leaves nothing to compare', async t => {
    headers = { etag: '"1"' }
    const gateway = await startApp(t, { parts: ['mirror', 'etag'], routes: async app => { await proxied(app) } })
    t.equal(await outcome(gateway, 'proxied', async () => t.match(await ask(gateway.url, { 'if-none-match': '"1"' }), { status: 304 })), 'untapped')
  })
})

t.test('headers are the same however the upstream is asked', async t => {
  const list = ['Content-Type', 'text/plain', 'Vary', 'a', 'X-List', '1', 'x-list', '2', 'vary', 'b', 'Set-Cookie', 'a=1', 'set-cookie', 'b=2', 'x-latin', '\xe9']
  const backend = await startBackend(t, (_, response) => response.writeHead(200, list).end(TEXT))
  const upstream2 = http2.createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'text/plain', vary: 'a, b', 'x-list': '1, 2', 'set-cookie': ['a=1', 'b=2'], 'x-latin': '\xe9' })
    response.end(TEXT)
  })
  await once(upstream2.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => upstream2.close())
  const h2 = `http://127.0.0.1:${(upstream2.address() as AddressInfo).port}`

  for (const [how, options] of [
    ['undici', { upstream: backend.url, undici: {} }], ['Node\'s client', { upstream: backend.url, http: {} }], ['HTTP/2', { upstream: h2, http2: true }]
  ] as const) {
    const gateway = await startGateway(t, {
      routes: async app => {
        await app.register(httpProxy, {
          ...options, config: { mirror: { id: how, backends: [backend.url], compare: { enabled: true, detailedDiff: true } } }
        })
      }
    })
    t.equal(await outcome(gateway.app, how, () => ask(gateway.url)), 'matched', how)
    await gateway.app.close()
  }
})

t.test('what adds a hook to every route adds one to each', async t => {
  const app = Fastify()
  t.teardown(() => app.close())
  const hooks: unknown[][] = []
  app.addHook('onRoute', ({ method, onRequest }) => {
    if (method !== 'GET') return
    // As @fastify/compress does.
    hooks.push(onRequest as unknown[])
    ;(onRequest as unknown[]).push(async () => {})
  })
  await app.register(fastifyMirror, { admin: { onRequest: async () => {} } })
  await app.ready()
  t.ok(hooks.length > 1)
  t.equal(new Set(hooks).size, hooks.length, 'each has an array of its own')
})

t.test('a 304 that tells the length of what it stands for is complete', async t => {
  const shadow = await startBackend(t, (_, response) => response.writeHead(304, { 'content-length': 1000 }).end())
  const gateway = await startGateway(t, {
    routes: app => {
      app.get('/', { mirror: { id: 'a', backends: [shadow.url], compare: { enabled: true, detailedDiff: true } } }, (_, reply) => reply.code(304).send())
    }
  })
  for (let i = 0; i < 3; i++) t.equal(await outcome(gateway.app, 'a', () => ask(gateway.url)), 'matched')
  booksClose(t, gateway.mirror())
})
