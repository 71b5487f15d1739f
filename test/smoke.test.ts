import Fastify from 'fastify'
import t from 'tap'
import fastifyMirror from '../lib'
import type { FastifyMirrorOptions } from '../types/index'
import { booksClose } from './helpers/books'
import { startBackend } from './helpers/backend'
import { keepAlive, modes, startProxy } from './helpers/gateway'
import { until } from './helpers/until'

for (const { mode, plugin } of modes) {
  t.test(`${mode}: a proxied request is mirrored, compared and counted`, async t => {
    const primary = await startBackend(t)
    const shadow = await startBackend(t)
    const gateway = await startProxy(t, primary.url, { id: 'api', backends: [shadow.url], compare: { enabled: true } }, plugin)
    const response = await keepAlive(t, gateway.url).request({ method: 'POST', path: '/a?b=c', body: 'hello' })
    t.equal(await response.body.text(), 'ok')
    await until('the copy is compared', () => gateway.backend().compared === 1)
    t.match(shadow.requests, [{ method: 'POST', url: '/a?b=c', body: Buffer.from('hello') }])
    t.equal(gateway.backend().matched, 1)
    booksClose(t, gateway.mirror())
  })
}

t.test('a registration that can not be rejects, and the process goes on', async t => {
  const twice = Fastify()
  await twice.register(fastifyMirror)
  await t.rejects(async () => { await twice.register(fastifyMirror) }, { code: 'FST_MIRROR_ALREADY_REGISTERED' })

  const wrong = { closeTimeout: 'soon' } as unknown as FastifyMirrorOptions
  await t.rejects(async () => { await Fastify().register(fastifyMirror, wrong) }, { code: 'FST_MIRROR_INVALID_OPTION' })
})
