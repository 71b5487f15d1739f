import t from 'tap'
import type { FastifyBaseLogger, FastifyRequest } from 'fastify'
import type { IncomingHttpHeaders } from 'node:http'
import type { MirrorOptions } from '../../types/index'
import { startBackend, startTcp } from '../helpers/backend'
import { booksClose } from '../helpers/books'
import { keepAlive, modes, startGateway } from '../helpers/gateway'
import { watchProcess } from '../helpers/process'
import { seeded } from '../helpers/random'
import { shadowOf } from '../helpers/shadows'
import { until } from '../helpers/until'

const fails = () => { throw new Error('of the user') }

/** What a user's function may do that is asked for something else, by name. */
const misdeeds: Record<string, () => unknown> = {
  'throws an error': fails,
  // eslint-disable-next-line no-throw-literal -- whatever is thrown
  'throws nothing': () => { throw undefined },
  'returns a promise': () => Promise.resolve({ a: 'b' }),
  'returns a promise that rejects': () => Promise.reject(new Error('of the user')),
  'returns a promise that rejects later': () => new Promise((_resolve, reject) => { setImmediate(reject, new Error('of the user')) }),
  'returns what has a then that throws': () => ({ get then () { return fails() } }),
  'returns a symbol': () => Symbol('a'),
  'returns a function': () => fails,
  'returns true': () => true,
  'returns what throws when it is looked at': () => new Proxy({}, { get: fails, ownKeys: fails })
}

const misdeedsOfHeaders: Record<string, () => unknown> = {
  ...misdeeds,
  'returns nothing': () => undefined,
  'returns null': () => null,
  'returns text': () => 'a: b',
  'returns a list': () => ['a', 'b'],
  'returns a header that is a symbol': () => ({ a: Symbol('a') }),
  'returns a header that is a function': () => ({ a: fails }),
  'returns a header that is an object': () => ({ a: { b: 'c' } }),
  'returns a header that is true': () => ({ a: true }),
  'returns a header that is null': () => ({ a: null }),
  'returns a header with a list in its list': () => ({ a: [['b']] }),
  'returns a header with a symbol in its list': () => ({ a: ['b', Symbol('a')] }),
  'returns a header that throws': () => ({ get a () { return fails() } }),
  'returns a header whose text throws': () => ({ a: { toString: fails } }),
  'returns a name that is none': () => ({ 'a b': 'c' }),
  'returns an empty name': () => ({ '': 'c' }),
  'returns a value that would be two headers': () => ({ a: 'b\r\nc: d' }),
  'returns a value that would end there': () => ({ a: 'b\0c\0d' }),
  'returns a value in no charset of headers': () => ({ a: '\u{1F600}' })
}

for (const { mode, plugin } of modes) {
  t.test(`${mode}, rule 9: what a user's function throws, rejects or returns never reaches the client, the route's hooks or the process`, async t => {
    const faults = watchProcess(t)
    const shadow = await startBackend(t)
    const table: Array<[id: string, options: Partial<MirrorOptions>]> = []
    for (const [name, misdeed] of Object.entries(misdeeds)) {
      table.push([`sampleBy ${name}`, { sampleBy: misdeed as () => string }])
    }
    for (const [name, misdeed] of Object.entries(misdeedsOfHeaders)) {
      table.push([`rewriteRequestHeaders ${name}`, { rewriteRequestHeaders: misdeed as () => IncomingHttpHeaders }])
    }
    const errors: unknown[] = []
    let responses = 0
    const gateway = await startGateway(t, {
      plugin,
      routes: app => {
        app.addHook('onError', async (_request, _reply, error) => { errors.push(error) })
        app.addHook('onResponse', async () => { responses++ })
        for (const [i, [id, options]] of table.entries()) {
          app.post(`/${i}`, { mirror: { id, backends: [shadow.url, { url: shadow.url, percentage: 0 }], ...options } }, async request => request.body)
        }
      }
    })
    const client = keepAlive(t, gateway.url)
    for (const [i, [id]] of table.entries()) {
      const headers = { 'content-type': 'text/plain' }
      const response = await client.request({ method: 'POST', path: `/${i}`, headers, body: id })
      t.equal(await response.body.text(), id)
      await until(`it is counted: ${id}`, () => gateway.mirror(id).backends[0].dropped.error === 1)
      t.match(gateway.mirror(id), {
        pending: 0, mirrored: 1, backends: [{ offered: 1, inFlight: 0, total: 0 }, { offered: 1, unsampled: 1 }]
      }, id)
    }
    t.strictSame(errors, [])
    await until('the routes\' hooks have run', () => responses === table.length)
    t.equal(shadow.requests.length, 0)
    const told = gateway.log.filter(line => line.mirror !== undefined)
    t.ok(told.length > 0 && told.length <= 10, `${told.length} log lines`)
    await gateway.app.close()
    t.strictSame(faults, [])
  })

  t.test(`${mode}, rule 9: a logger that throws, and a listener that does, reach nobody`, async t => {
    const faults = watchProcess(t)
    const shadow = await startBackend(t, (_, response) => response.end('not ok'))
    const refusing = await shadowOf('refusing').start(t)
    const silent = () => {}
    const logger = {
      level: 'warn', fatal: silent, error: silent, warn: fails, info: silent, debug: silent, trace: silent, silent, child: () => logger
    } as unknown as FastifyBaseLogger
    const compare = { enabled: true, logMismatches: true }
    const mirrors: MirrorOptions[] = [
      { id: 'failing', backends: [refusing.backend] },
      { id: 'mismatching', backends: [shadow.url], compare },
      { id: 'in detail', backends: [shadow.url], compare: { ...compare, detailedDiff: true } },
      { id: 'throwing', backends: [shadow.url], sampleBy: fails },
      { id: 'throwing later', backends: [shadow.url], rewriteRequestHeaders: fails }
    ]
    let heard = 0
    const onMismatch = () => {
      heard++
      if (heard % 2 === 0) fails()
      return Promise.reject(new Error('of the user'))
    }
    const gateway = await startGateway(t, {
      // The admin routes have no guard, which would be told of at once.
      plugin: { ...plugin, onMismatch, admin: false },
      server: { logger: undefined, loggerInstance: logger },
      routes: app => { for (const mirror of mirrors) app.get(`/${mirror.id}`, { mirror }, async () => 'ok') }
    })
    const client = keepAlive(t, gateway.url)
    for (let i = 1; i <= 4; i++) {
      for (const { id } of mirrors) {
        const response = await client.request({ method: 'GET', path: `/${encodeURI(id as string)}` })
        t.equal(response.statusCode, 200)
        t.equal(await response.body.text(), 'ok')
      }
      await until('the copies have ended', () => mirrors.every(({ id }) => gateway.mirror(id).backends[0].inFlight === 0))
    }
    const counted = (id: string) => gateway.mirror(id).backends[0]
    await until('the answers are compared', () => counted('mismatching').mismatched + counted('in detail').mismatched === 8)
    t.equal(heard, 8)
    t.equal(counted('failing').failure.connect, 4)
    t.equal(counted('throwing').dropped.error, 4)
    t.equal(counted('throwing later').dropped.error, 4)
    for (const { id } of mirrors) booksClose(t, gateway.mirror(id))
    await gateway.app.close()
    t.strictSame(faults, [])
  })

  t.test(`${mode}, rule 9: faults are logged at a bounded rate`, async t => {
    const shadow = await shadowOf('refusing').start(t)
    const gateway = await startGateway(t, {
      plugin,
      routes: app => { app.get('/', { mirror: { id: 'm', backends: [{ ...shadow.backend, name: 'b' }], breaker: false } }, async () => 'ok') }
    })
    const client = keepAlive(t, gateway.url)
    const fail = async (count: number) => {
      const before = gateway.backend().failure.connect
      for (let i = 0; i < count; i++) await (await client.request({ method: 'GET', path: '/' })).body.dump()
      await until('all have failed', () => gateway.backend().failure.connect === before + count)
    }
    const lines = () => gateway.log.filter(line => line.msg === 'the copy failed')
    await fail(200)
    t.ok(lines().length > 0)
    t.ok(lines().length <= 20, `${lines().length} lines`)
    t.match(lines()[0], { mirror: 'm', backend: 'b', reason: 'connect', err: { code: 'ECONNREFUSED' } })

    // Some time later.
    const { now } = performance
    t.teardown(() => { performance.now = now })
    performance.now = () => now.call(performance) + 60_000
    const before = lines().length
    await fail(1)
    t.equal(lines().length, before + 1)
    t.equal(lines().reduce((sum, line) => sum + 1 + Number(line.suppressed ?? 0), 0), 201, 'the next line tells how many were not logged')
  })
}

/** Answers, whole and broken, and what they may be broken with. */
const answers = [
  'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello',
  'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nx-trailer: 1\r\n\r\n',
  'HTTP/1.0 200 OK\r\n\r\nhello',
  'HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello',
  'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 500 Oops\r\ncontent-length: 2\r\n\r\nno',
  'HTTP/1.1 204 No Content\r\n\r\n',
  'HTTP/1.1 304 Not Modified\r\ncontent-length: 100\r\n\r\n',
  'HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-type: application/json\r\ncontent-length: 12\r\n\r\n\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0'
]
const splinters = [
  '\r\n', '\r', '\n', '\0', ' ', ':', '0\r\n\r\n', 'ffffffffffffffff\r\n', '-1', 'HTTP/1.1 ', 'HTTP/1.1 100 Continue\r\n\r\n',
  'HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: a\r\n\r\n', 'content-length: 5\r\n', 'content-length: 18446744073709551616\r\n',
  'transfer-encoding: chunked\r\n', 'transfer-encoding: gzip\r\n', 'connection: close\r\n', 'content-encoding: br\r\n', 'x: \xff\r\n', 'x'.repeat(20_000)
]

for (const { mode, plugin } of modes) {
  t.test(`${mode}, rule 9: whatever a shadow sends, and however it ends, nothing reaches the process`, async t => {
    const faults = watchProcess(t)
    const random = seeded(1)
    const below = (limit: number) => Math.floor(random() * limit)
    const broken = () => {
      let answer = answers[below(answers.length)]
      for (let i = below(4); i > 0; i--) {
        const at = below(answer.length)
        const to = at + below(20)
        const inserted = [splinters[below(splinters.length)], String.fromCharCode(below(256)), answer.slice(at, to), ''][below(4)]
        answer = answer.slice(0, at) + inserted + answer.slice(below(2) === 0 ? at : to)
      }
      return answer
    }
    const shadow = await startTcp(t, socket => {
      socket.on('end', () => socket.destroy())
      socket.on('data', async () => {
        const answer = broken()
        const cut = below(answer.length)
        const ending = below(8)
        for (const piece of below(2) === 0 ? [answer] : [answer.slice(0, cut), answer.slice(cut)]) {
          socket.write(Buffer.from(piece, 'latin1'))
          await new Promise(setImmediate)
        }
        if (ending === 0) socket.end()
        else if (ending === 1) socket.destroy()
        // Node never closes one that is reset in the turn in which it was ended.
        else if (ending === 2 && !socket.writableEnded) socket.resetAndDestroy()
      })
    })
    const gateway = await startGateway(t, {
      plugin,
      routes: app => {
        const mirror = { backends: [shadow.url], timeout: 500, breaker: false as const, compare: { enabled: true, detailedDiff: true } }
        app.route({ method: ['GET', 'HEAD', 'POST'], url: '/', mirror, handler: async () => 'hello' })
      }
    })
    const headers = { 'content-type': 'text/plain' }
    await (await keepAlive(t, gateway.url).request({ method: 'GET', path: '/' })).body.dump()
    await until('the engine is at work', () => shadow.connections > 0)
    await Promise.all(Array.from({ length: 8 }, async () => {
      const client = keepAlive(t, gateway.url)
      for (let i = 0; i < 50; i++) {
        const method = (['GET', 'HEAD', 'POST'] as const)[below(3)]
        const response = await client.request({ method, path: '/', headers, body: method === 'POST' ? 'hello' : null })
        t.equal(await response.body.text(), method === 'HEAD' ? '' : 'hello')
      }
    }))
    await until('all copies have ended', () => gateway.backend().inFlight === 0)
    booksClose(t, gateway.mirror())
    const { success, failure } = gateway.backend()
    t.ok(success > 0 && failure.reset > 0, JSON.stringify({ success, failure }))
    t.strictSame(gateway.log.filter(line => /thread|mirroring/.test(line.msg)), [])
    await gateway.app.close()
    await until('the shadow has no connection left', () => shadow.sockets.size === 0)
    t.strictSame(faults, [])
  })
}

t.test('rule 9: what rewriteRequestHeaders does to the headers that it is given, the primary never sees', async t => {
  const shadow = await startBackend(t)
  let seen: FastifyRequest['headers'] = {}
  const rewriteRequestHeaders = (_: FastifyRequest, headers: IncomingHttpHeaders) => {
    headers.a = 'changed'
    delete headers.b
    return Object.assign(headers, { c: 'new' })
  }
  const gateway = await startGateway(t, {
    routes: app => {
      app.get('/', { mirror: { backends: [shadow.url, shadow.url], rewriteRequestHeaders } }, async request => {
        await until('the copies are there', () => shadow.requests.length === 2)
        seen = { ...request.headers }
        return 'ok'
      })
    }
  })
  await (await keepAlive(t, gateway.url).request({ method: 'GET', path: '/', headers: { a: '1', b: '2' } })).body.dump()
  t.match(seen, { a: '1', b: '2', c: undefined })
  for (const { headers } of shadow.requests) t.match(headers, { a: 'changed', b: undefined, c: 'new' })
})
