import httpProxy from '@fastify/http-proxy'
import type { FastifyHttpProxyOptions } from '@fastify/http-proxy'
import replyFrom from '@fastify/reply-from'
import type { FastifyReplyFromHooks } from '@fastify/reply-from'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { IncomingHttpHeaders } from 'node:http'
import t from 'tap'
import type { Test } from 'tap'
import { goesUp } from '../lib/request/base-path'
import { HeadRules, clientHost } from '../lib/mirror/head-rules'
import { proxiedPath } from '../lib/proxy/path'
import { originForm } from '../lib/request-target'
import type { MirrorOptions } from '../types/index'
import { startBackend } from './helpers/backend'
import { booksClose } from './helpers/books'
import { client, rawClient } from './helpers/client'
import { startGateway } from './helpers/gateway'
import type { Gateway } from './helpers/gateway'
import { lacks, since } from './helpers/since'
import type { Since } from './helpers/since'
import { until } from './helpers/until'

/** A shadow, and a gateway whose route `GET /*` mirrors to it. */
async function plain (t: Test, options: Omit<MirrorOptions, 'backends'>, path = '') {
  const shadow = await startBackend(t)
  const seen: FastifyRequest['headers'][] = []
  const gateway = await startGateway(t, {
    routes: app => {
      app.get('/*', { mirror: { ...options, backends: [shadow.url + path] } }, async request => {
        seen.push(request.headers)
        return 'ok'
      })
    }
  })
  return { shadow, gateway, seen }
}

async function get (t: Test, gateway: Gateway, head: string): Promise<string> {
  const raw = await rawClient(t, gateway.port, head.replace(/\n/g, '\r\n') + '\r\n\r\n')
  return raw.until(/\r\n\r\n/)
}

function headerPairs (rawHeaders: string[]): string[] {
  return rawHeaders.flatMap((name, i) => i % 2 === 0 ? [`${name}: ${rawHeaders[i + 1]}`] : [])
}

t.test('end-to-end headers are copied in order and in their spelling, repeated ones kept; no others', async t => {
  const { shadow, gateway } = await plain(t, {})
  await get(t, gateway, `GET / HTTP/1.1
Host: Asked.Test:81
X-Twice: 1
Accept: */*
x-TWICE: 2
Connection: keep-alive, X-Named ,x-other,,content-type
X-Named: 1
x-OTHER: 2
Content-Type: a/b
Keep-Alive: timeout=5
Proxy-Connection: keep-alive
TE: trailers
Trailer: x-t
Upgrade: h2c
HTTP2-Settings: AAA
Proxy-Authorization: Basic x
Proxy-Authenticate: x
Expect: 100-continue
Authorization: Bearer t
Cookie: a=1
Cookie: b=2
X-Latin: \xe4\xf6\xff
X-Empty:
X-Mirrored: from`)
  await until('the copy is there', () => shadow.requests.length === 1)
  t.same(headerPairs(shadow.requests[0].rawHeaders), [
    `host: ${shadow.host}`,
    'connection: keep-alive',
    'X-Twice: 1',
    'Accept: */*',
    'x-TWICE: 2',
    'Authorization: Bearer t',
    'Cookie: a=1',
    'Cookie: b=2',
    'X-Latin: \xe4\xf6\xff',
    'X-Empty: ',
    'X-Mirrored: from',
    'x-mirrored-from: Asked.Test:81'
  ])
})

t.test('the framing of a request whose body nobody reads is not copied', async t => {
  const { shadow, gateway } = await plain(t, {})
  for (const framing of ['Content-Length: 4\n\nbody', 'Transfer-Encoding: chunked\n\n4\nbody\n0']) {
    await get(t, gateway, `GET /?${shadow.requests.length} HTTP/1.1\nHost: h\n${framing}`)
    await until('the copy is answered', () => gateway.backend().success === shadow.requests.length && shadow.requests.length > 0)
    const { headers, body } = shadow.requests.at(-1) as { headers: IncomingHttpHeaders, body: Buffer }
    t.notOk(headers['content-length'] ?? headers['transfer-encoding'])
    t.equal(body.length, 0)
  }
  t.equal(shadow.requests.length, 2)
})

t.test('the mark is what the client asked for; the Host is the backend\'s, unless the client\'s is preserved', async t => {
  const heads = { 'HTTP/1.1\nHost: asked.test': 'asked.test', 'HTTP/1.1\nHost:': '', 'HTTP/1.0': undefined }
  for (const preserveHost of [false, true]) {
    const { shadow, gateway } = await plain(t, { preserveHost })
    for (const [head, asked] of Object.entries(heads)) {
      const count = shadow.requests.length
      await get(t, gateway, `GET / ${head}`)
      await until('the copy is there', () => shadow.requests.length === count + 1)
      const { host, 'x-mirrored-from': mark } = shadow.requests[count].headers
      t.equal(mark, asked ?? 'unknown')
      t.equal(host, preserveHost ? asked ?? shadow.host : shadow.host)
    }
  }
})

t.test('headers to be removed are, in any case, and only from the copy', async t => {
  const { shadow, gateway, seen } = await plain(t, { removeHeaders: ['Authorization', 'x-secret', 'X-Mirrored-From', 'host'] })
  await get(t, gateway, 'GET / HTTP/1.1\nHost: h\nauthorization: a\nX-SECRET: b\nx-kept: c')
  await until('the copy is there', () => shadow.requests.length === 1)
  t.same(shadow.requests[0].headers, { host: shadow.host, connection: 'keep-alive', 'x-kept': 'c', 'x-mirrored-from': 'h' })
  t.match(seen[0], { authorization: 'a', 'x-secret': 'b', 'x-kept': 'c' })
  t.notOk('x-mirrored-from' in seen[0])
})

t.test('rewriteRequestHeaders rewrites the copy alone, once a backend, before framing, Host and mark', async t => {
  const shadows = [await startBackend(t), await startBackend(t)]
  const calls: IncomingHttpHeaders[] = []
  const seen: FastifyRequest['headers'][] = []
  const gateway = await startGateway(t, {
    routes: app => {
      app.post('/', {
        mirror: {
          backends: shadows.map(({ url }) => url),
          removeHeaders: ['x-removed'],
          rewriteRequestHeaders (request, headers) {
            calls.push(structuredClone(headers))
            headers['x-round'] = String(calls.length)
            headers['x-of'] = request.method
            headers['x-many'] = ['1', '2']
            headers['x-number'] = 3 as unknown as string
            headers['content-length'] = '999'
            headers['transfer-encoding'] = 'gzip'
            headers.connection = 'x-many'
            headers.expect = '100-continue'
            headers.host = 'elsewhere.test'
            headers['x-mirrored-from'] = 'nobody'
            headers['x-removed'] = 'but added'
            headers['x-undefined'] = undefined
            headers['x-named'] = 'hop by hop'
            delete headers['x-deleted']
            return headers
          }
        }
      }, async request => {
        seen.push(request.headers)
        return 'ok'
      })
    }
  })
  const headers = { host: 'asked.test', 'content-type': 'text/plain', 'x-deleted': 'd', 'x-removed': 'r', connection: 'x-named', 'x-named': 'n' }
  await client(t, gateway.url)({ method: 'POST', headers, body: 'body' })
  await until('both copies are there', () => shadows.every(({ requests }) => requests[0]?.body != null))
  for (const [i, { requests, host }] of shadows.entries()) {
    t.same(headerPairs(requests[0].rawHeaders), [
      `host: ${host}`,
      'connection: keep-alive',
      'content-type: text/plain',
      `x-round: ${i + 1}`,
      'x-of: POST',
      'x-many: 1',
      'x-many: 2',
      'x-number: 3',
      'x-mirrored-from: asked.test',
      'content-length: 4'
    ])
    t.equal(String(requests[0].body), 'body')
  }
  const original = { ...headers, 'content-length': '4' }
  t.same(calls, [original, original])
  t.same(seen, [original])
})

t.test('a rewriteRequestHeaders that fails, or makes what can not be sent, drops the copy and nothing else', async t => {
  const shadow = await startBackend(t)
  const rewrites: Record<string, (request: FastifyRequest, headers: IncomingHttpHeaders) => unknown> = {
    throws: () => { throw new Error('mine') },
    nothing: () => undefined,
    null: () => null,
    text: () => 'text',
    promise: async (_, headers) => headers,
    rejects: async () => { throw new Error('mine, later') },
    lineBreak: () => ({ 'x-a': 'a\r\nx-b: b' }),
    noName: () => ({ 'x a': 'a' }),
    object: () => ({ 'x-a': {} })
  }
  const gateway = await startGateway(t, {
    routes: app => {
      for (const [id, rewriteRequestHeaders] of Object.entries(rewrites)) {
        // Not async by its declaration: that would be refused at registration.
        const rewrite = (request: FastifyRequest, headers: IncomingHttpHeaders) => rewriteRequestHeaders(request, headers)
        const mirror = { id, backends: [shadow.url], rewriteRequestHeaders: rewrite as () => IncomingHttpHeaders }
        app.post(`/${id}`, { mirror }, async request => request.body)
      }
    }
  })
  const send = client(t, gateway.url)
  for (const id of Object.keys(rewrites)) {
    const answer = await send({ method: 'POST', path: `/${id}`, headers: { 'content-type': 'text/plain' }, body: 'body' })
    t.equal(String(answer.body), 'body')
    await until('the copy is dropped', () => gateway.mirror(id).backends[0].dropped.error === 1)
    t.match(gateway.mirror(id).backends[0], { total: 0, inFlight: 0 }, id)
    booksClose(t, gateway.mirror(id))
    const [line] = gateway.log.filter(({ mirror }) => mirror === id)
    t.match(line, { msg: /^(rewriteRequestHeaders failed|the copy can not be sent)$/, err: { message: String } })
  }
  t.same(shadow.requests, [])
})

t.test('what the rules do not need to look at, they let pass', async t => {
  const rules = new HeadRules(['x-removed'])
  const head = (rawHeaders: string[], connection?: string) => ({ rawHeaders, headers: { connection } })
  t.same(rules.endToEnd(head(['a', '1', 'A', '2', 'Te', '3', 'x-Removed', '4']), false), ['a', '1', 'A', '2'])
  t.same(rules.endToEnd(head(['a', '1', 'b', '2'], 'B,C'), false), ['a', '1'])
  t.same(rules.endToEnd(head(['cookie', 'a', 'x', 'y', 'cookie', 'b'], 'close'), true), ['cookie', 'a; b', 'x', 'y'])
  t.same(rules.endToEnd(head(['cookie', 'a', 'cookie', 'b'], 'keep-alive'), false), ['cookie', 'a', 'cookie', 'b'])
  t.same(rules.endToEnd(head([':method', 'GET', 'x'.repeat(300), '1']), true), ['x'.repeat(300), '1'])
  t.equal(clientHost({ host: 'a', ':authority': 'b' } as IncomingHttpHeaders), 'a')
  t.equal(clientHost({ ':authority': 'b' } as IncomingHttpHeaders), 'b')
  t.equal(clientHost({}), undefined)
})

t.test('a Connection header that names thousands costs no more than its length', async t => {
  const names = Array.from({ length: 40_000 }, (_, i) => `x${i}`)
  const rawHeaders = names.flatMap(name => [`y${name}`, '1'])
  const start = performance.now()
  t.equal(new HeadRules([]).endToEnd({ rawHeaders, headers: { connection: names.join() } }, false).length, rawHeaders.length)
  // Each against each would be 1.6 billion comparisons.
  t.ok(performance.now() - start < 3000)
})

/** Request targets as a client may put them. */
const TARGETS = [
  '/', '/a', '/a/', '/a//b', '//a', '//', '/a/b//', '/%2F', '/a%2Fb', '/%2e', '/a/%2E/b', '/a/./b', '/./a', '/a/.', '/.hidden', '/a/.b',
  '/...', '/a..b', '/a;b=c', '/a:b@c', "/a'b", '/a"b', '/a|b', '/a^b', '/a[b]', '/a{b}', '/a`b', '/a<b>', '/a\\b', '/a%00', '/%E4%F6',
  '/%c3%a4', '/~a', '/a!$&()*+,', '/a?', '/a?b', '/a?b?c', '/a?b=c&d=%20e&f=%zz', "/a?b='c'", '/a?/../b', '/a?b=[c]', '/a?b#c', '/a#c',
  '/a%23b', '/a%3Fb', '/\xe4', '/a?\xe4', 'http://other.test/a?b', 'http://other.test', 'http://other.test?b', '/..', '/../a', '/a/..',
  '/a/../b', '/%2e%2e/a', '/a/%2e%2E', '/..%2fa', '/%zz', '/http://other.test/a', '/a?http://other.test/b'
]

t.test('a plain route\'s copy has the request\'s own path, byte for byte, behind the backend\'s', async t => {
  const { shadow, gateway } = await plain(t, {}, '/base/of/it/')
  let ups = 0
  for (const target of TARGETS) {
    const count = shadow.requests.length
    const answer = await get(t, gateway, `GET ${target} HTTP/1.1\nHost: h`)
    // What is no path is refused by Node or by the router.
    if (answer.startsWith('HTTP/1.1 400')) {
      t.match(target, /\xe4|^\/%E4%F6$|^\/%zz$/)
      continue
    }
    if (goesUp(originForm(target))) {
      ups++
      t.equal(gateway.backend().dropped.path, ups, target)
      continue
    }
    await until('the copy is there', () => shadow.requests.length === count + 1)
    t.equal(shadow.requests[count].url, '/base/of/it' + originForm(target), target)
  }
})

interface Proxy extends Partial<FastifyHttpProxyOptions> { path?: string, needs?: Since }

t.test('a proxied copy has the path and query that the primary\'s request has', async t => {
  const upstreams: Record<string, Proxy> = {
    whole: {},
    prefix: { prefix: '/api' },
    rewritePrefix: { prefix: '/api', rewritePrefix: '/v2' },
    'upstream with a path': { prefix: '/api', path: '/base' },
    'upstream with a path and a slash': { prefix: '/api/', path: '/base/' },
    'prefix with a parameter': { prefix: '/:tenant/x', rewritePrefix: '/t/:tenant' },
    'node:http': { undici: false as unknown as undefined, http: {} },
    'no cache': { disableCache: true },
    getUpstream: { upstream: '', replyOptions: { getUpstream: () => primary.url } },
    'getUpstream with a path': { upstream: '', rewritePrefix: '/up/', replyOptions: { getUpstream: () => `${primary.url}/up/` } },
    queryString: { replyOptions: { queryString: search => search === '' ? 'none' : 'other=ä'.replace('ä', encodeURIComponent('ä')) } },
    'no query': { needs: since.emptyQuery, replyOptions: { queryString: () => '' } },
    'query of an object': { replyOptions: { queryString: { a: 'ä b&c', list: ['1', '2'], n: 1, no: false } as unknown as Record<string, string> } },
    'query of no object': { needs: since.emptyQuery, replyOptions: { queryString: 'a=b' as unknown as Record<string, string> } },
    'query of an empty object': { needs: since.emptyQuery, replyOptions: { queryString: {} } },
    'falsy options': {
      replyOptions: { getUpstream: null, queryString: null, onError: null } as unknown as FastifyReplyFromHooks
    },
    preRewrite: { needs: since.preRewrite, preRewrite: (url: string) => url.replace('/a', '/rewritten') }
  }
  const primary = await startBackend(t)
  const shadow = await startBackend(t)
  for (const [name, { needs, path = '', ...options }] of Object.entries(upstreams)) {
    const skip = lacks(needs)
    if (skip) {
      t.pass(name, { skip })
      continue
    }
    const gateway = await startGateway(t, {
      routes: async app => {
        const upstream = options.upstream ?? primary.url + path
        const mirror = { backends: [`${shadow.url}/shadow`], compare: { enabled: true } }
        await app.register(httpProxy, { ...options, upstream, config: { mirror } } as FastifyHttpProxyOptions)
      }
    })
    const prefix = options.prefix?.replace('/:tenant', '/me').replace(/\/$/, '') ?? ''
    let proxied = 0
    for (const target of TARGETS) {
      const [asked, sent] = [primary.requests.length, shadow.requests.length]
      const { mirrored, backends: [{ dropped: { path: refused } }] } = gateway.mirror()
      const path = target.startsWith('/') ? prefix + target : target
      await get(t, gateway, `GET ${path} HTTP/1.1\nHost: h`)
      if (gateway.mirror().mirrored === mirrored) continue
      // Earlier versions of reply-from send a path that no backend with a base path gets.
      if (gateway.backend().dropped.path > refused) continue
      await until('the copy is there', () => shadow.requests.length === sent + 1)
      if (primary.requests.length > asked) proxied++
      const expected = primary.requests.length > asked ? primary.requests[asked].url : originForm(path)
      // A fragment is neither path nor query; reply-from hands it on.
      t.equal(shadow.requests[sent].url, '/shadow' + expected.replace(/#.*/, ''), `${name}: ${target}`)
    }
    t.ok(proxied > TARGETS.length / 2, `${proxied} were proxied`)
    await gateway.app.close()
  }
})

t.test('reply.from, called in any way', async t => {
  const primary = await startBackend(t, ({ url, headers }, response) => {
    response.statusCode = headers['x-status'] === undefined ? 200 : 404
    response.end(url)
  })
  const shadow = await startBackend(t, ({ url }, response) => response.end(url))
  type Handler = (this: { url: string }, request: FastifyRequest, reply: FastifyReply) => unknown
  const cases: Record<string, { needs?: Since, base?: string | string[], handler: Handler, status?: number, to: string }> = {
    'without a source': { base: primary.url, handler: (_, reply) => reply.from(), to: '/without%20a%20source?q' },
    'with an empty one': { base: primary.url, handler: (_, reply) => reply.from(''), to: '/with%20an%20empty%20one?q' },
    'with a query of its own': { base: primary.url, handler: (_, reply) => reply.from('/x?own'), to: '/x?own' },
    relative: { base: `${primary.url}/a/b/`, handler: (_, reply) => reply.from('c/d'), to: '/a/b/c/d?q' },
    'relative with odd characters': { base: `${primary.url}/a/`, handler: (_, reply) => reply.from('ä b'), to: '/a/%C3%A4%20b?q' },
    'two slashes': { base: primary.url, handler: (_, reply) => reply.from('//x'), to: '//x?q' },
    'a whole URL': { handler: (_, reply) => reply.from(`${primary.url}/whole?own`), to: '/whole?own' },
    'options that inherit': {
      base: primary.url,
      handler: (_, reply) => reply.from('/x', Object.freeze(new class {
        readonly #search: string = 'theirs'
        get onError () { return this.#search === '' ? undefined : () => {} }
        rewriteRequestHeaders (_request: unknown, headers: object) { return { ...headers, 'x-status': '404' } }
        queryString () { return this.#search }
      }()) as object),
      status: 404,
      to: '/x?theirs'
    },
    'one of several bases': { needs: since.severalBases, base: [`${primary.url}/one/`], handler: (_, reply) => reply.from('x'), to: '/one/x?q' },
    'getUpstream gives several': {
      needs: since.severalBases,
      handler: (_, reply) => reply.from('x', { getUpstream: () => [`${primary.url}/two/`] as unknown as string }),
      to: '/two/x?q'
    },
    'with null': { base: primary.url, handler: (_, reply) => reply.from('/x', null as unknown as undefined), to: '/x?q' },
    later: {
      base: primary.url,
      handler: async (_, reply) => {
        await new Promise(setImmediate)
        return reply.from('/later')
      },
      to: '/later?q'
    },
    twice: {
      base: primary.url,
      handler: (_, reply) => reply.from('/first', {
        onResponse: (_request, again, response) => {
          (response as unknown as { stream: { resume: () => void } }).stream.resume()
          ;(again as unknown as FastifyReply).from('/second')
        }
      }),
      to: '/first?q'
    },
    never: { base: primary.url, handler: async () => 'never', to: '/never?q' },
    'throwing, then again': {
      needs: since.refusal,
      base: primary.url,
      handler: (_, reply) => {
        try {
          return reply.from('/../x')
        } catch {
          return reply.from('/caught')
        }
      },
      to: '/caught?q'
    },
    'through a wrapper of another plugin': {
      base: primary.url,
      handler: (_, reply) => reply.from('/wrapped'),
      to: '/other-plugin/wrapped?q'
    }
  }
  for (const [name, { needs, base, handler, status = 200, to }] of Object.entries(cases)) {
    const skip = lacks(needs)
    if (skip) {
      t.pass(name, { skip })
      continue
    }
    const gateway = await startGateway(t, {
      routes: app => {
        app.register(replyFrom, { base: base as string })
        app.register(async app => {
          app.addHook('preHandler', async (_, reply) => {
            if (!name.startsWith('through')) return
            const { from } = reply
            reply.from = function (source, options) { return from.call(this, `/other-plugin${source}`, options) }
          })
          app.get('/*', { mirror: { backends: [shadow.url], compare: { enabled: true } } }, handler as () => unknown)
        })
      }
    })
    const [asked, sent] = [primary.requests.length, shadow.requests.length]
    const answer = await client(t, gateway.url)({ path: `/${encodeURIComponent(name)}?q` })
    t.equal(answer.status, status, name)
    await until('the copy is compared', () => gateway.backend().compared === 1)
    t.equal(shadow.requests.length, sent + 1)
    t.equal(shadow.requests[sent].url, name.startsWith('through') ? '/wrapped?q' : to, name)
    if (name.startsWith('through')) t.equal(primary.requests[asked].url, to)
    t.match(gateway.mirror(), { mirrored: 1, unhandled: 0, pending: 0 })
    await gateway.app.close()
  }
})

t.test('options of reply.from that are one object, and change, count as they are at each call', async t => {
  const primary = await startBackend(t)
  const shadow = await startBackend(t)
  const options: Record<string, unknown> = {}
  const gateway = await startGateway(t, {
    routes: app => {
      app.register(replyFrom, { base: primary.url })
      app.after(() => app.get('/', { mirror: { backends: [shadow.url] } }, (_, reply) => reply.from('/x', options)))
    }
  })
  const changes: Array<[change: () => void, to: string]> = [
    [() => {}, '/x?q'],
    [() => {}, '/x?q'],
    [() => { options.queryString = { a: 1 } }, '/x?a=1'],
    [() => { options.queryString = { a: 2 } }, '/x?a=2'],
    [() => { options.queryString = () => 'f' }, '/x?f'],
    [() => { delete options.queryString }, '/x?q']
  ]
  const send = client(t, gateway.url)
  for (const [i, [change, to]] of changes.entries()) {
    change()
    await send({ path: '/?q' })
    await until('the copy is there', () => shadow.requests.length === i + 1)
    t.same([primary.requests[i].url, shadow.requests[i].url], [to, to])
  }
})

t.test('what the primary is asked again, the shadow is asked once', async t => {
  let asked = 0
  const primary = await startBackend(t, (_, response) => {
    if (asked++ === 0) response.statusCode = 503
    response.end('ok')
  })
  const shadow = await startBackend(t)
  const gateway = await startGateway(t, {
    routes: async app => {
      await app.register(httpProxy, { upstream: primary.url, config: { mirror: { backends: [shadow.url], compare: { enabled: true } } } })
    }
  })
  t.equal((await client(t, gateway.url)({})).status, 200)
  await until('the copy is compared', () => gateway.backend().compared === 1)
  t.equal(asked, 2)
  t.equal(shadow.requests.length, 1)
  t.equal(gateway.backend().matched, 1)
})

t.test('what the client library refuses to send is dropped, and logged', async t => {
  const shadow = await startBackend(t)
  const gateway = await startGateway(t, {
    routes: app => { app.options('*', { mirror: { backends: [shadow.url] } }, async () => 'ok') }
  })
  t.match(await get(t, gateway, 'OPTIONS * HTTP/1.1\nHost: h'), /^HTTP\/1.1 200/)
  await until('the copy is dropped', () => gateway.backend().dropped.error === 1)
  t.match(gateway.mirror(), { mirrored: 1, backends: [{ offered: 1, total: 0, inFlight: 0 }] })
  t.match(gateway.log.at(-1), { msg: 'the copy can not be sent', mirror: 'options-any', backend: shadow.host, err: { code: 'UND_ERR_INVALID_ARG' } })
  booksClose(t, gateway.mirror())
})

t.test('an app that rewrites URLs mirrors what it made of them', async t => {
  const shadow = await startBackend(t)
  const gateway = await startGateway(t, {
    server: { rewriteUrl: request => (request.url as string).replace('/old', '/new') },
    routes: app => {
      app.get('/new/*', { mirror: { backends: [shadow.url], conditions: { pathRegex: '^/new/' } } }, async () => 'ok')
    }
  })
  await client(t, gateway.url)({ path: '/old/a?/old' })
  await until('the copy is there', () => shadow.requests.length === 1)
  t.equal(shadow.requests[0].url, '/new/a?/old')
})

t.test('a path that can not be is reply.from\'s to refuse', async t => {
  t.throws(() => proxiedPath('http://', undefined, undefined, '/'), TypeError)
  t.equal(proxiedPath(undefined, undefined, '', '/a?b'), '/a')
  t.equal(proxiedPath(undefined, 'http://h', 'c', '/a'), '/a?c')
})
