import Fastify from 'fastify'
import type { FastifyInstance, FastifyReply, FastifyServerOptions } from 'fastify'
import t from 'tap'
import type { Test } from 'tap'
import { once } from 'node:events'
import http2 from 'node:http2'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import fastifyMirror from '../lib'
import { lacks, since } from './helpers/since'

// What Fastify answers before, or instead of, a route: some of it through a request object of its own, which has no decorations.

const BAD_URL = 'the same of a method without routes'

const requests: Array<[what: string, method: string, path: string]> = [
  ['a URL that cannot be decoded', 'GET', '/%c0'],
  [BAD_URL, 'PURGE', '/%c0'],
  ['a parameter that cannot be decoded', 'GET', '/users/%c0'],
  ['a parameter that is too long', 'GET', '/users/123456'],
  ['a method that nobody knows', 'FOO', '/'],
  ['the same below a route', 'FOO', '/users/1'],
  ['a method without routes', 'PROPFIND', '/users/1'],
  ['a path without a route', 'GET', '/none']
]

/** How an app shapes these answers. */
const shapes: Record<string, { skips?: string | false, server: FastifyServerOptions, handlers: (app: FastifyInstance) => void }> = {
  'with Fastify\'s own handlers': { server: {}, handlers: () => {} },
  'with the app\'s handlers': {
    server: {
      frameworkErrors: (error, _request, reply: FastifyReply) => { reply.code(418).send({ framework: error.code }) },
      clientErrorHandler (_error, socket) { socket.end('HTTP/1.1 418 Mine\r\nconnection: close\r\n\r\nclient error') }
    },
    handlers (app) {
      app.setNotFoundHandler((request, reply) => { reply.code(410).send(`${request.method} is gone`) })
      app.setErrorHandler((error, _request, reply) => { reply.code(420).send({ handled: (error as Error).message }) })
    }
  },
  'with a handler that throws': {
    skips: lacks(since.thrownForBadUrl),
    server: {},
    handlers (app) {
      app.setNotFoundHandler(() => { throw new Error('of the not-found handler') })
      app.addHook('onError', async () => {})
    }
  }
}

for (const [shape, { skips = false, server, handlers }] of Object.entries(shapes)) {
  for (const version of [1, 2]) {
    t.test(`${shape}, HTTP/${version}: a client gets what it would without the plugin`, async t => {
      const [bare, mirrored] = await Promise.all([false, true].map(async plugin => {
        const options = { ...server, http2: version === 2, routerOptions: { maxParamLength: 5 } } as FastifyServerOptions
        const app = Fastify(options) as FastifyInstance
        t.teardown(() => app.close())
        if (plugin) await app.register(fastifyMirror, { admin: false, defaults: { backends: ['http://127.0.0.1:9'] } })
        handlers(app)
        app.get('/users/:id', plugin ? { mirror: {} } : {}, async () => 'ok')
        return await app.listen({ port: 0, host: '127.0.0.1' })
      }))
      const ask = version === 1 ? askHttp1 : askHttp2
      for (const [what, method, path] of requests) {
        if (skips !== false && what === BAD_URL) {
          t.pass(what, { skip: skips })
          continue
        }
        const expected = await ask(t, bare, method, path)
        t.equal(await ask(t, mirrored, method, path), expected, `${what}: ${method} ${path}`)
      }
    })
  }
}

/** The answer as text, head and body, but for its date. */
async function askHttp1 (_t: Test, url: string, method: string, path: string): Promise<string> {
  const { port, hostname } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.write(`${method} ${path} HTTP/1.1\r\nhost: app\r\nconnection: close\r\n\r\n`)
  return (await text(socket)).replace(/^date: .*\r\n/im, '')
}

async function askHttp2 (t: Test, url: string, method: string, path: string): Promise<string> {
  const session = http2.connect(url)
  t.teardown(() => session.destroy())
  const stream = session.request({ ':method': method, ':path': path })
  stream.end()
  const [headers] = await once(stream, 'response')
  const body = await text(stream)
  session.close()
  return JSON.stringify({ ...headers, date: '' }) + body
}
