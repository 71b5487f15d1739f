import { execFile } from 'node:child_process'
import type { ServerResponse } from 'node:http'
import { promisify } from 'node:util'
import t from 'tap'
import type { Test } from 'tap'
import { request } from 'undici'
import { mirrorSnapshot } from '../lib/metrics/snapshot'
import { Mirror } from '../lib/mirror/mirror'
import type { Period } from '../lib/mirror/period'
import type { BackendSnapshot, MirrorVerdict, VerdictReason } from '../types/index'
import { booksClose } from './helpers/books'
import { modes, startGateway } from './helpers/gateway'
import type { Gateway } from './helpers/gateway'
import { NO_PLACES } from './helpers/places'
import { PATIENCE, startTwins } from './helpers/twins'
import { until } from './helpers/until'

const LIMITS = { maxMismatchRate: 0.2, maxFailureRate: 0.2 }
const KEY = 'letmein'
const admin = {
  onRequest: async (request: { headers: Record<string, unknown> }) => {
    if (request.headers['x-key'] !== KEY) throw Object.assign(new Error('no'), { statusCode: 401 })
  }
}

async function verdictOf (t: Test, gateway: Gateway, id = 'twins'): Promise<MirrorVerdict> {
  const headers = { 'x-key': KEY }
  const url = `${gateway.url}/mirrors/${encodeURIComponent(id)}/verdict`
  // So that it is as of now: what was changed is seen at once.
  await (await request(`${gateway.url}/mirrors`, { method: 'PATCH', headers: { ...headers, 'content-type': 'application/json' }, body: '{}' })).body.dump()
  const { statusCode, body } = await request(url, { headers })
  t.equal(statusCode, 200, 'whatever the verdict')
  const verdict = await body.json() as MirrorVerdict
  t.strictSame(timeless(verdict), timeless(gateway.app.mirrors.verdict(id)), 'the route loses nothing')

  for (const query of ['?gate', '?gate=', '?gate=1', '?x=1&gate']) {
    const gate = await request(url + query, { headers })
    t.equal(gate.statusCode, verdict.verdict === 'ready' ? 200 : 417, query)
    t.strictSame(timeless(await gate.body.json()), timeless(verdict))
  }
  return verdict
}

/** As JSON, without what the clock changes. */
function timeless (verdict: unknown): unknown {
  return JSON.parse(JSON.stringify(verdict).replace(/, in about [^";]* at the pace so far/g, ''))
}

function about (verdict: MirrorVerdict, what: VerdictReason['about']): VerdictReason | undefined {
  return verdict.backends[0].reasons.find(reason => reason.about === what)
}

for (const { mode, plugin } of modes) {
  t.test(`${mode}: the verdict on a shadow, as it is compared`, async t => {
    const before = new Date().toISOString()
    const twins = await startTwins(t, {
      plugin: { ...plugin, admin }, mirror: { verdict: { ...LIMITS, maxSlowdown: PATIENCE }, maxInFlight: 1, breaker: false }
    })
    const { gateway } = twins
    const many = async (count: number, shadow: string) => {
      for (let i = 0; i < count; i++) await twins.ask({ body: 'a' }, { body: shadow })
    }

    const none = await verdictOf(t, gateway)
    t.match(none, { id: 'twins', verdict: 'not enough data', backends: [{ name: 'shadow', verdict: 'not enough data' }] })
    t.ok(none.since >= before && none.since <= new Date().toISOString())
    t.match(none.backends[0].reasons, [
      { about: 'mismatches', state: 'undecided', count: 0, of: 0, rate: null, interval: [0, 1], limit: 0.2, needed: 18, text: /18 comparisons would settle it/ },
      { about: 'failures', state: 'undecided', text: /copies/ },
      { about: 'slowdown', state: 'undecided', count: 0, p95: null, limit: PATIENCE, needed: 75 },
      { about: 'coverage', state: 'undecided', count: 0, of: 0, rate: null, limit: 0.9 }
    ])

    await many(18, 'a')
    const some = await verdictOf(t, gateway)
    t.match(some, { verdict: 'not enough data' }, 'of latencies')
    t.match(about(some, 'mismatches'), { state: 'good', count: 0, of: 18, rate: 0, text: /\b0\b.*\b18\b.* at most 19\.1 %.*within the limit of 20 %/ })

    await many(82, 'a')
    const ready = await verdictOf(t, gateway)
    t.match(ready, { verdict: 'ready', since: none.since, backends: [{ verdict: 'ready' }] })
    t.match(about(ready, 'slowdown'), { state: 'good', count: 0, of: Number, p95: Number, text: /0 of \d+ pairs.*within the 5 % that may be/ })

    await many(20, 'b')
    const near = await verdictOf(t, gateway)
    t.match(near, { verdict: 'not enough data' })
    t.match(about(near, 'mismatches'), { state: 'undecided', count: 20, of: 120, text: /\b20\b.*\b120\b.* 16\.7 %.*not clear of.*more would settle it at this rate/ })
    await many(30, 'b')
    const bad = await verdictOf(t, gateway)
    t.match(bad, { verdict: 'not ready' })
    t.match(about(bad, 'mismatches'), { state: 'bad', count: 50, of: 150, text: /\b50\b.*\b150\b.* 33\.3 %.*over the limit of 20 %/ })

    await t.test('which a pipeline asks with curl -f', async t => {
      try {
        await promisify(execFile)('curl', ['--version'])
      } catch {
        t.pass('there is no curl here')
        return
      }
      const url = `${gateway.url}/mirrors/twins/verdict`
      const ask = (...more: string[]) => promisify(execFile)('curl', ['-fsS', '-H', `x-key: ${KEY}`, ...more])
      t.match((await ask(url)).stdout, /"verdict":"not ready"/)
      await t.rejects(ask(`${url}?gate`), { code: 22, stderr: /417/ })
      await ask('-X', 'POST', `${gateway.url}/mirrors/twins/reset`)
      await t.rejects(ask(`${url}?gate`), { code: 22, stderr: /417/ })
    })

    await t.test('and begins anew', async t => {
      const anew = await verdictOf(t, gateway)
      t.ok(anew.since > none.since)
      t.ok(anew.period > none.period)
      t.strictSame(timeless({ ...anew, since: '', period: '' }), timeless({ ...none, since: '', period: '' }), 'nothing is inherited')
      t.strictSame(gateway.app.mirrors.mismatches('twins'), NO_PLACES)
      t.match(gateway.mirror(), { seen: 0, mirrored: 0 })
      t.match(gateway.backend(), { latency: { shadow: { count: 0, p50: null }, primary: { count: 0 }, difference: { count: 0 } }, status: { '2xx': 0 } })
      await many(100, 'a')
      t.match(await verdictOf(t, gateway), { verdict: 'ready' })
      booksClose(t, gateway.mirror())
    })

    await t.test('by failures, and tells what was dropped and cut', async t => {
      let holding: (() => void) | null = null
      const held = twins.ask({ body: 'a' }, response => { holding = () => response.end('a') })
      await until('the shadow has it', () => holding)
      const dropped = await twins.client.request({ method: 'GET', path: '/' })
      await dropped.body.dump()
      ;(holding as unknown as () => void)()
      t.match(await held, { fate: 'matched' })
      const told = await verdictOf(t, gateway)
      t.match(told, { verdict: 'ready' }, 'a copy that was dropped says nothing')
      t.match(about(told, 'sample'), { state: 'told', count: 1, text: /1 too many in flight.*no random sample/ })

      const half = (response: ServerResponse) => { response.writeHead(200, { 'content-length': 2 }).write('a', () => response.destroy()) }
      for (let i = 0; i < 50; i++) t.match(await twins.ask({ body: 'a' }, half), { fate: 'body' })
      const broken = await verdictOf(t, gateway)
      t.match(broken, { verdict: 'not ready' })
      t.match(about(broken, 'failures'), { state: 'bad', count: 50, of: 151, text: /\b50\b.*\b151\b.* 33\.1 %/ })
      t.match(about(broken, 'mismatches'), { state: 'good', count: 0, of: 101 }, 'which are no mismatches')
    })
  })

  t.test(`${mode}: what is under way at a reset reports to what it began in`, async t => {
    const old: Period[] = []
    const { reset } = Mirror.prototype
    Mirror.prototype.reset = function () {
      old.push(this.period)
      reset.call(this)
    }
    t.teardown(() => { Mirror.prototype.reset = reset })

    let goOn: () => void = () => {}
    const going = new Promise<void>(resolve => { goOn = resolve })
    let waiting = 0
    const late = async () => {
      waiting++
      await going
    }
    const twins = await startTwins(t, {
      plugin: { ...plugin, admin },
      compare: { logMismatches: true },
      routes: (app, mirror) => {
        app.get('/before-the-handler', { mirror, preHandler: late }, async () => 'a')
        app.get('/slow-primary', { mirror }, async () => {
          await late()
          return 'a'
        })
        app.get('/slow-shadow', { mirror }, async () => 'a')
      }
    })
    const { gateway } = twins
    const answers = [request(gateway.url + '/before-the-handler'), request(gateway.url + '/slow-primary')]
    await until('one copy waits for the primary', () => waiting === 2 && gateway.backend().comparing === 1, PATIENCE)
    const held: Array<() => void> = []
    const ofShadow = twins.ask({ body: 'a' }, response => { held.push(() => response.end('b')) }, { path: '/slow-shadow' })
    ofShadow.catch(() => {})
    await until('another for the shadow', () => held.length === 1, PATIENCE)
    t.match(gateway.mirror(), { seen: 3, pending: 1, mirrored: 2 })
    t.match(gateway.backend(), { inFlight: 1, comparing: 1 })
    booksClose(t, gateway.mirror())

    const answer = await request(`${gateway.url}/mirrors/twins/reset`, { method: 'POST', headers: { 'x-key': KEY } })
    t.equal(answer.statusCode, 204)
    t.match(gateway.mirror(), { seen: 0, pending: 0, mirrored: 0 })
    t.match(gateway.backend(), { offered: 0, inFlight: 0, comparing: 0 })
    const started = gateway.mirror()

    goOn()
    for (const response of await Promise.all(answers)) await response.body.dump()
    await until('the copy of what waited for its handler is at the shadow', () => held.length === 2, PATIENCE)
    for (const release of held) release()
    const ended = () => snapshotOf(gateway, old[0])
    await until('all have ended', () => ended().backends[0].compared === 3, PATIENCE)
    t.strictSame({ ...gateway.mirror(), backends: [] }, { ...started, backends: [] }, 'nothing of the old ones is in the new counters')
    t.match(gateway.backend(), { offered: 0, total: 0, success: 0, compared: 0, mismatched: 0, latency: { shadow: { count: 0 } } })
    t.strictSame(gateway.app.mirrors.mismatches('twins')?.places, [])
    booksClose(t, gateway.mirror())
    booksClose(t, ended())
    t.match(ended().backends, [{ mismatched: 3 }])
    const ofOld = old[0].places.index('rarest').places.filter(({ place }) => place.where === 'body')
    t.strictSame(ofOld.map(({ place: { count, example } }) => [count, example]), Array(3).fill([1, null]), 'mismatches are with the old places, without examples')
    t.equal(twins.events.length, 3, 'and told of as ever')
    t.equal(gateway.log.filter(({ msg }) => msg === 'mirror mismatch').length, 3)

    t.match(await twins.ask({ body: 'a' }, { body: 'a' }), { fate: 'matched' })
    t.match(gateway.mirror(), { seen: 1, mirrored: 1 })
    booksClose(t, gateway.mirror())
  })
}

/** The numbers of a period that is over. */
function snapshotOf (gateway: Gateway, { books, backends }: Period) {
  const mirror = gateway.mirror()
  const [{ name, url, enabled, percentage, breaker }] = mirror.backends as BackendSnapshot[]
  return mirrorSnapshot({ ...mirror, books, backends: [{ name, url, enabled, percentage, breaker, books: backends[0] }] })
}

t.test('code can ask for all verdicts at once', async t => {
  const { app } = await startGateway(t, {
    routes: app => {
      for (const id of ['a', 'b']) app.get(`/${id}`, { mirror: { id, backends: ['http://127.0.0.1:1'], compare: { enabled: true } } }, async () => 'ok')
    }
  })
  const { verdict, mirrors } = app.mirrors.verdictAll()
  t.equal(verdict, 'not enough data')
  t.strictSame(mirrors.map(({ id }) => id), ['a', 'b'])
})
