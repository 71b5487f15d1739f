import type { Test } from 'tap'
import Fastify from 'fastify'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { IncomingMessage } from 'node:http'
import { PassThrough, Readable } from 'node:stream'
import t from 'tap'
import fastifyMirror from '../../lib'
import type { MirrorSnapshot } from '../../types/index'
import { startBackend } from '../helpers/backend'
import { booksClose } from '../helpers/books'
import { client } from '../helpers/client'
import { modes, startGateway } from '../helpers/gateway'
import { until } from '../helpers/until'

/** Waits until nothing of any mirror is under way, and checks that the books close. */
async function settled (t: Test, app: FastifyInstance): Promise<Record<string, MirrorSnapshot>> {
  await until('all has ended', () => Object.values(app.mirrors.list()).every(({ pending, backends }) => (
    pending === 0 && backends.every(({ inFlight, comparing }) => inFlight + comparing === 0)
  )))
  const mirrors = app.mirrors.list()
  for (const mirror of Object.values(mirrors)) booksClose(t, mirror)
  return mirrors
}

/** Another plugin that observes a stream as this one does. */
function shadow (stream: Readable, method: 'emit' | 'push', heard: unknown[]): void {
  const own = stream[method] as (...args: unknown[]) => boolean
  ;(stream as unknown as Record<string, unknown>)[method] = function (this: Readable, ...args: unknown[]) {
    heard.push(args[0])
    return own.apply(this, args)
  }
}

async function compared (t: Test, answer: (reply: FastifyReply) => unknown) {
  const backend = await startBackend(t, (_, response) => response.end('hello'))
  const { app, url, log } = await startGateway(t, {
    routes: app => {
      app.get('/', { mirror: { id: 'm', backends: [backend.url], compare: { enabled: true } } }, (_, reply) => answer(reply))
    }
  })
  const ask = client(t, url)
  return { app, log, ask, first: async () => (await settled(t, app)).m.backends[0] }
}

for (const { mode, plugin } of modes) {
  t.test(`${mode}: one stream answers several requests`, async t => {
    const backend = await startBackend(t, (_, response) => response.end('hello'))
    let shared: PassThrough | null = null
    const { app, url } = await startGateway(t, {
      plugin,
      routes: app => {
        app.get('/live', { mirror: { id: 'm', backends: [backend.url], compare: { enabled: true } } }, (_, reply) => {
          shared ??= new PassThrough()
          reply.send(shared)
        })
      }
    })
    const answers = [1, 2, 3].map(() => client(t, url)({ path: '/live' }))
    await until('all listen', () => shared?.listenerCount('data') === 3)
    const stream = shared as unknown as PassThrough
    stream.end('hello')
    for (const { body } of await Promise.all(answers)) t.equal(String(body), 'hello')
    t.match((await settled(t, app)).m.backends[0], { matched: 3, mismatched: 0 })
  })

  for (const method of ['GET', 'POST'] as const) {
    t.test(`${mode}: a ${method} that is routed twice`, async t => {
      const backend = await startBackend(t, (_, response, { body }) => response.end(`ok ${body?.length}`))
      const { app, url } = await startGateway(t, {
        plugin,
        routes: app => {
          const of = (id: string) => ({ mirror: { id, backends: [backend.url], compare: { enabled: true } } })
          app.addContentTypeParser('*', (_request, payload, next) => next(null, payload))
          app.all('/old', of('old'), (request, reply) => {
            reply.hijack()
            request.raw.url = '/new'
            app.routing(request.raw, reply.raw)
          })
          app.all('/new', of('new'), async request => {
            let length = 0
            if (request.body) for await (const chunk of request.body as Readable) length += chunk.length
            return `ok ${length}`
          })
        }
      })
      const ask = client(t, url)
      for (let i = 1; i <= 3; i++) {
        const sent = method === 'GET' ? {} : { headers: { 'content-type': 'x/y' }, body: 'four', chunked: true }
        t.equal(String((await ask({ method, path: '/old', ...sent })).body), method === 'GET' ? 'ok 0' : 'ok 4')
        const mirrors = await settled(t, app)
        t.match(mirrors.new.backends[0], { matched: i })
        t.match(mirrors.old.backends[0], { total: i, notCompared: { hijacked: i } })
      }
    })
  }

  t.test(`${mode}: a request goes through two apps of one process`, async t => {
    const backend = await startBackend(t, (_, response) => response.end('inner'))
    const inner = Fastify()
    t.teardown(() => inner.close())
    await inner.register(fastifyMirror, plugin)
    const options = { mirror: { id: 'm', backends: [backend.url], compare: { enabled: true } } }
    inner.addContentTypeParser('*', (_request, payload, next) => next(null, payload))
    inner.post('/', options, async request => {
      for await (const _ of request.body as Readable); // eslint-disable-line @typescript-eslint/no-unused-vars -- read to its end
      return 'inner'
    })
    await inner.ready()
    const { app, url } = await startGateway(t, {
      plugin,
      routes: app => {
        app.addContentTypeParser('*', (_request, payload, next) => next(null, payload))
        app.post('/', options, (request, reply) => {
          reply.hijack()
          inner.routing(request.raw, reply.raw)
        })
      }
    })
    const answer = await client(t, url)({ method: 'POST', headers: { 'content-type': 'x/y' }, body: Buffer.alloc(100_000) })
    t.equal(String(answer.body), 'inner')
    t.match((await settled(t, inner)).m.backends[0], { matched: 1 })
    t.match((await settled(t, app)).m.backends[0], { success: 1, notCompared: { hijacked: 1 } })
    t.equal(backend.requests.filter(({ body }) => body?.length === 100_000).length, 2)
  })
}

for (const order of ['before', 'after', 'before and after'] as const) {
  t.test(`somebody else observes the answer, ${order} this plugin`, async t => {
    const heard: unknown[] = []
    const backend = await startBackend(t, (_, response) => response.end('hello'))
    let shared: PassThrough | null = null
    const { app, url } = await startGateway(t, {
      routes: app => {
        if (order !== 'before') {
          app.addHook('onSend', (_request, _reply, payload, next) => {
            shadow(payload as Readable, 'emit', heard)
            shadow(payload as Readable, 'push', heard)
            next()
          })
        }
        app.get('/', { mirror: { id: 'm', backends: [backend.url], compare: { enabled: true } } }, (_, reply) => {
          if (shared === null) {
            shared = new PassThrough()
            if (order !== 'after') shadow(shared, 'emit', heard)
          }
          reply.send(shared)
        })
      }
    })
    const answers = [1, 2].map(() => client(t, url)({}))
    await until('both listen', () => shared?.listenerCount('data') === 2)
    ;(shared as unknown as PassThrough).end('hello')
    for (const { body } of await Promise.all(answers)) t.equal(String(body), 'hello')
    t.match((await settled(t, app)).m.backends[0], { matched: 2 })
    t.ok(heard.includes('data'))
  })
}

t.test('somebody else observes the request\'s body, before and after this plugin', async t => {
  const heard: unknown[] = []
  const backend = await startBackend(t)
  const { app, url } = await startGateway(t, {
    server: { rewriteUrl: request => { shadow(request as unknown as IncomingMessage, 'push', heard); return request.url as string } },
    routes: app => {
      app.addHook('preParsing', (request, _reply, _payload, next) => { shadow(request.raw, 'push', heard); next() })
      app.post('/', { mirror: { id: 'm', backends: [backend.url] } }, async () => 'ok')
    }
  })
  const { body } = await client(t, url)({ method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'hello' })
  t.equal(String(body), 'ok')
  await settled(t, app)
  t.equal(String(backend.requests[0].body), 'hello')
  t.ok(heard.length >= 2)
})

t.test('streams with methods of their own, and frozen ones', async t => {
  class Own extends PassThrough {
    override emit (event: string | symbol, ...args: unknown[]): boolean { return super.emit(event, ...args) }
    override push (chunk: unknown, encoding?: BufferEncoding): boolean { return super.push(chunk, encoding) }
  }
  class Accessor extends PassThrough {}
  Object.defineProperty(Accessor.prototype, 'emit', { get: () => PassThrough.prototype.emit })
  const kinds: Array<[string, () => PassThrough, string]> = [
    ['own methods', () => new Own(), 'matched'],
    ['a method that is only read', () => new Accessor(), 'error'],
    ['no new properties', () => Object.preventExtensions(new PassThrough()), 'error']
  ]
  for (const [name, make, outcome] of kinds) {
    const { ask, first, log } = await compared(t, reply => {
      const stream = make()
      setImmediate(() => stream.end('hello'))
      return reply.send(stream)
    })
    t.equal(String((await ask({})).body), 'hello', name)
    const backend = await first()
    if (outcome === 'matched') t.equal(backend.matched, 1, name)
    else t.equal(backend.notCompared.error, 1, name)
    t.equal(log.filter(({ msg }) => msg === 'mirroring failed').length, outcome === 'matched' ? 0 : 1, name)
  }
})

t.test('an observed stream\'s methods, taken for another', async t => {
  const other = new PassThrough()
  const { ask, first } = await compared(t, reply => {
    const stream = new PassThrough()
    reply.send(stream)
    setImmediate(() => {
      other.emit = stream.emit
      other.push = stream.push
      other.push('x')
      other.emit('something')
      stream.end('hello')
    })
  })
  t.equal(String((await ask({})).body), 'hello')
  t.equal(String(other.read()), 'x')
  t.match(await first(), { matched: 1 })
})

t.test('an answer that is sent twice, and one that is an iterator', async t => {
  const twice = await compared(t, reply => { reply.send('hello'); reply.send('again') })
  t.equal(String((await twice.ask({})).body), 'hello')
  t.match(await twice.first(), { matched: 1 })
  const iterated = await compared(t, reply => reply.send(Readable.from((async function * () { yield 'hel'; yield 'lo' })())))
  t.equal(String((await iterated.ask({})).body), 'hello')
  t.match(await iterated.first(), { matched: 1 })
})
