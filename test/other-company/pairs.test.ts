import httpProxy from '@fastify/http-proxy'
import type { FastifyReply, FastifyRequest } from 'fastify'
import t from 'tap'
import { once } from 'node:events'
import { createHash } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { WebSocket } from 'undici'
import { startBackend } from '../helpers/backend'
import { booksClose } from '../helpers/books'
import { samplesOf } from '../helpers/exposition'
import { until } from '../helpers/until'
import { ask, fateOf, headerOf, inBothOrders, mismatchesOf, startApp } from './company'

const detailed = { enabled: true, detailedDiff: true }
const BOUNDARY = 'a-boundary'
const UPLOAD = Buffer.concat([
  Buffer.from(`--${BOUNDARY}\r\ncontent-disposition: form-data; name="title"\r\n\r\na title\r\n`),
  Buffer.from(`--${BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="a.bin"\r\ncontent-type: application/octet-stream\r\n\r\n`),
  Buffer.alloc(100_000, '\0\x01\r\n-- \xff', 'latin1'),
  Buffer.from(`\r\n--${BOUNDARY}--\r\n`)
])
const MULTIPART = { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` }
const FORM = 'b=2&a=1&a=%20x+y&%C3%A9=&empty'

async function readUpload (request: FastifyRequest) {
  const read: Record<string, unknown> = {}
  for await (const part of request.parts()) {
    read[part.fieldname] = part.type === 'file' ? createHash('sha256').update(await buffer(part.file)).digest('hex') : part.value
  }
  return read
}

const UPLOADED = { title: 'a title', file: createHash('sha256').update(Buffer.alloc(100_000, '\0\x01\r\n-- \xff', 'latin1')).digest('hex') }

inBothOrders(t, 'a body that is parsed reaches handler and shadow', ['multipart', 'formbody'], async (t, order) => {
  const shadow = await startBackend(t)
  const mirror = (id: string) => ({ id, backends: [shadow.url], maxBacklogBytes: 1_000_000 })
  const { app, url } = await startApp(t, order, app => {
    app.post('/upload', { mirror: mirror('upload') }, readUpload)
    app.post('/form', { mirror: mirror('form') }, async ({ body }) => body)
  })

  await fateOf(app, 'upload', async () => {
    t.same(JSON.parse(String((await ask(url + '/upload', { method: 'POST', headers: MULTIPART, body: UPLOAD })).body)), UPLOADED)
  })
  await fateOf(app, 'form', async () => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const { body } = await ask(url + '/form', { method: 'POST', headers, body: FORM })
    t.same(JSON.parse(String(body)), { b: '2', a: ['1', ' x y'], é: '', empty: '' })
  })
  t.ok(shadow.requests[0].body?.equals(UPLOAD), 'byte for byte')
  t.equal(shadow.requests[0].headers['content-type'], MULTIPART['content-type'])
  t.equal(String(shadow.requests[1].body), FORM)
})

inBothOrders(t, 'a body that is proxied reaches primary and shadow', ['multipart', 'formbody'], async (t, order) => {
  const primary = await startApp(t, ['multipart', 'formbody'], app => {
    app.post('/upload', readUpload)
    app.post('/form', async ({ body }) => body)
  })
  const raw = await startBackend(t)
  const shadow = await startApp(t, ['multipart', 'formbody'], app => {
    app.post('/upload', readUpload)
    app.post('/form', async ({ body }) => body)
  })
  const { app, url } = await startApp(t, order.filter(part => part !== 'formbody'), async app => {
    await app.register(async scope => {
      // What this app would parse itself is left to the primary.
      scope.removeAllContentTypeParsers()
      for (const [prefix, upstream] of [['/parsed', primary.url], ['/raw', raw.url]]) {
        const mirror = { id: prefix, backends: [prefix === '/raw' ? raw.url : shadow.url], compare: detailed }
        await scope.register(httpProxy, { upstream, prefix, config: { mirror } })
      }
    })
  })

  for (const [path, headers, body, parsed] of [
    ['/upload', MULTIPART, UPLOAD, UPLOADED],
    ['/form', { 'content-type': 'application/x-www-form-urlencoded' }, FORM, { b: '2', a: ['1', ' x y'], é: '', empty: '' }]
  ] as const) {
    t.equal(await fateOf(app, '/parsed', async () => {
      const answer = await ask(`${url}/parsed${path}`, { method: 'POST', headers, body })
      t.same(JSON.parse(String(answer.body)), parsed, 'the primary parses it')
    }), 'matched', 'and the shadow parses the same')
    t.equal(await fateOf(app, '/raw', () => ask(`${url}/raw${path}`, { method: 'POST', headers, body })), 'matched')
  }
  t.strictSame(raw.requests.map(({ body }) => body?.equals(Buffer.from(body.length > 1000 ? UPLOAD : FORM))), [true, true, true, true])
})

inBothOrders(t, 'an upgrade goes through, and is counted as one', ['websocket'], async (t, order) => {
  const shadow = await startBackend(t)
  const { app, url } = await startApp(t, order, app => {
    app.get('/ws', { websocket: true, mirror: { id: 'ws', backends: [shadow.url] } }, socket => {
      socket.on('message', (message: Buffer) => socket.send(`echo ${message}`))
    })
    app.route({
      method: 'GET',
      url: '/both',
      mirror: { id: 'both', backends: [shadow.url] },
      handler: async () => 'plain',
      wsHandler: socket => { socket.send('hello') }
    })
  })

  const echo = new WebSocket(url.replace('http:', 'ws:') + '/ws')
  echo.addEventListener('open', () => echo.send('a'))
  const [{ data }] = await once(echo, 'message')
  t.equal(data, 'echo a')
  const greeting = new WebSocket(url.replace('http:', 'ws:') + '/both')
  t.equal((await once(greeting, 'message'))[0].data, 'hello')

  await fateOf(app, 'both', async () => t.equal(String((await ask(url + '/both')).body), 'plain'))
  t.match(app.mirrors.get('ws'), { seen: 1, upgraded: 1, mirrored: 0 })
  t.match(app.mirrors.get('both'), { seen: 2, upgraded: 1, mirrored: 1 })
  t.strictSame(shadow.requests.map(({ url }) => url), ['/both'], 'the plain request alone')
  for (const socket of [echo, greeting]) {
    socket.close()
    await once(socket, 'close')
  }
  for (const mirror of Object.values(app.mirrors.list())) booksClose(t, mirror)
})

inBothOrders(t, 'a request that is limited is answered by a hook, so not mirrored', ['rate-limit'], async (t, order) => {
  const shadow = await startBackend(t)
  const { app, url } = await startApp(t, order, app => {
    const config = { rateLimit: { max: 2, timeWindow: '1 hour' } }
    app.get('/', { config, mirror: { id: 'limited', backends: [shadow.url] } }, async () => 'ok')
  })
  for (const status of [200, 200, 429, 429]) t.equal((await ask(url)).status, status)
  await until('the requests are over', () => app.mirrors.get('limited')?.pending === 0)
  await until('the copies have ended', () => app.mirrors.get('limited')?.backends[0].success === 2)
  t.match(app.mirrors.get('limited'), { seen: 4, unhandled: 2, mirrored: 2 })
  t.equal(shadow.requests.length, 2)
})

inBothOrders(t, 'what an app under pressure refuses does not reach the mirror', ['under-pressure'], async (t, order) => {
  const shadow = await startBackend(t)
  let healthy = true
  const { app, url } = await startApp(t, order, app => {
    app.get('/', { mirror: { id: 'pressed', backends: [shadow.url] } }, async () => 'ok')
  }, { healthy: () => healthy })
  await fateOf(app, 'pressed', async () => t.equal((await ask(url)).status, 200))
  healthy = false
  await until('the app is under pressure', async () => (await ask(url)).status === 503)
  const before = app.mirrors.get('pressed')?.seen as number
  t.match(String((await ask(url)).body), /Service Unavailable/)
  t.match(app.mirrors.get('pressed'), { seen: before, unhandled: 0, mirrored: before })
})

inBothOrders(t, 'headers for the client are not the primary\'s', ['helmet', 'cors'], async (t, order) => {
  const backend = await startBackend(t)
  const alike = await startApp(t, ['helmet', 'cors'], app => app.get('/plain', async () => 'ok'))
  const { app, url } = await startApp(t, order, async app => {
    app.get('/plain', { mirror: { id: 'plain', backends: [alike.url], compare: detailed } }, async () => 'ok')
    await app.register(httpProxy, {
      upstream: backend.url, prefix: '/proxied', config: { mirror: { id: 'proxied', backends: [backend.url], compare: detailed } }
    })
  })

  const headers = { origin: 'http://shop.test' }
  for (const id of ['proxied', 'plain']) {
    t.equal(await fateOf(app, id, async () => {
      const answer = await ask(`${url}/${id}`, { headers })
      t.equal(headerOf(answer, 'access-control-allow-origin'), 'http://shop.test')
      t.ok(headerOf(answer, 'content-security-policy'))
    }), 'matched', id)
  }
  const sent = backend.requests.map(({ headers }) => Object.keys(headers).sort().join())
  t.equal(sent.length, 2)
  t.notMatch(sent.join(), /content-security|allow-origin/)

  const before = app.mirrors.get('plain')
  const preflight = await ask(url + '/plain', { method: 'OPTIONS', headers: { ...headers, 'access-control-request-method': 'GET' } })
  t.equal(preflight.status, 204)
  t.strictSame(app.mirrors.get('plain'), before, 'a preflight is answered by a hook')
})

inBothOrders(t, 'a shadow that sets no such headers differs on a plain route', ['helmet'], async (t, order) => {
  const shadow = await startBackend(t, (_, response) => response.setHeader('content-type', 'text/plain; charset=utf-8').end('ok'))
  const { app, url } = await startApp(t, order, app => {
    app.get('/', { mirror: { id: 'plain', backends: [shadow.url], compare: detailed } }, async () => 'ok')
  })
  t.equal(await fateOf(app, 'plain', () => ask(url)), 'mismatched')
  t.match(mismatchesOf(app, 'plain'), [/^200\/200 content-security-policy .*x-xss-protection$/])
})

inBothOrders(t, 'caching headers of one\'s own are compared, those of hooks are not', ['caching'], async (t, order) => {
  const cached = (_request: unknown, reply: FastifyReply) => reply.etag('"v1"').expires(new Date(0)).send('ok')
  const shadow = await startApp(t, ['caching'], app => app.get('/', cached))
  const { app, url } = await startApp(t, order, app => {
    app.get('/', {
      mirror: { id: 'cached', backends: [shadow.url], removeHeaders: ['if-none-match'], compare: { ...detailed, ignoreHeaders: ['cache-control'] } }
    }, cached)
  })
  t.equal(await fateOf(app, 'cached', async () => {
    t.equal(headerOf(await ask(url), 'etag'), '"v1"')
  }), 'matched')
  const before = app.mirrors.get('cached')
  t.equal((await ask(url, { headers: { 'if-none-match': '"v1"' } })).status, 304)
  t.strictSame(app.mirrors.get('cached'), before, 'what the cache answers does not reach the mirror')
})

inBothOrders(t, 'what is compressed and tagged for the client is compared as the handler gave it', ['compress', 'etag'], async (t, order) => {
  const shadow = await startBackend(t, (_, response) => response.setHeader('content-type', 'text/plain; charset=utf-8').end('text '.repeat(100)))
  const { app, url } = await startApp(t, order, app => {
    const compare = { ...detailed, ignoreHeaders: ['etag', 'vary'] }
    app.get('/', { mirror: { id: 'coded', backends: [shadow.url], compare } }, async () => 'text '.repeat(100))
  })
  t.equal(await fateOf(app, 'coded', async () => {
    const answer = await ask(url, { headers: { 'accept-encoding': 'gzip' } })
    t.equal(headerOf(answer, 'content-encoding'), 'gzip')
    t.ok(headerOf(answer, 'etag'))
  }), 'matched')
})

inBothOrders(t, 'one registry tells of routes and of mirrors', ['metrics'], async (t, order) => {
  const shadow = await startBackend(t)
  const { Registry } = await import('prom-client')
  const registry = new Registry()
  const { app, url } = await startApp(t, order, app => {
    app.get('/', { mirror: { id: 'a', backends: [{ name: 'v2', url: shadow.url }], compare: { enabled: true } } }, async () => 'ok')
  }, { plugin: { prometheus: { register: registry } }, registry })
  t.equal(await fateOf(app, 'a', () => ask(url)), 'matched')
  const samples = samplesOf(String((await ask(url + '/metrics')).body))
  t.match(samples, {
    'fastify_mirror_seen_total{mirror="a"}': 1,
    'fastify_mirror_comparisons_total{mirror="a",backend="v2",result="matched"}': 1,
    'http_request_duration_seconds_count{method="GET",route="/",status_code="200"}': 1
  })
})
