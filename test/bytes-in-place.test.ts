import httpProxy from '@fastify/http-proxy'
import type { FastifyInstance } from 'fastify'
import { createHash } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import t from 'tap'
import { startBackend } from './helpers/backend'
import { client } from './helpers/client'
import { modes, startGateway } from './helpers/gateway'
import { until } from './helpers/until'

const LENGTH = 600_000
const SENT = Buffer.alloc(LENGTH, 'a')

/** Readers that write to what they get. */
const readers: Record<string, (app: FastifyInstance) => void> = {
  'a parser wipes each piece': app => {
    app.addContentTypeParser('application/octet-stream', (_request, payload, done) => {
      const hash = createHash('sha256')
      payload.on('data', (chunk: Buffer) => {
        hash.update(chunk)
        chunk.fill(0)
      })
      payload.on('end', () => done(null, hash.digest('hex')))
    })
  },
  'a handler decodes each piece in place': app => {
    app.addContentTypeParser('application/octet-stream', (_request, payload, done) => done(null, payload))
    app.addHook('preHandler', async request => {
      for await (const chunk of request.body as Readable) chunk.fill(0)
    })
  },
  'a hook wipes the parsed body': app => {
    app.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
    app.addHook('preHandler', async request => { (request.body as Buffer).fill(0) })
  }
}

for (const { mode, plugin } of modes) {
  t.test(`${mode}: the copy has what the client sent, whatever a reader writes to it`, async t => {
    const shadow = await startBackend(t)
    const gateway = await startGateway(t, {
      plugin,
      routes: app => {
        Object.values(readers).forEach((reader, i) => app.register(async app => {
          reader(app)
          app.post(`/${i}`, { mirror: { id: String(i), backends: [shadow.url], maxBacklogBytes: 2 * LENGTH }, bodyLimit: LENGTH }, async () => 'ok')
        }))
      }
    })
    const send = client(t, gateway.url)
    for (const [i, name] of Object.keys(readers).entries()) {
      await send({ method: 'POST', path: `/${i}`, headers: { 'content-type': 'application/octet-stream' }, body: SENT })
      await until('the copy is there', () => shadow.requests.length === i + 1)
      await until('as a whole', () => gateway.mirror(String(i)).backends[0].success === 1)
      t.ok(shadow.requests[i].body?.equals(SENT), name)
    }
  })

  t.test(`${mode}: a proxied upload is copied byte for byte`, async t => {
    const primary = await startBackend(t)
    const shadow = await startBackend(t)
    const gateway = await startGateway(t, {
      plugin,
      routes: async app => { await app.register(httpProxy, { upstream: primary.url, config: { mirror: { id: 'up', backends: [shadow.url] } } }) }
    })
    await client(t, gateway.url)({ method: 'POST', path: '/', headers: { 'content-type': 'application/octet-stream' }, body: SENT })
    await until('the copy is answered', () => gateway.backend().success === 1)
    t.ok(shadow.requests[0].body?.equals(SENT) && primary.requests[0].body?.equals(SENT))
  })

  t.test(`${mode}: what is compared is what the primary answered, whatever is written to it later`, async t => {
    const body = '{"a":1' + ' '.repeat(100_000) + '}'
    const waiting: ServerResponse[] = []
    const shadow = await startBackend(t, (_, response) => { waiting.push(response) })
    const own = Buffer.alloc(body.length)
    const gateway = await startGateway(t, {
      plugin,
      routes: app => {
        const mirror = (id: string) => ({ mirror: { id, backends: [shadow.url], compare: { enabled: true, detailedDiff: true, ignoreHeaders: ['content-type'] } } })
        app.get('/whole', mirror('whole'), (_, reply) => { reply.type('application/json').send(own) })
        app.get('/stream', mirror('stream'), (_, reply) => { reply.type('application/json').send(Readable.from([own], { objectMode: false })) })
      }
    })
    const send = client(t, gateway.url)
    for (const id of ['whole', 'stream']) {
      own.write(body)
      t.equal(String((await send({ path: `/${id}` })).body), body)
      await until('the shadow is asked', () => waiting.length > 0)
      own.fill('x')
      waiting.pop()?.setHeader('content-type', 'application/json').end('{"a":1}')
      await until('they are compared', () => gateway.mirror(id).backends[0].compared === 1)
      t.equal(gateway.mirror(id).backends[0].matched, 1, id)
    }
  })
}
