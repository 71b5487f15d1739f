import t from 'tap'
import type { MirrorSnapshot } from '../types/index'
import { startBackend } from './helpers/backend'
import { booksClose } from './helpers/books'
import { keepAlive, modes, startGateway } from './helpers/gateway'
import { until } from './helpers/until'

for (const { mode, plugin } of modes) {
  t.test(`${mode}: a request under way at a reset reports to the counters in which it began, wherever it is`, async t => {
    const shadow = await startBackend(t, (_, response) => { answers.push(() => response.end('ok')) })
    const answers: Array<() => void> = []
    const held: Array<() => void> = []
    const gateway = await startGateway(t, {
      plugin,
      routes: app => {
        app.get('/', {
          mirror: { id: 'api', backends: [shadow.url], compare: { enabled: true } },
          preHandler: (_request, _reply, done) => { held.push(done) }
        }, async () => 'other')
      }
    })
    const client = keepAlive(t, gateway.url)
    const ask = async () => (await client.request({ method: 'GET', path: '/' })).body.text()

    const asked = ask()
    await until('the request is chosen', () => held.length === 1)
    t.match(gateway.mirror(), { pending: 1 })
    gateway.app.mirrors.reset('api')
    held[0]()
    await asked
    await until('the copy is at the shadow', () => answers.length === 1)
    t.match(gateway.mirror(), { seen: 0, pending: 0, mirrored: 0, backends: [{ offered: 0, total: 0, inFlight: 0 }] })
    booksClose(t, gateway.mirror())
    answers[0]()

    const again = ask()
    await until('the next request is chosen', () => held.length === 2)
    held[1]()
    await again
    await until('its copy is at the shadow', () => answers.length === 2)
    answers[1]()
    await until('it is compared', () => gateway.backend().compared === 1)
    const { seen, mirrored } = gateway.mirror() as MirrorSnapshot
    t.strictSame({ seen, mirrored, total: gateway.backend().total }, { seen: 1, mirrored: 1, total: 1 })
    booksClose(t, gateway.mirror())
    t.match(gateway.app.mirrors.mismatches('api')?.groups, [{ count: 1 }], 'groups are of the same set')
  })
}
