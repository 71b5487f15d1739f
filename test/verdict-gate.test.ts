import t from 'tap'
import type { Test } from 'tap'
import { request } from 'undici'
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
  const compare = async (mirror: string) => {
    for (let i = 0; i < ENOUGH; i++) await twins.ask({ body: 'a' }, { body: mirror })
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
