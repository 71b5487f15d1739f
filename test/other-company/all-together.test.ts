import httpProxy from '@fastify/http-proxy'
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Registry } from 'prom-client'
import t from 'tap'
import type { Test } from 'tap'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { buffer } from 'node:stream/consumers'
import { WebSocket } from 'undici'
import type { MirrorOptions } from '../../types/index'
import { startBackend } from '../helpers/backend'
import { booksClose } from '../helpers/books'
import { samplesOf } from '../helpers/exposition'
import { modes } from '../helpers/gateway'
import { until } from '../helpers/until'
import { ask, fateOf, headerOf, mismatchesOf, others, startApp, timeless } from './company'
import type { App, Asked, Part } from './company'

const provider = new NodeTracerProvider()
provider.register()
t.teardown(() => provider.shutdown())

const MULTIPART = [
  '--b', 'content-disposition: form-data; name="title"', '', 'a title', '--b',
  'content-disposition: form-data; name="file"; filename="a"', '', '\0\xff'.repeat(10_000), '--b--', ''
].join('\r\n')
const FORM = { 'content-type': 'application/x-www-form-urlencoded' }
const UPLOAD = { 'content-type': 'multipart/form-data; boundary=b' }
const ORIGIN = { origin: 'http://shop.test' }

/** Requests in their order, and what comes of their copies; `null`: none is sent. */
type Step = [mirror: string, path: string, asked: Asked, status: number, fate: string | null]

function stepsOf (tag: string, mirrorFirst: boolean): Step[] {
  return [
    ['json', '/json', {}, 200, 'matched'],
    ['json', '/json', { headers: { ...ORIGIN, 'accept-encoding': 'gzip, br' } }, 200, 'matched'],
    ['json', '/json', { method: 'HEAD' }, 200, 'matched'],
    // With etag before it, the 304 rests on a tag that the shadow never saw.
    ['json', '/json', { headers: { 'if-none-match': tag } }, 304, mirrorFirst ? 'matched' : 'conditional'],
    ['form', '/form', { method: 'POST', headers: FORM, body: 'a=1&b=%20&a=2' }, 200, 'matched'],
    ['upload', '/upload', { method: 'POST', headers: UPLOAD, body: Buffer.from(MULTIPART, 'latin1') }, 200, 'matched'],
    ['cached', '/cached', {}, 200, 'matched'],
    ['cached', '/cached', { headers: { 'if-none-match': '"v1"' } }, 304, null],
    ['limited', '/limited', {}, 200, 'matched'],
    ['limited', '/limited', {}, 200, 'matched'],
    ['limited', '/limited', {}, 429, null],
    ['json', '/json', { method: 'OPTIONS', headers: { ...ORIGIN, 'access-control-request-method': 'POST' } }, 204, null],
    ['error', '/error', { headers: { 'accept-encoding': 'gzip' } }, 503, 'matched'],
    ['json', '/missing', {}, 404, null],
    ['proxied', '/proxied/a?b=1', { headers: { 'accept-encoding': 'gzip' } }, 200, 'matched'],
    ['proxied', '/proxied/form', { method: 'POST', headers: FORM, body: 'a=1&b=%20&a=2' }, 200, 'matched'],
    ['proxied', '/proxied/upload', { method: 'PUT', headers: { ...UPLOAD, 'transfer-encoding': 'chunked' }, body: MULTIPART }, 200, 'matched'],
    ['proxied', '/proxied/teapot', { method: 'DELETE', headers: ORIGIN }, 418, 'matched']
  ]
}

function routes (upstream: string, mirrorOf: (id: string) => MirrorOptions | false) {
  return async (app: FastifyInstance) => {
    app.get('/json', { mirror: mirrorOf('json') }, async () => ({ text: 'some text, '.repeat(200), list: [1, 2, 3] }))
    app.post('/form', { mirror: mirrorOf('form') }, async ({ body }) => body)
    app.post('/upload', { mirror: mirrorOf('upload') }, readUpload)
    app.get('/cached', { mirror: mirrorOf('cached') }, (_request, reply) => reply.etag('"v1"').send('ok'))
    app.get('/limited', { mirror: mirrorOf('limited'), config: { rateLimit: { max: 2, timeWindow: '1 hour' } } }, async () => 'ok')
    app.get('/error', { mirror: mirrorOf('error') }, async () => { throw Object.assign(new Error('closed'), { statusCode: 503 }) })
    app.get('/ws', { mirror: mirrorOf('ws'), websocket: true }, socket => {
      socket.on('message', (message: Buffer) => socket.send(`echo ${message}`))
    })
    await app.register(async scope => {
      // Bodies that this app would parse are left to the upstream.
      scope.removeAllContentTypeParsers()
      await scope.register(httpProxy, { upstream, prefix: '/proxied', config: { mirror: mirrorOf('proxied') } })
    })
  }
}

async function readUpload (request: FastifyRequest) {
  const read: Record<string, unknown> = {}
  for await (const part of request.parts()) {
    read[part.fieldname] = part.type === 'file' ? createHash('sha256').update(await buffer(part.file)).digest('hex') : part.value
  }
  return read
}

/** An upstream that tells what it got. */
function startUpstream (t: Test) {
  return startBackend(t, (_request, response, { method, url, body }) => {
    response.writeHead(url === '/teapot' ? 418 : 200, { 'content-type': 'application/json', 'set-cookie': ['a=1', 'b=2'] })
    response.end(JSON.stringify({ method, url, body: createHash('sha256').update(body as Buffer).digest('hex') }))
  })
}

async function greet (url: string): Promise<unknown> {
  const socket = new WebSocket(url.replace('http:', 'ws:') + '/ws')
  socket.addEventListener('open', () => socket.send('a'))
  const [{ data }] = await once(socket, 'message')
  socket.close()
  await once(socket, 'close')
  return data
}

for (const [mirrorFirst, order] of [[true, ['mirror', ...others]], [false, [...others, 'mirror']]] as Array<[boolean, Part[]]>) {
  for (const { mode, plugin } of modes) {
    t.test(`${mode}: among all others, ${mirrorFirst ? 'first' : 'last'}, clients get what they would get without`, async t => {
      const [primary, second] = [await startUpstream(t), await startUpstream(t)]
      const shadow = await startApp(t, others, routes(second.url, () => false))
      const twin = await startApp(t, others, routes(primary.url, () => false))
      const registry = new Registry()
      const gateway = await startApp(t, order, routes(primary.url, id => ({
        id,
        backends: [id === 'proxied' ? second.url : shadow.url],
        timeout: 60_000,
        breaker: false,
        removeHeaders: ['accept-encoding', 'if-none-match'],
        compare: {
          enabled: true,
          detailedDiff: true,
          // What hooks of onSend set is there before the mirror, or comes after it.
          ignoreHeaders: ['etag', 'vary', 'cache-control', 'x-ratelimit-reset', 'access-control-allow-origin']
        }
      })), { plugin: { ...plugin, prometheus: { register: registry } }, registry })

      const { app } = gateway
      const get = (of: App, path: string, asked: Asked) => ask(of.url + path, asked).then(timeless)
      const tag = String(headerOf(await ask(twin.url + '/json'), 'etag'))

      for (const [mirror, path, asked, status, fate] of stepsOf(tag, mirrorFirst)) {
        const what = `${asked.method ?? 'GET'} ${path} ${JSON.stringify(asked.headers ?? {})}`
        const wanted = await get(twin, path, asked)
        t.equal(wanted.status, status, what)
        let came
        const send = async () => { came = await get(gateway, path, asked) }
        const sent = app.mirrors.get(mirror)?.mirrored
        if (fate === null) await send()
        else t.equal(await fateOf(app, mirror, send), fate, `${what}: ${mismatchesOf(app, mirror)}`)
        t.strictSame(came, wanted, 'byte for byte')
        if (fate === null) t.equal(app.mirrors.get(mirror)?.mirrored, sent, 'no copy is sent')
      }
      t.equal(await greet(gateway.url), 'echo a')

      const mirrors = () => Object.values(app.mirrors.list())
      await until('everything has ended', () => mirrors().every(({ pending, backends: [{ inFlight, comparing }] }) => pending + inFlight + comparing === 0))
      for (const mirror of mirrors()) booksClose(t, mirror)
      t.match(app.mirrors.get('ws'), { seen: 1, upgraded: 1 })
      t.match(app.mirrors.get('limited'), { seen: 3, unhandled: 1, mirrored: 2 })

      const samples = samplesOf(String((await ask(gateway.url + '/metrics')).body))
      t.equal(samples['fastify_mirror_mirrored_total{mirror="proxied"}'], 4)
      t.equal(samples['http_request_duration_seconds_count{method="GET",route="/limited",status_code="429"}'], 1)
    })
  }
}
