import httpProxy from '@fastify/http-proxy'
import type { FastifyHttpProxyOptions } from '@fastify/http-proxy'
import replyFrom from '@fastify/reply-from'
import type { FastifyReplyFromHooks, FastifyReplyFromOptions } from '@fastify/reply-from'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import fc from 'fast-check'
import { goesUp } from '../lib/request/base-path'
import { REFUSED, startBackend } from './helpers/backend'
import { booksClose } from './helpers/books'
import { client, rawClient } from './helpers/client'
import { startGateway } from './helpers/gateway'
import { lacks, since } from './helpers/since'
import type { Since } from './helpers/since'
import { until } from './helpers/until'

type ReplyFrom = (source?: string, options?: FastifyReplyFromHooks) => FastifyReply

function refuse (): never {
  throw Object.assign(new Error('refused'), { statusCode: 421 })
}

/** Requests that a gateway answers without asking its primary. */
interface Refused {
  needs?: Since
  /** Of http-proxy. */
  proxy?: object
  /** Or of reply-from, for a plain route. */
  from?: FastifyReplyFromOptions
  /** Of the plain route. */
  handler?: (request: FastifyRequest, reply: FastifyReply) => unknown
  /** In place of `GET /x`. */
  head?: string
  status: number
}

const JSON_UPLOAD = 'POST /x HTTP/1.1\r\ncontent-type: application/x-parsed\r\ncontent-length: 2\r\nhost: h\r\n\r\n{}'

const refused: Record<string, Refused> = {
  'a path that leaves the prefix': {
    needs: since.refusal, proxy: {}, head: 'GET /api/..%2f..%2fadmin HTTP/1.1\r\nhost: h\r\n\r\n', status: 400
  },
  'and with a body': {
    needs: since.refusal,
    proxy: {},
    head: 'POST /api/..%2fadmin HTTP/1.1\r\nhost: h\r\ncontent-type: a/b\r\ncontent-length: 4\r\n\r\nbody',
    status: 400
  },
  getUpstream: { proxy: { upstream: '', replyOptions: { getUpstream: refuse } }, status: 421 },
  'getUpstream after a hook that takes its time': {
    proxy: { upstream: '', replyOptions: { getUpstream: refuse }, preHandler: async () => { await delay(2) } }, status: 421
  },
  'a preHandler': { proxy: { preHandler: async (_: unknown, reply: FastifyReply) => reply.code(403).send('no') }, status: 403 },
  preRewrite: { needs: since.preRewrite, proxy: { preRewrite: refuse }, status: 421 },
  queryString: { proxy: { replyOptions: { queryString: refuse } }, status: 421 },
  rewriteRequestHeaders: { proxy: { replyOptions: { rewriteRequestHeaders: refuse } }, status: 421 },
  'rewriteRequestHeaders that gives none': {
    proxy: { replyOptions: { rewriteRequestHeaders: () => undefined } }, status: 500
  },
  'a handler of http-proxy\'s that answers itself': {
    needs: since.handler, proxy: { handler: (_: unknown, reply: FastifyReply) => reply.code(403).send('no') }, status: 403
  },
  'a body that is no body': { from: {}, handler: (_, reply) => reply.from('/x'), head: JSON_UPLOAD, status: 500 },
  'a body that is no body, found out when it is sent': {
    from: { http: {} },
    handler: (_, reply) => reply.from('/x', { body: 3, contentType: 'a/b', rewriteRequestHeaders: plainHeaders } as FastifyReplyFromHooks),
    head: JSON_UPLOAD,
    status: 500
  },
  'what undici does not send': { proxy: {}, head: 'GET /api/x HTTP/1.1\r\nhost: h\r\nkeep-alive: 5\r\n\r\n', status: 500 },
  'nor with an onError that takes its time': {
    proxy: { replyOptions: { onError: (again: FastifyReply) => { setTimeout(() => again.code(503).send('no'), 2) } } },
    head: 'GET /api/x HTTP/1.1\r\nhost: h\r\nkeep-alive: 5\r\n\r\n',
    status: 503
  },
  'a path that reply.from refuses': { needs: since.refusal, from: {}, handler: (_, reply) => reply.from('/../x'), status: 400 },
  'and a handler that then answers': {
    needs: since.refusal,
    from: {},
    handler: async (_, reply) => {
      try {
        return reply.from('/../x')
      } catch {
        return 'sorry'
      }
    },
    status: 200
  },
  'another plugin\'s wrapper of reply.from': {
    from: {}, handler: (_, reply) => reply.from('/refused-by-another'), status: 451
  }
}

function plainHeaders (_request: unknown, { host }: { host?: string }): object {
  return { host }
}

/** As another plugin would: refuses some, and takes its time with others. */
function wrapFrom (reply: FastifyReply): void {
  const from = reply.from as ReplyFrom
  ;(reply as { from: unknown }).from = function (this: FastifyReply, source?: string, options?: FastifyReplyFromHooks) {
    if (source === '/refused-by-another') return this.code(451).send('no')
    if (source !== '/slow') return from.call(this, source, options)
    return delay(2).then(() => from.call(this, '/slowly', options))
  }
}

function plainRoute (app: FastifyInstance, base: string, shadow: string, options: FastifyReplyFromOptions, handler: Refused['handler']): void {
  app.register(replyFrom, { ...options, base })
  app.addContentTypeParser('application/x-parsed', { parseAs: 'string' }, (_request, body, done) => done(null, JSON.parse(String(body))))
  app.addHook('preHandler', async (_, reply) => wrapFrom(reply))
  app.all('/*', { mirror: { backends: [shadow], compare: { enabled: true } } }, handler as () => unknown)
}

t.test('what a gateway refuses to ask its primary is asked of no shadow, and is unhandled', async t => {
  const primary = await startBackend(t)
  const shadow = await startBackend(t)
  for (const [name, { needs, proxy, from, handler, head, status }] of Object.entries(refused)) {
    const skip = lacks(needs)
    if (skip) {
      t.pass(name, { skip })
      continue
    }
    const gateway = await startGateway(t, {
      routes: async app => {
        if (from !== undefined) return plainRoute(app, primary.url, shadow.url, from, handler)
        await app.register(httpProxy, {
          upstream: primary.url,
          prefix: '/api',
          ...proxy,
          config: { mirror: { backends: [`${shadow.url}/shadow`], compare: { enabled: true } } }
        } as FastifyHttpProxyOptions)
      }
    })
    const raw = await rawClient(t, gateway.port, head ?? 'GET /api/x HTTP/1.1\r\nhost: h\r\n\r\n')
    t.match(await raw.until(/\r\n\r\n/), new RegExp(`^HTTP/1.1 ${status}`), name)
    raw.socket.destroy()
    await until('it is over', () => gateway.mirror().pending === 0)
    t.match(gateway.mirror(), { seen: 1, mirrored: 0, unhandled: 1, backends: [{ offered: 0 }] }, name)
    booksClose(t, gateway.mirror())
    await gateway.app.close()
  }
  t.same([primary.requests, shadow.requests], [[], []])
})

t.test('nor is it a drop where no backend takes a copy', { skip: lacks(since.refusal) }, async t => {
  const primary = await startBackend(t)
  const gateway = await startGateway(t, {
    routes: async app => {
      const mirror = { backends: [REFUSED.url], breaker: { failures: 1, cooldown: 600_000 } }
      await app.register(httpProxy, { upstream: primary.url, prefix: '/api', config: { mirror } })
    }
  })
  const send = client(t, gateway.url)
  t.equal((await send({ path: '/api/x' })).status, 200)
  await until('the breaker is open', () => gateway.backend().breaker === 'open')
  t.equal((await send({ path: '/api/..%2fx' })).status, 400)
  t.equal((await send({ path: '/api/x' })).status, 200)
  t.match(gateway.mirror(), { seen: 3, unhandled: 1, mirrored: 2, backends: [{ offered: 2, dropped: { breaker: 1 } }] })
})

t.test('a plain route whose handler never calls reply.from is mirrored, whatever it answers', async t => {
  const primary = await startBackend(t)
  const shadow = await startBackend(t)
  const gateway = await startGateway(t, {
    routes: app => plainRoute(app, primary.url, shadow.url, {}, async ({ url }) => url === '/throws' ? refuse() : 'ok')
  })
  const send = client(t, gateway.url)
  t.equal((await send({ path: '/throws' })).status, 421)
  t.equal((await send({ path: '/answers' })).status, 200)
  await until('both are compared', () => gateway.backend().compared === 2)
  t.same(shadow.requests.map(({ url }) => url).sort(), ['/answers', '/throws'])
})

t.test('a copy waits for another plugin\'s wrapper of reply.from, as the primary\'s request does', async t => {
  const primary = await startBackend(t)
  const shadow = await startBackend(t)
  const gateway = await startGateway(t, {
    routes: app => plainRoute(app, primary.url, shadow.url, {}, (_, reply) => reply.from('/slow'))
  })
  t.equal((await client(t, gateway.url)({ path: '/x?q' })).status, 200)
  await until('it is compared', () => gateway.backend().matched === 1)
  t.equal(primary.requests[0].url, '/slowly?q')
  // The path as this plugin heard it: what another makes of it behind is not known.
  t.equal(shadow.requests[0].url, '/slow?q')
})

t.test('the path of a backend\'s URL is left by no dot segment, however it is written', async t => {
  const plain = ['/', '/a/b.c/..d/...', '/a?/../x', '/%20/%C3%A4/%', '/.well-known/x;a=..', '/a%252fb', '/.hidden/.']
  for (const path of plain) t.notOk(goesUp(path), path)
  const up = [
    '/..', '/a/../b', '/%2e%2E/x', '/.%2e/', '/%252e%252e/x', '/%25%32%65./', '/..%2fx', '/..\\x', '/a%5c..%5c', '/..;a=b/x', '/%2e%2e%3bx/', '/..%00x', '/.%09./',
    '/..%3fx', '/%c0%ae%c0%ae%c0%af', `/%${'25'.repeat(20)}2e./`
  ]
  for (const path of up) t.ok(goesUp(path), path)
  // As servers do, in any order and number.
  const steps: Record<string, (path: string) => string> = {
    decode: path => path.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(parseInt(hex, 16))),
    backslashes: path => path.replaceAll('\\', '/'),
    parameters: path => path.replace(/;[^/]*/g, ''),
    slashes: path => path.replace(/\/{2,}/g, '/'),
    resolve: path => {
      const kept: string[] = []
      for (const segment of path.split('/')) {
        if (segment === '..') kept.pop()
        else if (segment !== '.') kept.push(segment)
      }
      return kept.join('/')
    }
  }
  const piece = fc.constantFrom('.', '..', '/', '\\', ';', '%', '2', 'e', 'E', '5', '%2e', '%2f', '%5c', '%25', '%252e', '%32', '%65', 'a', '%3b', '?')
  const made = fc.tuple(fc.array(piece, { maxLength: 12 }), fc.array(fc.constantFrom(...Object.keys(steps)), { maxLength: 6 }))
  fc.assert(fc.property(made, ([pieces, names]) => {
    const path = '/' + pieces.join('')
    if (goesUp(path)) return
    let read = '/tenants/blue' + path.split('?')[0]
    for (const name of names) read = steps[name](read)
    return read.startsWith('/tenants/blue')
  }), { numRuns: 2_000 })

  const primary = await startBackend(t)
  const shadow = await startBackend(t)
  const gateway = await startGateway(t, {
    routes: app => { app.get('/*', { mirror: { backends: [`${primary.url}/tenants/blue`, shadow.url] } }, async () => 'ok') }
  })
  for (const path of ['/%2e%2e/green', '/x']) await (await rawClient(t, gateway.port, `GET ${path} HTTP/1.1\r\nhost: h\r\n\r\n`)).until(/ok/)
  await until('all copies are there', () => shadow.requests.length === 2 && primary.requests.length === 1)
  t.equal(primary.requests[0].url, '/tenants/blue/x')
  t.match(gateway.backend(), { offered: 2, dropped: { path: 1 } })
  booksClose(t, gateway.mirror())
})
