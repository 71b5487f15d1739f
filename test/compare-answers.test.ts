import replyFrom from '@fastify/reply-from'
import type { FastifyReplyFromHooks } from '@fastify/reply-from'
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteShorthandOptions } from 'fastify'
import { EventEmitter } from 'node:events'
import http, { IncomingMessage, ServerResponse } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'
import { Socket } from 'node:net'
import { PassThrough, Readable, Stream, Transform } from 'node:stream'
import { brotliCompressSync, createGunzip, gzipSync } from 'node:zlib'
import t from 'tap'
import type { Test } from 'tap'
import { Guard } from '../lib/guard'
import { Answer } from '../lib/tap/answer'
import { tapNodeStream } from '../lib/tap/node-stream'
import type { BackendSnapshot, CompareOptions } from '../types/index'
import { REFUSED, startBackend, startTcp } from './helpers/backend'
import { booksClose } from './helpers/books'
import { client, rawClient } from './helpers/client'
import { modes, startGateway } from './helpers/gateway'
import type { Gateway } from './helpers/gateway'
import { watchProcess } from './helpers/process'
import { lacks, since } from './helpers/since'
import type { Since } from './helpers/since'
import { until } from './helpers/until'

type Answers = (request: IncomingMessage, response: ServerResponse) => void
type Handler = (this: FastifyInstance, request: FastifyRequest, reply: FastifyReply) => unknown
type Counts = { [K in keyof BackendSnapshot]?: BackendSnapshot[K] extends object ? Partial<BackendSnapshot[K]> : BackendSnapshot[K] }

interface Scenario {
  needs?: Since
  /** What the primary answers: a plain route's handler, */
  plain?: Handler
  /** or what the upstream answers to a `reply.from`. */
  upstream?: Answers
  /** The plain handler calls `reply.from`, too. */
  from?: true
  /** Besides those that take part by default. */
  route?: RouteShorthandOptions
  scope?: (app: FastifyInstance) => void
  compare?: CompareOptions
  shadow?: Answers
  method?: string
  /** What the client gets; `null`: it is cut off. */
  status: number | null
  body?: string
  send?: (t: Test, gateway: Gateway, path: string) => Promise<void>
  expected: Counts
}

/** Each compressor makes other bytes of it. */
const LONG = Array.from({ length: 400 }, (_, i) => `${i * 7919 % 101}`).join()

const ok: Answers = (_, response) => response.end('ok')

function answers (status: number, body: string | Buffer, headers: Record<string, string | string[]> = {}): Answers {
  return (_, response) => response.writeHead(status, headers).end(body)
}

/** Dies in the middle of its body. */
const half: Answers = (_, response) => {
  response.writeHead(200, { 'content-length': 100 })
  response.write('half', () => response.destroy())
}

/** Gives its first piece, and the rest when told to, or never. */
function failing (fail: (stream: PassThrough) => void, first?: string): PassThrough {
  const stream = new PassThrough()
  if (first !== undefined) stream.write(first)
  setTimeout(() => fail(stream), 10)
  return stream
}

function webStream (pieces: string[], fails: boolean): ReadableStream {
  return new ReadableStream({
    async pull (controller) {
      const piece = pieces.shift()
      await new Promise(setImmediate)
      if (piece !== undefined) controller.enqueue(Buffer.from(piece))
      else if (fails) controller.error(new Error('no more'))
      else controller.close()
    }
  })
}

/** The client asks, waits until it has got what it waits for, and leaves. */
function leaves (after: RegExp | ((gateway: Gateway) => boolean)): Scenario['send'] {
  return async (t, gateway, path) => {
    const raw = await rawClient(t, gateway.port, `GET ${path} HTTP/1.1\r\nhost: h\r\n\r\n`)
    if (after instanceof RegExp) await raw.until(after)
    else await until('it is time to leave', () => after(gateway))
    raw.socket.destroy()
  }
}

const never: Handler = () => new Promise(() => {})

function onSend (change: (payload: never, reply: FastifyReply) => unknown): (app: FastifyInstance) => void {
  return app => { app.addHook('onSend', async (_request, reply, payload) => change(payload as never, reply)) }
}

const scenarios: Record<string, Scenario> = {
  'equal answers match': { plain: async () => 'ok', status: 200, body: 'ok', expected: { matched: 1, status: { '2xx': 1 } } },
  'equal answers match, proxied': { upstream: ok, status: 200, body: 'ok', expected: { matched: 1 } },
  'bodies that differ': {
    plain: async () => 'one', shadow: answers(200, 'two'), status: 200, body: 'one', expected: { mismatched: 1, mismatches: { status: 0, body: 1 } }
  },
  'bodies of one length that differ at their end, in pieces, proxied': {
    upstream: answers(200, 'x'.repeat(300_000) + '1'),
    shadow: answers(200, 'x'.repeat(300_000) + '2'),
    status: 200,
    expected: { mismatched: 1, mismatches: { status: 0, body: 1 } }
  },
  'statuses that differ': {
    plain: async () => 'ok', shadow: answers(201, 'ok'), status: 200, expected: { mismatched: 1, mismatches: { status: 1, body: 0 } }
  },
  'an error of the shadow alone': {
    upstream: ok,
    shadow: answers(500, 'no'),
    status: 200,
    expected: { mismatched: 1, mismatches: { status: 1, body: 1 }, success: 1, status: { '5xx': 1, '2xx': 0 } }
  },
  'both unavailable alike match': {
    upstream: answers(503, 'busy'), shadow: answers(503, 'busy'), status: 503, body: 'busy', expected: { matched: 1, status: { '5xx': 1 } }
  },
  'both unavailable alike match, plain': {
    plain: (_, reply) => reply.code(503).send('busy'), shadow: answers(503, 'busy'), status: 503, expected: { matched: 1 }
  },
  'headers are not compared': { plain: (_, reply) => reply.header('x-a', '1').send('ok'), status: 200, expected: { matched: 1, mismatches: { headers: 0 } } },
  'a HEAD': {
    method: 'HEAD',
    upstream: (_, response) => response.setHeader('content-length', 2).end(),
    shadow: (_, response) => response.setHeader('content-length', 3).end(),
    status: 200,
    expected: { matched: 1 }
  },
  'no content': { upstream: answers(204, ''), shadow: answers(204, ''), status: 204, expected: { matched: 1 } },
  'not modified': { upstream: answers(304, ''), shadow: answers(304, ''), status: 304, expected: { matched: 1 } },
  'compare is off': { plain: async () => 'ok', compare: {}, status: 200, expected: { success: 1, notCompared: { off: 1 } } },

  'the shadow dies half-way: a failure, no mismatch': {
    plain: async () => 'ok', shadow: half, status: 200, expected: { mismatched: 0, compared: 0, failure: { body: 1 } }
  },
  'the shadow resets: a failure, no mismatch': {
    upstream: ok, shadow: (_, response) => response.destroy(), status: 200, expected: { mismatched: 0, compared: 0, failure: { reset: 1 } }
  },

  'the upstream refuses': {
    from: true,
    plain: async function (_, reply) { return reply.from(urls.refused) },
    status: 500,
    expected: { notCompared: { primaryFailed: 1 } }
  },
  'the upstream dies before its head': {
    upstream: (_, response) => response.destroy(), status: 500, expected: { notCompared: { primaryFailed: 1 } }
  },
  'the upstream dies in the middle of its body': { upstream: half, status: null, expected: { notCompared: { primaryFailed: 1 } } },
  'the upstream is silent past handlerTimeout': {
    needs: since.handlerTimeout, upstream: () => {}, route: { handlerTimeout: 50 }, status: 503, expected: { notCompared: { primaryFailed: 1 } }
  },
  'the upstream is silent past handlerTimeout, in the middle of its body': {
    needs: since.handlerTimeoutLate,
    upstream: (_, response) => { response.write('half') },
    route: { handlerTimeout: 50 },
    status: null,
    expected: { notCompared: { primaryFailed: 1 } }
  },
  'the upstream answers with no status that there is': {
    from: true,
    plain: (_, reply) => reply.from(urls.odd),
    status: 502,
    expected: { notCompared: { primaryFailed: 1 } }
  },
  'the user answers for an upstream that fails': {
    from: true,
    plain: (_, reply) => reply.from(urls.refused, { onError: again => { (again as FastifyReply).code(200).send('ok') } }),
    status: 200,
    body: 'ok',
    expected: { notCompared: { primaryFailed: 1 } }
  },
  'the user\'s error handler answers for an upstream that fails': {
    from: true,
    plain: (_, reply) => reply.from(urls.refused),
    scope: app => { app.setErrorHandler((_error, _request, reply) => reply.code(200).send('ok')) },
    status: 200,
    body: 'ok',
    expected: { notCompared: { primaryFailed: 1 } }
  },
  'a hook of the user\'s fails at an upstream that fails': {
    from: true,
    plain: (_, reply) => reply.from(urls.refused),
    route: { onError: (_request, _reply, _error, done) => (done as (error: Error) => void)(new Error('of the hook')) },
    status: 500,
    expected: { notCompared: { primaryFailed: 1 } }
  },
  'another upstream answers for one that fails': {
    from: true,
    plain: (_, reply) => reply.from(urls.refused, { onError: again => { (again as FastifyReply).from(`${urls.upstream}/ok`) } }),
    status: 200,
    body: 'ok',
    expected: { matched: 1 }
  },

  'the client leaves before the answer': {
    upstream: () => {}, send: leaves(({ app }) => anySuccess(app)), status: null, expected: { notCompared: { primaryAborted: 1 } }
  },
  'the client leaves before the answer, plain': {
    plain: never, send: leaves(({ app }) => anySuccess(app)), status: null, expected: { notCompared: { primaryAborted: 1 } }
  },
  'the client leaves in the middle of the answer': {
    upstream: (_, response) => { response.write('half') }, send: leaves(/half/), status: null, expected: { notCompared: { primaryAborted: 1 } }
  },
  'the client leaves in the middle of a stream': {
    plain: () => failing(() => {}, 'half'), send: leaves(/half/), status: null, expected: { notCompared: { primaryAborted: 1 } }
  },
  'the client leaves in the middle of a web stream': {
    plain: () => new ReadableStream({ start: controller => controller.enqueue(Buffer.from('half')) }),
    send: leaves(/half/),
    status: null,
    expected: { notCompared: { primaryAborted: 1 } }
  },

  'codings that differ, of bodies that do not': { upstream: coded('gzip', gzipSync('ok')), status: 200, expected: { matched: 1 } },
  'codings that differ, of bodies that do, too': {
    upstream: coded('gzip', gzipSync('ok')), shadow: coded('br', brotliCompressSync('ko')), status: 200, expected: { mismatched: 1, mismatches: { body: 1 } }
  },
  'a coding by another compressor': {
    upstream: coded('gzip', gzipSync(LONG, { level: 1 })), shadow: coded('x-gzip', gzipSync(LONG, { level: 9 })), status: 200, expected: { matched: 1 }
  },
  'a coding by another compressor, plain': {
    plain: (_, reply) => reply.header('content-encoding', 'gzip').send(gzipSync(LONG, { level: 1 })),
    shadow: coded('gzip', gzipSync(LONG, { level: 9 })),
    status: 200,
    expected: { matched: 1 }
  },
  'a coding of nothing, and of something': {
    upstream: coded('gzip', ''), shadow: coded('gzip', gzipSync('ok')), status: 200, expected: { mismatched: 1, mismatches: { body: 1 } }
  },
  'coded bodies that are too long': {
    upstream: coded('gzip', gzipSync(LONG, { level: 1 })),
    shadow: coded('gzip', gzipSync(LONG, { level: 9 })),
    compare: { enabled: true, maxBodyCapture: 100 },
    status: 200,
    expected: { notCompared: { encoding: 1 }, mismatched: 0 }
  },
  'coded bodies that decode to too much': {
    upstream: coded('gzip', gzipSync(Buffer.alloc(10_000), { level: 1 })),
    shadow: coded('gzip', gzipSync(Buffer.alloc(10_000), { level: 9 })),
    compare: { enabled: true, maxBodyCapture: 9_999 },
    status: 200,
    expected: { notCompared: { encoding: 1 }, mismatched: 0 }
  },
  'a coding that nobody knows': {
    upstream: coded('rot13', 'bx'), shadow: coded('rot13', 'xb'), status: 200, expected: { notCompared: { encoding: 1 }, mismatched: 0 }
  },
  'a coding that both say, and one alone has': {
    upstream: coded('gzip', gzipSync('ok')), shadow: coded('gzip', 'ok'), status: 200, expected: { mismatched: 1, mismatches: { body: 1 } }
  },
  'codings that differ, and are none': {
    plain: (_, reply) => reply.header('content-encoding', 'br').send('ko'), status: 200, expected: { notCompared: { encoding: 1 } }
  },
  'a coding that is none': {
    plain: (_, reply) => reply.header('content-encoding', 'identity').send('ko'), status: 200, expected: { mismatched: 1 }
  },
  'codings that differ, and are none, of a Response': {
    plain: () => new Response('ko', { headers: { 'Content-Encoding': 'BR' } }), status: 200, expected: { notCompared: { encoding: 1 } }
  },
  'codings and statuses that differ': {
    upstream: answers(200, 'ko', { 'content-encoding': 'br' }), shadow: answers(404, 'ok'), status: 200, expected: { mismatched: 1 }
  },
  'equal codings, in any case': {
    upstream: answers(200, 'ko', { 'content-encoding': 'GZIP' }),
    shadow: answers(200, 'ko', { 'content-encoding': 'gzip' }),
    status: 200,
    expected: { matched: 1 }
  },
  'codings on two lines': {
    upstream: answers(200, 'ko', { 'content-encoding': ['br', 'gzip'] }),
    shadow: answers(200, 'ko', { 'content-encoding': ['br', 'gzip'] }),
    status: 200,
    body: 'ko',
    expected: { matched: 1 }
  },

  'onResponse sends another text': {
    upstream: answers(200, 'ok', { 'content-length': '2' }),
    plain: remakes(async (reply, stream) => reply.removeHeader('content-length').send((await textOf(stream)).toUpperCase())),
    status: 200,
    body: 'OK',
    expected: { matched: 1 }
  },
  'onResponse reads the body in a way that emits nothing': {
    upstream: slowly('ok'),
    plain: remakes(async (reply, stream) => reply.send((await (stream as unknown as Response).text()).toUpperCase())),
    status: 200,
    body: 'OK',
    expected: { matched: 1 }
  },
  'onResponse changes the pieces in place': {
    upstream: answers(200, 'a'.repeat(300_000)),
    shadow: answers(200, 'a'.repeat(300_000)),
    plain: remakes((reply, stream) => reply.send(stream.pipe(new Transform({
      transform (chunk: Buffer, _, done) { done(null, chunk.fill('b')) }
    })))),
    status: 200,
    body: 'b'.repeat(300_000),
    expected: { matched: 1 }
  },
  'onResponse takes the coding off': {
    upstream: coded('gzip', gzipSync(LONG, { level: 1 })),
    shadow: coded('gzip', gzipSync(LONG, { level: 9 })),
    plain: remakes((reply, stream) => reply.removeHeader('content-encoding').removeHeader('content-length').send(stream.pipe(createGunzip()))),
    status: 200,
    body: LONG,
    expected: { matched: 1 }
  },
  'onResponse takes the coding off, of bodies that differ': {
    upstream: coded('gzip', gzipSync('ok')),
    shadow: coded('gzip', gzipSync('ko')),
    plain: remakes((reply, stream) => reply.removeHeader('content-encoding').removeHeader('content-length').send(stream.pipe(createGunzip()))),
    status: 200,
    body: 'ok',
    expected: { mismatched: 1, mismatches: { status: 0, body: 1 } }
  },
  'onResponse sends the stream on, with another status': {
    upstream: answers(404, 'no'),
    shadow: answers(404, 'no'),
    plain: remakes((reply, stream) => reply.code(200).send(stream)),
    status: 200,
    body: 'no',
    expected: { matched: 1 }
  },
  'onResponse of a HEAD': {
    method: 'HEAD', plain: remakes((reply, stream) => reply.send(stream)), upstream: ok, status: 200, expected: { matched: 1 }
  },
  'onResponse answers without a look at a short body': {
    upstream: ok, plain: remakes(reply => reply.removeHeader('content-length').send('something else')), status: 200, body: 'something else', expected: { matched: 1 }
  },
  'onResponse answers without a look at a long body': {
    upstream: answers(200, Buffer.alloc(4 * 1024 * 1024)),
    plain: remakes((reply, stream) => {
      reply.raw.once('close', () => stream.resume())
      reply.removeHeader('content-length').send('something else')
    }),
    status: 200,
    body: 'something else',
    expected: { notCompared: { untapped: 1 } }
  },
  'onResponse asks another upstream': {
    upstream: answers(404, 'no'),
    shadow: answers(404, 'no'),
    plain: remakes(reply => reply.from(urls.upstream + '/ok')),
    status: 200,
    body: 'ok',
    expected: { matched: 1 }
  },
  'onResponse hears that the upstream dies, and answers for it': {
    upstream: half,
    plain: remakes((reply, stream) => stream.resume().once('error', () => reply.removeHeader('content-length').send('ok'))),
    status: 200,
    body: 'ok',
    expected: { notCompared: { primaryFailed: 1 } }
  },
  'onResponse waits past handlerTimeout': {
    needs: since.handlerTimeout,
    upstream: (_, response) => { response.write('half') },
    plain: remakes((_, stream) => stream.resume()),
    route: { handlerTimeout: 50 },
    status: 503,
    expected: { notCompared: { primaryFailed: 1 } }
  },
  'onResponse, and nothing is compared': {
    upstream: ok, compare: {}, plain: remakes((reply, stream) => reply.send(stream)), status: 200, body: 'ok', expected: { notCompared: { off: 1 } }
  },

  'a later hook changes the payload': {
    plain: async () => 'ok', scope: onSend(payload => payload + ', changed'), status: 200, body: 'ok, changed', expected: { matched: 1 }
  },
  'a later hook codes the stream': {
    upstream: ok, scope: onSend((payload: Readable) => payload.pipe(new PassThrough())), status: 200, body: 'ok', expected: { matched: 1 }
  },
  'a later hook reads the stream': {
    upstream: answers(200, 'ok'.repeat(100_000)),
    shadow: answers(200, 'ok'.repeat(100_000)),
    scope: onSend(async (payload: Readable) => {
      let length = 0
      for await (const piece of payload) length += piece.length
      return String(length)
    }),
    status: 200,
    body: '200000',
    expected: { matched: 1 }
  },
  'a later hook reads the stream in a way that can not be heard': {
    upstream: slowly('ok'), scope: onSend((payload: { text (): Promise<string> }) => payload.text()), status: 200, body: 'ok', expected: { notCompared: { untapped: 1 } }
  },
  'a later hook peeks at the stream': {
    upstream: slowly('ok'),
    scope: onSend(async (payload: Readable) => {
      await new Promise(resolve => payload.once('readable', resolve))
      payload.unshift(payload.read())
      return payload
    }),
    status: 200,
    body: 'ok',
    expected: { notCompared: { untapped: 1 } }
  },
  'a later hook listens for a while': {
    upstream: slowly('ok'),
    scope: onSend(async (payload: Readable) => {
      const listener = () => {}
      payload.on('readable', listener)
      await new Promise(setImmediate)
      payload.off('readable', listener)
      for (let i = 0; i < 50; i++) await new Promise(setImmediate)
      return payload
    }),
    status: 200,
    body: 'ok',
    expected: { matched: 1 }
  },
  'a later hook throws the stream away': {
    upstream: slowly('ok'),
    scope: onSend((payload: Readable) => {
      payload.on('error', () => {})
      payload.destroy()
      return 'nothing of it'
    }),
    status: 200,
    body: 'nothing of it',
    // That may be an error to it, sooner or later.
    expected: { compared: 0, success: 1 }
  },
  'a later hook forgets the stream': {
    plain: () => new PassThrough(), scope: onSend(() => 'something else'), status: 200, body: 'something else', expected: { notCompared: { untapped: 1 } }
  },
  'a later hook closes the stream': {
    plain: () => new PassThrough(),
    scope: onSend((payload: Readable) => {
      payload.destroy()
      return 'something else'
    }),
    status: 200,
    expected: { notCompared: { untapped: 1 } }
  },
  'a later hook pipes a web stream through': {
    plain: () => webStream(['o', 'k'], false),
    scope: onSend((payload: ReadableStream) => payload.pipeThrough(new TransformStream())),
    status: 200,
    body: 'ok',
    expected: { notCompared: { untapped: 1 } }
  },
  'a later hook makes a Node stream of a web stream': {
    plain: () => webStream(['o', 'k'], false),
    scope: onSend(payload => Readable.fromWeb(payload)),
    status: 200,
    body: 'ok',
    expected: { matched: 1 }
  },
  'a later hook reads a piece of a web stream, and cancels it': {
    plain: () => webStream(['o', 'k'], false),
    scope: onSend(async (payload: ReadableStream) => {
      const reader = payload.getReader()
      await reader.read()
      await reader.cancel()
      t.match(await reader.read(), { done: true })
      return 'o...'
    }),
    shadow: answers(200, 'o'),
    status: 200,
    body: 'o...',
    expected: { notCompared: { untapped: 1 } }
  },
  'a later hook throws': {
    plain: async () => 'ok', scope: app => onSend(throwOnce())(app), status: 500, expected: { matched: 1 }
  },
  'a later hook throws at a stream': {
    plain: () => Readable.from(['ok']), scope: app => onSend(throwOnce())(app), status: 500, expected: { notCompared: { primaryFailed: 1 } }
  },

  'what a handler throws is an answer': {
    plain: () => { throw Object.assign(new Error('no tea'), { statusCode: 418 }) },
    scope: app => { app.setErrorHandler<Error>((error, _request, reply) => reply.code(418).send(error.message)) },
    shadow: answers(418, 'no tea'),
    status: 418,
    body: 'no tea',
    expected: { matched: 1 }
  },
  'what a handler rejects with is an answer': {
    plain: async () => { throw new Error('no tea') },
    shadow: answers(500, '{"statusCode":500,"error":"Internal Server Error","message":"no tea"}'),
    status: 500,
    expected: { matched: 1 }
  },
  'an error of no code at all is an answer': {
    plain: () => { throw null }, // eslint-disable-line no-throw-literal -- whatever users throw
    scope: app => { app.setErrorHandler((_error, _request, reply) => reply.code(418).send('nothing')) },
    shadow: answers(418, 'nothing'),
    status: 418,
    expected: { matched: 1 }
  },
  'a stream that fails before its head': {
    plain: () => failing(stream => stream.destroy(new Error('no more'))), status: 500, expected: { notCompared: { primaryFailed: 1 } }
  },
  'a stream that fails after its head': {
    plain: () => failing(stream => stream.destroy(new Error('no more')), 'half'), status: null, expected: { notCompared: { primaryFailed: 1 } }
  },
  'a stream that closes in the middle': {
    plain: () => failing(stream => stream.destroy(), 'half'), status: null, expected: { notCompared: { primaryFailed: 1 } }
  },
  'a web stream that fails before its head': { plain: () => webStream([], true), status: 500, expected: { notCompared: { primaryFailed: 1 } } },
  'a web stream that fails after its head': { plain: () => webStream(['half'], true), status: null, expected: { notCompared: { primaryFailed: 1 } } },
  'a payload that can not be sent': {
    plain: (_, reply) => { reply.type('text/plain').serializer(() => 5 as unknown as string).send({}) }, status: 500, expected: { notCompared: { primaryFailed: 1 } }
  },
  'a stream of the old kind': {
    plain: () => {
      const stream = Object.assign(new Stream(), { readable: true, destroy () {} })
      setImmediate(() => {
        stream.emit('data', 'ok')
        stream.emit('end')
      })
      return stream
    },
    status: 200,
    body: 'ok',
    expected: { matched: 1 }
  },

  'a hijacked answer': {
    plain: (_, reply) => {
      reply.hijack()
      reply.raw.end('ok')
    },
    status: 200,
    body: 'ok',
    expected: { notCompared: { hijacked: 1 } }
  },
  'an answer past Fastify': {
    plain: (_, reply) => { reply.raw.end('ok') }, status: 200, body: 'ok', expected: { notCompared: { hijacked: 1 } }
  },
  'a hijacked answer, after reply.from': {
    from: true,
    plain: (_, reply) => {
      reply.from(urls.upstream, { onResponse: () => {} })
      reply.hijack()
      reply.raw.end('ok')
    },
    status: 200,
    body: 'ok',
    expected: { notCompared: { hijacked: 1 } }
  },
  'a hijacked answer, whose client leaves': {
    plain: (_, reply) => {
      reply.hijack()
      reply.raw.write('half')
    },
    send: leaves(/half/),
    status: null,
    expected: { notCompared: { primaryAborted: 1 } }
  },
  'a hijacked answer that is cut off with an error': {
    plain: (_, reply) => {
      reply.hijack()
      reply.raw.write('half')
      reply.raw.destroy(new Error('mine'))
    },
    status: null,
    expected: { notCompared: { primaryFailed: 1 } }
  },
  'a handler that is called again': {
    plain: async function (request, reply) {
      if (request.headers['x-again'] !== undefined) return 'ok'
      request.headers['x-again'] = '1'
      return request.routeOptions.handler?.call(this, request, reply)
    } as Handler,
    status: 200,
    body: 'ok',
    expected: { matched: 1 }
  }
}

function coded (coding: string, body: string | Buffer): Answers {
  return answers(200, body, { 'content-encoding': coding })
}

/** A handler that asks the upstream, and makes an answer of its answer. */
function remakes (onResponse: (reply: FastifyReply, stream: Readable) => unknown): Handler {
  return (request, reply) => {
    reply.from(urls.upstream + request.url, {
      onResponse: (_request, reply, response) => { onResponse(reply as FastifyReply, (response as unknown as { stream: Readable }).stream) }
    })
    return reply
  }
}

async function textOf (stream: Readable): Promise<string> {
  let text = ''
  for await (const chunk of stream) text += chunk
  return text
}

function slowly (body: string): Answers {
  return (_, response) => {
    const [first, ...rest] = body
    response.write(first)
    setTimeout(() => response.end(rest.join('')), 20)
  }
}

/** At the payload that the handler gave, not at the answer to the error that this is. */
function throwOnce () {
  let thrown = false
  return (payload: unknown) => {
    if (thrown) return payload
    thrown = true
    throw new Error('of the hook')
  }
}

const urls = { refused: '', odd: '', upstream: '' }
let current: (app: FastifyInstance) => BackendSnapshot

function anySuccess (app: FastifyInstance): boolean {
  return current(app).success === 1
}

for (const { mode, plugin } of modes) {
  t.test(`${mode}: what is compared, and what can not be`, async t => {
    const faults = watchProcess(t)
    const all = Object.entries(scenarios).map(([name, scenario], i) => {
      return { name, path: `/${i}`, skip: lacks(scenario.needs), ...scenario }
    })
    for (const { name, skip } of all) if (skip) t.pass(name, { skip })
    const named = all.filter(({ skip }) => !skip)
    const answer = (side: 'upstream' | 'shadow'): Answers => (request, response) => {
      const scenario = named.find(({ path }) => path === request.url)
      const answers = scenario?.[side] ?? ok
      answers(request, response)
    }
    const upstream = await startBackend(t, answer('upstream'))
    const shadow = await startBackend(t, answer('shadow'))
    urls.upstream = upstream.url
    urls.refused = REFUSED.url
    urls.odd = (await startTcp(t, socket => socket.once('data', () => socket.end('HTTP/1.1 999 Odd\r\ncontent-length: 2\r\n\r\nno')))).url
    const gateway = await startGateway(t, {
      plugin,
      routes: app => {
        for (const { name, path, plain, upstream: proxied, from, method, scope, route, compare } of named) {
          app.register(async app => {
            if (proxied ?? from) app.register(replyFrom, { retryMethods: [] })
            app.after(() => scope?.(app))
            app.after(() => app.route({
              ...route,
              method: method ?? 'GET',
              url: path,
              exposeHeadRoute: false,
              mirror: { id: name, backends: [shadow.url], compare: compare ?? { enabled: true } },
              handler: plain ?? ((_, reply) => reply.from(upstream.url + path))
            }))
          })
        }
      }
    })
    const send = client(t, gateway.url)
    for (const { name, path, method, status, body, send: special, expected } of named) {
      await t.test(name, async t => {
        const backend = () => gateway.mirror(name).backends[0]
        current = backend
        if (special !== undefined) {
          await special(t, gateway, path)
        } else {
          const answer = await send({ method, path }).catch(() => null)
          t.equal(answer?.status ?? null, status)
          if (body !== undefined) t.equal(String(answer?.body), body)
        }
        await until('the copy has ended', () => backend().total === 1 && backend().inFlight + backend().comparing === 0)
        t.match(backend(), expected)
        booksClose(t, gateway.mirror(name))
      })
    }
    await until('no request is left', () => named.every(({ name }) => gateway.mirror(name).pending === 0))
    t.match(gateway.log.filter(({ msg }) => msg === 'mirroring failed'), [])
    t.same(faults, [])
  })

  t.test(`${mode}: mismatches are logged by the request's logger, and matches are not`, async t => {
    const shadow = await startBackend(t, ({ url }, response) => {
      if (url === '/status') response.statusCode = 201
      response.end(url === '/body' ? 'ko' : 'ok')
    })
    const gateway = await startGateway(t, {
      plugin: { ...plugin, admin: false },
      server: { genReqId: () => 'the request' },
      routes: app => {
        const mirror = { id: 'logged', backends: [{ url: shadow.url, name: 'shadow' }], compare: { enabled: true, logMismatches: true } }
        for (const url of ['/same', '/body', '/status']) app.get(url, { mirror }, async () => 'ok')
        app.get('/unlogged', { mirror: { id: 'unlogged', backends: [shadow.url], compare: { enabled: true } } }, async () => 'ko')
      }
    })
    const send = client(t, gateway.url)
    for (const [i, path] of ['/same', '/body', '/status'].entries()) {
      await send({ path })
      await until('it is compared', () => gateway.mirror('logged').backends[0].compared === i + 1)
    }
    await send({ path: '/unlogged' })
    await until('it is compared', () => gateway.mirror('unlogged').backends[0].mismatched === 1)
    t.same(gateway.log.map(({ time, pid, hostname, ...line }) => line), [
      {
        level: 40,
        reqId: 'the request',
        mirror: 'logged',
        endpoint: 'GET /body',
        backend: 'shadow',
        primaryStatus: 200,
        shadowStatus: 200,
        bodyMatch: false,
        msg: 'mirror mismatch'
      },
      {
        level: 40,
        reqId: 'the request',
        mirror: 'logged',
        endpoint: 'GET /status',
        backend: 'shadow',
        primaryStatus: 200,
        shadowStatus: 201,
        bodyMatch: true,
        msg: 'mirror mismatch'
      }
    ])
  })

  t.test(`${mode}: an answer that the client holds back gives no latency of the primary`, async t => {
    // More than the sockets on its way hold, and less than may be on its way to a thread, however far that is behind.
    const body = Buffer.alloc(14 * 1024 * 1024, 'x')
    const bodyFor = ({ headers }: { headers: IncomingHttpHeaders }) => {
      return headers['x-small'] === undefined ? body : body.subarray(0, 1000)
    }
    const shadow = await startBackend(t, (request, response) => response.end(bodyFor(request)))
    const gateway = await startGateway(t, {
      plugin,
      routes: app => {
        app.get('/', { mirror: { backends: [shadow.url], compare: { enabled: true } } }, (request, reply) => {
          reply.send(Readable.from(slices(bodyFor(request)), { objectMode: false }))
        })
      }
    })
    const raw = await rawClient(t, gateway.port, 'GET / HTTP/1.1\r\nhost: h\r\n\r\n')
    raw.socket.pause()
    await until('the copy is answered', () => gateway.backend().comparing === 1)
    let length = 0
    raw.socket.on('data', chunk => { length += chunk.length })
    raw.socket.resume()
    await until('the answers are compared', () => gateway.backend().matched === 1)
    t.ok(length > 0)
    t.match(gateway.backend().latency, { primary: { count: 0, p50: null }, difference: { count: 0 } })
    // Again where the event loop was blocked meanwhile: then there is none for that, either.
    let asked = 0
    await until('an answer at full speed gives one', async () => {
      await client(t, gateway.url)({ headers: { 'x-small': '1' } })
      asked++
      await until('the answers are compared', () => gateway.backend().matched === 1 + asked)
      return gateway.backend().latency.primary.count === 1
    })
    t.match(gateway.backend().latency, { primary: { count: 1, p50: Number }, difference: { count: 1, p50: Number } })
    booksClose(t, gateway.mirror())
  })
}

function slices (bytes: Buffer): Buffer[] {
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; at += 65536) pieces.push(bytes.subarray(at, at + 65536))
  return pieces
}

t.test('onResponse of reply-from 10 gets the stream itself', async t => {
  const upstream = await startBackend(t)
  const shadow = await startBackend(t)
  const gateway = await startGateway(t, {
    routes: app => {
      app.decorateReply('from', function (this: FastifyReply, url: string, options: FastifyReplyFromHooks) {
        options.rewriteRequestHeaders?.(this.request as never, {})
        http.get(url, answer => {
          options.rewriteHeaders?.(answer.headers as never, this.request as never)
          options.onResponse?.(this.request as never, this as never, answer as never)
        })
        return this
      } as never)
      app.get('/', { mirror: { backends: [shadow.url], compare: { enabled: true } } }, (_, reply) => reply.from(upstream.url, {
        onResponse: (_, reply, answer) => { textOf(answer as unknown as Readable).then(text => reply.send(text.toUpperCase())) }
      }))
    }
  })
  t.equal(String((await client(t, gateway.url)({})).body), 'OK')
  await until('it is compared', () => gateway.backend().compared === 1)
  t.equal(gateway.backend().matched, 1)
})

t.test('every backend is compared on its own', async t => {
  const shadows = [await startBackend(t), await startBackend(t, answers(200, 'ko')), await startBackend(t, half)]
  const gateway = await startGateway(t, {
    routes: app => {
      app.get('/', { mirror: { backends: shadows.map(({ url }) => url), compare: { enabled: true } } }, () => Readable.from(['o', 'k']))
    }
  })
  await client(t, gateway.url)({})
  await until('all have ended', () => gateway.mirror().backends.every(({ comparing, inFlight, total }) => total === 1 && comparing + inFlight === 0))
  t.match(gateway.mirror().backends, [{ matched: 1 }, { mismatched: 1 }, { failure: { body: 1 }, compared: 0 }])
  booksClose(t, gateway.mirror())
})

t.test('an observed stream', async t => {
  function observe (stream: EventEmitter, atSource = false) {
    const heard: Array<Buffer | 'end'> = []
    const listener = {
      guard: new Guard(() => {}),
      fail () {},
      onAnswerData: (chunk: Uint8Array) => heard.push(Buffer.from(chunk)),
      onAnswerEnd: () => heard.push('end')
    }
    const answer = new Answer(listener, new ServerResponse(new IncomingMessage(new Socket())))
    tapNodeStream(stream, answer, atSource)
    return { answer, heard }
  }

  t.test('does not begin to flow, and has no more listeners', async t => {
    const stream = new PassThrough()
    stream.write('a')
    const counts = stream.eventNames().map(name => stream.listenerCount(name))
    observe(stream)
    await new Promise(setImmediate)
    t.equal(stream.readableFlowing, null)
    t.same(stream.eventNames().map(name => stream.listenerCount(name)), counts)
  })

  t.test('is heard in bytes, whatever it gives', async t => {
    const stream = new EventEmitter()
    const { heard, answer } = observe(stream)
    const given = ['ü', Buffer.from('b'), new Uint8Array([99]), 5, null, undefined, {}, ['d']]
    for (const chunk of given) stream.emit('data', chunk)
    stream.emit('something')
    stream.emit('end')
    stream.emit('data', 'after the end')
    stream.emit('end')
    stream.emit('close')
    stream.on('error', () => {}).emit('error', 'too late')
    t.same(heard, [Buffer.from('ü'), Buffer.from('b'), Buffer.from('c'), 'end'])
    t.notOk(answer.failed || answer.closed)
  })

  t.test('in object mode, with something in it already, is heard as it is', async t => {
    const stream = new PassThrough({ objectMode: true })
    stream.write('a')
    const { heard } = observe(stream)
    stream.write('b')
    stream.push('c', 'latin1')
    stream.end()
    for await (const piece of stream) t.type(piece, 'string')
    t.equal(heard.at(-1), 'end')
  })

  t.test('at its source is heard as it is given, whatever its reader puts back or never reads', async t => {
    const stream = new Readable({ read () {} })
    const { heard } = observe(stream, true)
    stream.push('a')
    stream.push('\xe9', 'latin1')
    stream.once('readable', () => stream.unshift(stream.read()))
    await new Promise(setImmediate)
    stream.push(Buffer.from('b'))
    stream.push(null)
    await new Promise(setImmediate)
    t.same(heard, [Buffer.from('a'), Buffer.from([0xe9]), Buffer.from('b'), 'end'])
  })

  t.test('that is detached says nothing more', async t => {
    const stream = new PassThrough()
    const { heard, answer } = observe(stream)
    answer.detach()
    answer.drained()
    stream.end('a')
    stream.resume()
    await new Promise(resolve => stream.once('close', resolve))
    t.same(heard, [])
    t.notOk(answer.heldBack)
  })
})

t.test('a web stream of bytes is heard, whichever reader it gets', async t => {
  const shadow = await startBackend(t)
  const gateway = await startGateway(t, {
    routes: app => {
      app.addHook('onSend', async (_request, _reply, payload) => {
        const reader = (payload as ReadableStream).getReader({ mode: 'byob' })
        const { value } = await reader.read(new Uint8Array(2))
        await reader.read(new Uint8Array(2))
        return Buffer.from(value as Uint8Array)
      })
      app.get('/', { mirror: { backends: [shadow.url], compare: { enabled: true } } }, (_, reply) => reply.send(new ReadableStream({
        type: 'bytes',
        pull (controller) {
          controller.enqueue(new Uint8Array(Buffer.from('ok')))
          controller.close()
          controller.byobRequest?.respond(0)
        }
      })))
    }
  })
  t.equal(String((await client(t, gateway.url)({})).body), 'ok')
  await until('it is compared', () => gateway.backend().compared === 1)
  t.equal(gateway.backend().matched, 1)
})
