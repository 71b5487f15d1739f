import Fastify from 'fastify'
import type { FastifyReply } from 'fastify'
import { EventEmitter } from 'node:events'
import t from 'tap'
import type { Test } from 'tap'
import { request } from 'undici'
import fastifyMirror from '../lib'
import { Waiting } from '../lib/admin/waiting'
import { Mirror } from '../lib/mirror/mirror'
import type { MirrorVerdict, MirrorsVerdict } from '../types/index'
import { PATIENCE, startTwins } from './helpers/twins'
import { until } from './helpers/until'

/** Comparisons that settle it. */
const ENOUGH = 20

async function start (t: Test) {
  const twins = await startTwins(t, {
    plugin: { admin: { onRequest: async () => {} } }, mirror: { verdict: { maxMismatchRate: 0.2, maxFailureRate: 0.2 } }
  })
  const { app, url } = twins.gateway
  const ask = async (query: string, path = '/twins/verdict') => {
    const { statusCode, headers, body } = await request(`${url}/mirrors${path}?${query}`)
    return { status: statusCode, headers, json: await body.json() as MirrorVerdict & MirrorsVerdict & { code: string } }
  }
  const compare = async (shadow: string) => {
    for (let i = 0; i < ENOUGH; i++) await twins.ask({ body: 'a' }, { body: shadow })
  }
  return { app, url, ask, compare }
}

t.test('the gate waits until it is decided, either way', async t => {
  const { app, ask, compare } = await start(t)
  t.match(await ask('gate'), { status: 417, json: { verdict: 'not enough data' } })
  for (const [body, status, verdict] of [['a', 200, 'ready'], ['b', 417, 'not ready']] as const) {
    app.mirrors.reset('twins')
    let ended = false
    const waiting = Promise.all([ask('gate&wait=3000'), ask('wait=3000'), ask('gate&wait=3000', '/verdict')])
    waiting.then(() => { ended = true }, () => {})
    await ask('gate')
    t.notOk(ended)
    await compare(body)
    const [one, quiet, all] = await waiting
    t.match(one, { status, json: { id: 'twins', verdict } })
    t.match(quiet, { status: 200, json: { verdict } }, 'without gate it only waits')
    t.match(all, { status, json: { verdict, mirrors: [{ id: 'twins', verdict }] } })
    t.match(await ask('gate&wait=3000'), { status }, 'what is decided is told at once')
  }
})

t.test('the gate waits no longer than it is told to, nor than the app lives', async t => {
  const { app, ask } = await start(t)
  t.match(await ask('gate&wait=1'), { status: 417, json: { verdict: 'not enough data' } })
  const waiting = ask('gate&wait=3000')
  // It has reached the handler when another, sent after it, has been answered.
  await ask('gate')
  await ask('gate')
  const closing = app.close()
  t.match(await waiting, { status: 417, json: { verdict: 'not enough data' } })
  await closing
})

t.test('only so many wait, and who leaves makes room', async t => {
  const { app, url, ask } = await start(t)
  const leave = new AbortController()
  const many = Array.from({ length: 100 }, () => request(`${url}/mirrors/twins/verdict?wait=3000`, { signal: leave.signal }))
  const left = Promise.allSettled(many)
  await until('all places are taken', async () => (await ask('wait=1')).status === 503, PATIENCE)
  t.match(await ask('wait=1'), { status: 503, headers: { 'retry-after': '5' }, json: { code: 'FST_MIRROR_TOO_MANY_WAIT' } })
  t.match(await ask('gate'), { status: 417 }, 'who does not wait needs none')
  leave.abort()
  await left
  await until('there is room again', async () => (await ask('wait=1')).status === 200, PATIENCE)
  await app.close()
})

t.test('a verdict on an older period is refused', async t => {
  const { app, ask } = await start(t)
  const before = await ask('')
  const { period, since } = before.json
  for (const good of [period, since, '2020-01-02T03:04:05Z']) t.equal((await ask(`since=${good}`)).status, 200, good)
  app.mirrors.reset('twins')
  const after = (await ask('')).json
  t.ok(after.period > period)
  t.equal((await ask(`since=${period}`)).status, 200, 'a later one is as good')
  t.match(await ask(`gate&since=${after.period}`), { status: 417 })
  for (const path of ['/twins/verdict', '/verdict']) {
    const refused = await ask('gate&wait=3000&since=2999-01-02T03:04:05Z', path)
    t.match(refused, { status: 409, json: { code: 'FST_MIRROR_OLDER_PERIOD', message: new RegExp(after.since) } })
    t.match(await ask('since=yesterday', path), { status: 400, json: { code: 'FST_MIRROR_BAD_PERIOD' } })
    t.match(await ask('wait=soon', path), { status: 400 })
  }
})

t.test('a verdict is made once a second for all who ask, but a period that began, or a switch, is seen at once', async t => {
  const { app, ask, compare } = await start(t)
  const paths = ['/twins/verdict', '/verdict']
  const read = async () => {
    const words = await Promise.all(paths.map(async path => (await ask('', path)).json.verdict))
    t.equal(words[0], words[1])
    return words[0]
  }
  await compare('a')
  app.mirrors.reset('twins')
  t.equal(await read(), 'not enough data')
  await compare('a')
  t.equal(app.mirrors.verdict('twins')?.verdict, 'ready', 'code sees it as it is')
  t.match(await ask('gate&wait=3000'), { status: 200 }, 'so does who waits')
  app.mirrors.reset('twins')
  t.equal(await read(), 'not enough data', 'nothing of the period before')
  t.equal((await ask('')).json.period, app.mirrors.verdict('twins')?.period)

  const made = t.capture(Mirror.prototype, 'verdictSteps', Mirror.prototype.verdictSteps)
  app.mirrors.reset('twins')
  await Promise.all([ask(''), ask(''), ask('', '/verdict'), ask('gate')])
  t.equal(made().length, 1, 'one for all')
  await until('a second is over', async () => {
    await ask('')
    return made().length > 0
  })
  for (const [method, path] of [['PATCH', '/mirrors/twins'], ['PATCH', '/mirrors'], ['POST', '/mirrors/twins/reset']] as const) {
    await ask('')
    made()
    await app.inject({ method, url: path, ...method === 'PATCH' && { payload: {} } })
    await ask('')
    t.equal(made().length, 1, `${method} ${path}`)
  }
})

t.test('those who wait for the same share a look', async t => {
  const { ask } = await start(t)
  const made = t.capture(Mirror.prototype, 'verdictSteps', Mirror.prototype.verdictSteps)
  await Promise.all(Array.from({ length: 50 }, () => ask('wait=1')))
  t.ok(made().length <= 12, 'as many as there were looks')
})

t.test('a look that takes longer than a pause is not begun again meanwhile', async t => {
  // The timer that looks keeps no process alive.
  const alive = setInterval(() => {}, 1000)
  t.teardown(() => clearInterval(alive))
  let looks = 0
  let goOn: () => void = () => {}
  const going = new Promise<void>(resolve => { goOn = resolve })
  const waiting = new Waiting(async () => {
    looks++
    await going
    return 'not enough data'
  })
  const reply = () => ({ raw: new EventEmitter() }) as unknown as FastifyReply
  // Its end is seen, so there were two pauses at least, and one that follows it.
  await Promise.all([waiting.wait(null, 600, reply()), waiting.wait(null, 1, reply())])
  t.equal(looks, 3, 'one for each that came, and one that goes on')
  goOn()
  waiting.close()
  await waiting.wait(null, 1000, reply())
  t.equal(looks, 3, 'nobody waits for an app that is closed')
})

t.test('of a hundred backends one is judged in a turn of the event loop', async t => {
  const backends = Array.from({ length: 100 }, (_, i) => ({ name: `${i}`, url: 'http://127.0.0.1:1' }))
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(fastifyMirror, { admin: { onRequest: async () => {} } })
  app.get('/', { mirror: { id: 'twins', backends, compare: { enabled: true } } }, async () => 'a')
  await app.ready()
  let turns = 0
  const count = () => {
    turns++
    timer = setImmediate(count)
  }
  let timer = setImmediate(count)
  const { backends: judged } = (await app.inject('/mirrors/twins/verdict')).json() as MirrorVerdict
  clearImmediate(timer)
  t.strictSame(judged.map(({ name }) => name), backends.map(({ name }) => name))
  t.ok(turns >= 100, `${turns} turns`)
})
