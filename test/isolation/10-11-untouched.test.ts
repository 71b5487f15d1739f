import httpProxy from '@fastify/http-proxy'
import Fastify from 'fastify'
import t from 'tap'
import type { Test } from 'tap'
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteHandlerMethod } from 'fastify'
import net from 'node:net'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { ReadableStream } from 'node:stream/web'
import fastifyMirror from '../../lib'
import type { MirrorOptions } from '../../types/index'
import { startBackend, startTcp } from '../helpers/backend'
import { booksClose } from '../helpers/books'
import { modes } from '../helpers/gateway'
import { shadowOf } from '../helpers/shadows'
import { until } from '../helpers/until'

t.test('rule 10: a route without a mirror gets no hook beside the one onSend', async t => {
  const build = async (mirrored: boolean) => {
    const app = Fastify()
    t.teardown(() => app.close())
    if (mirrored) await app.register(fastifyMirror, { admin: false })
    app.addHook('preHandler', async function ofSomebody () {})
    app.get('/a', async () => 'ok')
    app.post('/a', { onError: async function own () {} }, async () => 'ok')
    await app.register(httpProxy, { upstream: 'http://127.0.0.1:1', prefix: '/b' })
    await app.ready()
    return app.printRoutes({ includeHooks: true, commonPrefix: false })
  }
  const plain = await build(false)
  const mirrored = await build(true)
  const added = /^[ │]*• \(onSend\) \["onSend\(\)"\]\n/mg
  t.equal(mirrored.match(added)?.length, 5, 'it is there')
  t.equal(mirrored.replace(added, '').replaceAll('"onSend()",', ''), plain)
})

t.test('rule 10: a request to a route without a mirror is left alone', async t => {
  const primary = await startBackend(t)
  const shapes: object[] = []
  const keysOf = (value: object) => [Object.getOwnPropertyNames(value).sort(), Object.getOwnPropertySymbols(value).map(String).sort()]
  const look = (request: FastifyRequest, reply: FastifyReply) => {
    const listeners = [request.raw, request.raw.socket, reply.raw].map(emitter =>
      emitter.eventNames().map(name => [String(name), emitter.listenerCount(name)]))
    shapes.push([keysOf(request.raw), keysOf(reply.raw), keysOf(reply), listeners])
  }
  const handlers: RouteHandlerMethod[] = []
  const handler: RouteHandlerMethod = async (request, reply) => {
    look(request, reply)
    return 'ok'
  }
  const build = async (mirrored: boolean) => {
    const app = Fastify()
    t.teardown(() => app.close())
    if (mirrored) await app.register(fastifyMirror, {})
    app.addHook('onRoute', route => { handlers.push(route.handler) })
    app.addHook('onResponse', async (request, reply) => look(request, reply))
    app.post('/a', handler)
    if (mirrored) app.post('/b', { mirror: { id: 'b', backends: [primary.url] } }, async () => 'ok')
    await app.register(httpProxy, { upstream: primary.url, prefix: '/c', preHandler: (request, reply, done) => { look(request, reply); done() } })
    await app.listen({ port: 0, host: '127.0.0.1' })
    const { port } = app.server.address() as AddressInfo
    for (const path of ['/a', '/c']) {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', body: 'text' })
      t.equal(await response.text(), 'ok')
      const seen = shapes.length
      if (seen % 2 === 1) await until('the answer is sent', () => shapes.length === seen + 1)
    }
    if (mirrored) t.match(app.mirrors.list(), { b: { seen: 0 } }, 'nothing is counted')
  }
  await build(false)
  await build(true)
  t.equal(handlers.filter(one => one === handler).length, 2, 'the handler is not wrapped')
  t.equal(shapes.length, 8)
  t.strictSame(shapes.slice(4), shapes.slice(0, 4))
})

/** What a client sends, what the primary answers, and how one sees that all of it has arrived. */
interface Case {
  send: string | [first: string, rest: string]
  /** Of requests that go to the primary; default: a plain answer. Ends by closing where it ends with `CLOSE`. */
  answer?: string
  /** The primary has its request when it ends so. Default: an empty line. */
  asked?: string
  /** The client has its answer when that ends so; default: as the primary's does. */
  told?: RegExp
}

const CLOSE = '<close>'
const ANSWER = 'HTTP/1.1 200 OK\r\ncontent-length: 3\r\nx-from: primary\r\n\r\nEND'
const END = /END$/
const EMPTY = /\r\n\r\n$/
const JSON_END = /}$/
/** Earlier versions of reply-from hand all headers on to undici, which refuses those of a hop: the gateway answers by itself. */
const EITHER_END = /(?:END|})$/
/** Until the connection is closed. */
const NEVER = /(?!)/

function head (method: string, path: string, ...lines: string[]): string {
  return [`${method} ${path} HTTP/1.1`, 'Host: gateway.test', ...lines, '', ''].join('\r\n')
}

const BINARY = 'content-type: application/octet-stream'
const TEXT = 'content-type: text/plain'

const proxied: Record<string, Case> = {
  GET: { send: head('GET', '/p/a') },
  'GET with a query and odd characters': { send: head('GET', '/p/a%20b/%C3%A4;x=1/?a=1&a=2&&b=%zz') },
  HEAD: { send: head('HEAD', '/p/a'), answer: 'HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n', told: EMPTY },
  'DELETE without a body': { send: head('DELETE', '/p/a') },
  'OPTIONS without a body': { send: head('OPTIONS', '/p/a') },
  'POST with a length': { send: head('POST', '/p/a', BINARY, 'Content-Length: 9') + 'first END', asked: 'END' },
  'POST in pieces': { send: [head('POST', '/p/a', BINARY, 'Content-Length: 9') + 'first', ' END'], asked: 'END' },
  'POST of text, which is parsed': { send: head('POST', '/p/a', TEXT, 'Content-Length: 9') + 'first END', asked: 'END' },
  'POST of JSON': { send: head('POST', '/p/a', 'content-type: application/json', 'content-length: 11') + '{ "a":"END"', asked: 'END"' },
  'POST with an empty body': { send: head('POST', '/p/a', BINARY, 'content-length: 0') },
  'POST, chunked': { send: head('POST', '/p/a', BINARY, 'transfer-encoding: chunked') + '5\r\nfirst\r\n3\r\nEND\r\n0\r\n\r\n', asked: 'END' },
  'PUT, chunked, in pieces, with trailers': {
    send: [head('PUT', '/p/a', BINARY, 'Transfer-Encoding: chunked', 'trailer: x-t') + '5\r\nfirst\r\n', '3\r\nEND\r\n0\r\nx-t: 1\r\n\r\n'],
    asked: '0\r\n\r\n'
  },
  'PATCH, chunked, with an empty body': { send: head('PATCH', '/p/a', BINARY, 'transfer-encoding: chunked') + '0\r\n\r\n', asked: '\r\n\r\n' },
  'POST without a type': { send: head('POST', '/p/a', 'content-length: 3') + 'END', asked: 'END' },
  'repeated headers, in odd cases': {
    send: head('GET', '/p/a', 'X-A: 1', 'x-a: 2', 'Cookie: a=1', 'COOKIE: b=2', 'Accept: */*', 'accept: text/html', 'x-empty:', 'x-ue: \xfc')
  },
  'headers of this hop': {
    send: head('GET', '/p/a', 'Connection: keep-alive, x-hop', 'x-hop: 1', 'Keep-Alive: timeout=5', 'TE: trailers', 'Proxy-Authorization: Basic eA=='),
    told: EITHER_END
  },
  'a copy of another mirror': { send: head('GET', '/p/a', 'x-mirrored-from: elsewhere') },
  'a body where none is expected': { send: head('GET', '/p/a', 'content-length: 3') + 'END' },
  'an absolute target': { send: 'GET http://other.test/p/a?b HTTP/1.1\r\nhost: gateway.test\r\n\r\n', told: JSON_END },
  'HTTP/1.0': { send: 'GET /p/a HTTP/1.0\r\nhost: gateway.test\r\n\r\n' },
  'a connection that is to be closed': { send: head('GET', '/p/a', 'connection: close') },
  'what asks first': { send: head('POST', '/p/a', BINARY, 'expect: 100-continue', 'content-length: 3') + 'END', told: JSON_END },
  'what wants to be a WebSocket': { send: head('GET', '/p/a', 'connection: upgrade', 'upgrade: websocket', 'sec-websocket-key: eA=='), told: EITHER_END },
  'two requests at once': { send: head('GET', '/p/a') + head('GET', '/p/b'), told: /END[^]*END$/ },
  'a chunked answer': {
    send: head('GET', '/p/a'),
    answer: 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\nEND\r\n0\r\n\r\n',
    told: /END\r\n0\r\n\r\n$/
  },
  'an answer that ends with its connection': { send: head('GET', '/p/a'), answer: `HTTP/1.0 200 OK\r\n\r\nEND${CLOSE}`, told: /END\r\n0\r\n\r\n$/ },
  'a 204': { send: head('POST', '/p/a', BINARY, 'content-length: 3') + 'END', asked: 'END', answer: 'HTTP/1.1 204 No Content\r\n\r\n', told: EMPTY },
  'a 304': { send: head('GET', '/p/a', 'if-none-match: "a"'), answer: 'HTTP/1.1 304 Not Modified\r\netag: "a"\r\n\r\n', told: EMPTY },
  'a 302': { send: head('GET', '/p/a'), answer: ANSWER.replace('200 OK', '302 Found\r\nlocation: /b') },
  'a 404': { send: head('GET', '/p/a'), answer: ANSWER.replace('200 OK', '404 Not Found') },
  'a 500': { send: head('POST', '/p/a', BINARY, 'content-length: 3') + 'END', asked: 'END', answer: ANSWER.replace('200 OK', '500 Oops') },
  'headers of an answer, repeated, in odd cases': {
    send: head('GET', '/p/a'),
    answer: 'HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nX-A: 1\r\nx-a: 2\r\ndate: then\r\ncontent-length: 3\r\nvary: a\r\nVary: b\r\n\r\nEND'
  },
  'an encoded answer': {
    send: head('GET', '/p/a', 'accept-encoding: gzip'),
    answer: 'HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 10\r\n\r\n\x1f\x8b\x08\0 \xff\x80END'
  },
  'early hints': { send: head('GET', '/p/a'), answer: `HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${ANSWER}` },
  'an answer that is cut short': {
    send: head('POST', '/p/a', BINARY, 'content-length: 3') + 'END',
    asked: 'END',
    answer: `HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nbegin${CLOSE}`,
    told: NEVER
  },
  'no answer at all': { send: head('POST', '/p/a', BINARY, 'content-length: 3') + 'END', asked: 'END', answer: CLOSE, told: JSON_END },
  'an answer that is garbage': { send: head('POST', '/p/a', BINARY, 'content-length: 3') + 'END', asked: 'END', answer: '\0\x01', told: JSON_END },
  'an upstream of another choice': { send: head('GET', '/other/a?b=c') },
  'what the proxy changes': { send: head('POST', '/changed/a?b=c', BINARY, 'x-a: 1', 'content-length: 3') + 'END', asked: 'END' },
  'a hook that answers': { send: head('GET', '/p/a', 'x-stop: 1'), told: END }
}

const plain: Record<string, Case> = {
  text: { send: head('GET', '/text') },
  'text, an absolute target': { send: 'GET http://other.test/text?b HTTP/1.1\r\nhost: gateway.test\r\n\r\n' },
  'text, HEAD': { send: head('HEAD', '/text'), told: EMPTY },
  'text, HTTP/1.0': { send: 'GET /text HTTP/1.0\r\n\r\n' },
  'text, the connection closed': { send: head('GET', '/text', 'connection: close') },
  'an object': { send: head('GET', '/object'), told: JSON_END },
  'a Buffer': { send: head('GET', '/buffer') },
  'a stream': { send: head('GET', '/stream'), told: /END\r\n0\r\n\r\n$/ },
  'a stream, HEAD': { send: head('HEAD', '/stream'), told: EMPTY },
  'a stream that fails before its first byte': { send: head('GET', '/failing'), told: JSON_END },
  'a stream that fails later': { send: head('GET', '/broken'), told: NEVER },
  'a web stream': { send: head('GET', '/web'), told: /END\r\n0\r\n\r\n$/ },
  'a Response': { send: head('GET', '/response'), told: /END\r\n0\r\n\r\n$/ },
  nothing: { send: head('GET', '/nothing'), told: EMPTY },
  'what another hook makes of it': { send: head('GET', '/changed-later') },
  trailers: { send: head('GET', '/trailers'), told: /0\r\n[^]*\r\n\r\n$/ },
  'a redirect': { send: head('GET', '/redirect'), told: EMPTY },
  cookies: { send: head('GET', '/cookies') },
  'what was written by hand': { send: head('GET', '/hijacked') },
  'an error': { send: head('GET', '/error'), told: JSON_END },
  'a handled error': { send: head('GET', '/handled') },
  'no such route': { send: head('GET', '/absent'), told: JSON_END },
  'a body, parsed': { send: head('POST', '/echo', TEXT, 'content-length: 9') + 'first END' },
  'a body, chunked, in pieces': { send: [head('POST', '/echo', TEXT, 'transfer-encoding: chunked') + '5\r\nfirst\r\n', '3\r\nEND\r\n0\r\n\r\n'] },
  'a body that is bad JSON': { send: head('POST', '/echo', 'content-type: application/json', 'content-length: 1') + '{', told: JSON_END },
  'a body that is too long': { send: head('POST', '/echo', TEXT, 'content-length: 9999999'), told: JSON_END },
  'a body of unknown type': { send: head('POST', '/echo', 'content-type: a/b', 'content-length: 3') + 'END', told: JSON_END },
  'a query that is not valid': { send: head('GET', '/valid?a=b'), told: JSON_END },
  'a body that is asked for': { send: [head('POST', '/echo', TEXT, 'expect: 100-continue', 'content-length: 3'), 'END'] },
  'a body that nobody reads': { send: head('POST', '/unread', 'content-type: a/b', 'content-length: 4') + 'END!' },
  'no HTTP': { send: 'no HTTP\r\n\r\n', told: JSON_END }
}

/** The same routes, with mirrors or without. */
async function routes (app: FastifyInstance, primary: string, mirrorOf: (id: string) => MirrorOptions | undefined): Promise<void> {
  const preHandler = (request: FastifyRequest, reply: FastifyReply, done: () => void) => {
    if (request.headers['x-stop'] === undefined) done()
    else reply.send('END')
  }
  const proxy = (prefix: string, options: object) =>
    app.register(httpProxy, { upstream: primary, prefix, preHandler, config: { mirror: mirrorOf(prefix) }, ...options })
  await proxy('/p', {})
  await proxy('/other', { upstream: '', replyOptions: { getUpstream: () => primary } })
  await proxy('/changed', {
    rewritePrefix: '/new',
    replyOptions: {
      queryString: () => 'd=e',
      rewriteRequestHeaders: (_: unknown, headers: object) => ({ ...headers, 'x-a': '2', 'x-b': '3' }),
      rewriteHeaders: (headers: object) => ({ ...headers, 'x-from': 'gateway' })
    }
  })
  const get = (name: string, handler: (reply: FastifyReply) => unknown, options = {}) =>
    app.get(`/${name}`, { mirror: mirrorOf(name), ...options }, async (_, reply) => handler(reply))
  const stream = async function * (pieces: Array<string | Error>) {
    for (const piece of pieces) {
      if (piece instanceof Error) throw piece
      yield Buffer.from(piece)
      await new Promise(setImmediate)
    }
  }
  const web = () => new ReadableStream({
    start (controller) {
      for (const piece of ['first', 'END']) controller.enqueue(Buffer.from(piece))
      controller.close()
    }
  })
  get('text', () => 'END')
  get('object', () => ({ a: [1, { b: null }] }))
  get('buffer', () => Buffer.from('\xff\0END', 'latin1'))
  get('stream', reply => reply.type('a/b').send(Readable.from(stream(['first', 'END']), { objectMode: false })))
  get('failing', reply => reply.send(Readable.from(stream([new Error('at once')]), { objectMode: false })))
  get('broken', reply => reply.send(Readable.from(stream(['first', new Error('later')]), { objectMode: false })))
  get('web', reply => reply.send(web()))
  get('response', () => new Response(Readable.from(['first', 'END']), { status: 201, headers: { 'x-a': '1' } }))
  get('nothing', reply => reply.code(204).send())
  get('changed-later', () => 'first', { onSend: async (_: unknown, reply: FastifyReply) => { reply.header('x-a', '1'); return 'changed END' } })
  get('trailers', reply => reply.trailer('x-t', async () => '1').send('END'))
  get('redirect', reply => reply.redirect('/text'))
  get('cookies', reply => reply.header('set-cookie', 'a=1').header('set-cookie', 'b=2').header('X-Odd', '\xe4').send('END'))
  get('hijacked', reply => {
    reply.hijack()
    reply.raw.writeHead(200, { 'content-length': 3, 'x-a': '1' })
    reply.raw.end('END')
  })
  get('error', () => { throw Object.assign(new Error('no'), { statusCode: 418 }) })
  get('handled', () => { throw new Error('no') }, {
    errorHandler: (error: Error, _: unknown, reply: FastifyReply) => { reply.code(500).send(`handled ${error.message} END`) }
  })
  app.get('/valid', {
    mirror: mirrorOf('valid'),
    schema: { querystring: { type: 'object', properties: { a: { type: 'integer' } } } }
  }, async () => 'END')
  app.post('/echo', { mirror: mirrorOf('echo') }, async request => request.body)
  await app.register(async app => {
    app.addContentTypeParser('*', (_request, _payload, done) => done(null))
    app.post('/unread', { mirror: mirrorOf('unread') }, async () => 'END')
  })
}

interface Capture { toPrimary: string, toClient: string, connections: number }

/** Sends all cases to an app, on one connection as long as that lasts; captures what is seen on both sides of it. */
async function capture (t: Test, primary: Scripted, app: FastifyInstance, cases: Record<string, Case>) {
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  const captures: Record<string, Capture> = {}
  let connection: { socket: net.Socket, received: string, closed: boolean } | null = null
  let connections = 0
  for (const [name, { send, answer, asked, told }] of Object.entries(cases)) {
    primary.asked = asked ?? '\r\n\r\n'
    primary.answer = answer ?? ANSWER
    primary.received = ''
    if (connection === null || connection.closed) {
      const fresh = { socket: net.connect(port, '127.0.0.1'), received: '', closed: false }
      fresh.socket.on('data', data => { fresh.received += data.toString('latin1') })
      fresh.socket.on('close', () => { fresh.closed = true })
      t.teardown(() => fresh.socket.destroy())
      connection = fresh
      connections++
    }
    const { socket } = connection
    connection.received = ''
    const [first, rest] = typeof send === 'string' ? [send] : send
    socket.write(Buffer.from(first, 'latin1'))
    if (rest !== undefined) {
      // A body that has arrived as a whole is sent on with its length.
      if (cases === proxied) await until('the primary has the first piece', () => /first(\r\n)?$/.test(primary.received))
      socket.write(Buffer.from(rest, 'latin1'))
    }
    const current = connection
    await until(`the client has its answer: ${name}`, () => current.closed || (told ?? END).test(current.received.replace(/^HTTP\/1.1 100 Continue\r\n\r\n/, '')))
    if (/^connection: close/im.test(current.received)) await until('the connection is closed', () => current.closed)
    captures[name] = { toPrimary: primary.received, toClient: current.received.replace(/^date: .* GMT$/mgi, 'date: now'), connections }
  }
  return captures
}

interface Scripted { url: string, asked: string, answer: string, received: string }

/** A primary that captures what it is sent, byte for byte, and answers as it is told. */
async function startScripted (t: Test): Promise<Scripted> {
  const server = await startTcp(t, socket => {
    socket.on('end', () => socket.destroy())
    let request = ''
    socket.on('data', data => {
      const piece = data.toString('latin1')
      request += piece
      scripted.received += piece
      if (!request.endsWith(scripted.asked)) return
      request = ''
      const closes = scripted.answer.endsWith(CLOSE)
      const answer = Buffer.from(closes ? scripted.answer.slice(0, -CLOSE.length) : scripted.answer, 'latin1')
      if (closes) socket.end(answer)
      else socket.write(answer)
    })
  })
  const scripted: Scripted = Object.assign(server, { asked: '', answer: '', received: '' })
  return scripted
}

for (const { mode, plugin } of modes) {
  for (const [kind, cases] of Object.entries({ proxied, plain })) {
    t.test(`${mode}, rule 11: the primary's request and the client's answer are byte for byte what they would be without the plugin: ${kind}`, async t => {
      const primary = await startScripted(t)
      const fast = await startBackend(t)
      const backends = await Promise.all(['refusing', 'hung', 'resetting in the middle of its body'].map(async name => (await shadowOf(name).start(t)).backend))
      const mirrorOf = (id: string): MirrorOptions =>
        ({ id, backends: [fast.url, ...backends], compare: { enabled: true, detailedDiff: true, logMismatches: true } })

      const without = Fastify()
      t.teardown(() => without.close())
      await routes(without, primary.url, () => undefined)
      const expected = await capture(t, primary, without, cases)

      const app = Fastify()
      t.teardown(() => app.close())
      await app.register(fastifyMirror, { ...plugin, admin: false, closeTimeout: 1 })
      await routes(app, primary.url, mirrorOf)
      const actual = await capture(t, primary, app, cases)

      for (const name of Object.keys(cases)) t.strictSame(actual[name], expected[name], name)
      if (kind === 'proxied') {
        t.match(expected.GET.toPrimary, /^GET \/a HTTP\/1.1\r\n/)
        t.match(expected.GET.toClient, /x-from: primary/)
      }
      t.notMatch(JSON.stringify(actual), /x-mirrored-from(?!: elsewhere)/)
      await until('the copies are there, with the mark', () => fast.requests.length > 10)
      for (const { headers } of fast.requests) t.match(headers['x-mirrored-from'], /^(gateway\.test|unknown)$/)
      for (const mirror of Object.values(app.mirrors.list())) booksClose(t, mirror)
    })
  }
}
