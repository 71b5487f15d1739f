import { execFile, execFileSync } from 'node:child_process'
import { EventEmitter } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Fastify from 'fastify'
import { AggregatorRegistry, Counter, Registry, collectDefaultMetrics, register as globalRegister } from 'prom-client'
import t from 'tap'
import type { Test } from 'tap'
import fastifyMirror from '../lib'
import { ThreadEngine } from '../lib/engine/thread/main-engine'
import type { Thread } from '../lib/engine/thread/main-start'
import { BackendBooks, MirrorBooks } from '../lib/metrics/books'
import { families } from '../lib/metrics/families'
import type { AppTotals } from '../lib/metrics/families'
import { Histogram, LatencyHistograms } from '../lib/metrics/histogram'
import { Lifetime } from '../lib/metrics/lifetime'
import { LoopTime, timed } from '../lib/loop-time'
import type { FastifyMirrorOptions, MirrorOptions, MirrorSnapshot } from '../types/index'
import { REFUSED, startBackend } from './helpers/backend'
import type { Answer } from './helpers/backend'
import { booksClose } from './helpers/books'
import { samplesOf } from './helpers/exposition'
import { keepAlive, modes, startGateway } from './helpers/gateway'
import { seeded } from './helpers/random'
import { until } from './helpers/until'

interface Setup {
  plugin?: FastifyMirrorOptions
  register?: Registry
  mirror?: MirrorOptions
  answer?: Answer
}

/** A gateway whose mirror `api` has a shadow `v2`, and whose registry is read with `scrape`. */
async function setUp (t: Test, { plugin, register = new Registry(), mirror, answer }: Setup = {}) {
  const shadow = await startBackend(t, answer)
  const gateway = await startGateway(t, {
    plugin: { ...plugin, prometheus: { register } },
    routes: app => {
      app.route({
        method: ['GET', 'POST'],
        url: '/',
        mirror: { id: 'api', backends: [{ name: 'v2', url: shadow.url }], compare: { enabled: true }, ...mirror },
        handler: async () => 'ok'
      })
    }
  })
  const client = keepAlive(t, gateway.url)
  return {
    ...gateway,
    register,
    shadow,
    scrape: async () => samplesOf(await register.metrics()),
    ask: async (method: 'GET' | 'POST' = 'GET', body?: string) => {
      const headers = body === undefined ? {} : { 'content-type': 'text/plain' }
      return (await client.request({ method, path: '/', body, headers })).body.text()
    },
    idle: () => until('every copy has ended', () => gateway.mirror().backends.every(b => b.inFlight + b.comparing === 0))
  }
}

const API = '{mirror="api"}'
const V2 = '{mirror="api",backend="v2"}'
const ofV2 = (label: string, value: string) => `{mirror="api",backend="v2",${label}="${value}"}`

/** What an exposition says where the snapshot is a mirror's whole life. */
function expected (mirror: MirrorSnapshot): Record<string, number> {
  const samples: Record<string, number> = {}
  const each = (name: string, labels: (key: string) => string, counts: Record<string, number>) => {
    for (const [key, count] of Object.entries(counts)) samples[`fastify_mirror_${name}{${labels(key)}}`] = count
  }
  const own = `mirror="${mirror.id}"`
  const { disabled, filtered, looped, upgraded, unsampled, unhandled } = mirror
  each('seen_total', () => own, { seen: mirror.seen })
  each('unsent_total', reason => `${own},reason="${reason}"`, { disabled, filtered, looped, upgraded, unsampled, unhandled })
  each('mirrored_total', () => own, { mirrored: mirror.mirrored })
  each('pending', () => own, { pending: mirror.pending })
  each('enabled', () => own, { enabled: Number(mirror.enabled) })
  for (const b of mirror.backends) {
    const its = `${own},backend="${b.name}"`
    each('backend_unsent_total', reason => `${its},reason="${reason}"`, { disabled: b.disabled, unsampled: b.unsampled })
    each('dropped_total', reason => `${its},reason="${reason}"`, b.dropped)
    each('sent_total', () => its, { sent: b.total - b.inFlight })
    each('outcomes_total', outcome => `${its},outcome="${outcome}"`, { success: b.success, ...b.failure })
    each('answers_total', status => `${its},status="${status}"`, b.status)
    each('comparisons_total', result => `${its},result="${result}"`, { matched: b.matched, mismatched: b.mismatched })
    each('not_compared_total', reason => `${its},reason="${reason}"`, b.notCompared)
    each('mismatches_total', part => `${its},part="${part}"`, b.mismatches)
    each('in_flight', () => its, { inFlight: b.inFlight })
    each('breaker_state', state => `${its},state="${state}"`, Object.fromEntries(
      ['closed', 'open', 'half-open'].map(state => [state, Number(state === b.breaker)])
    ))
    each('latency_seconds_count', () => its, { count: b.latency.shadow.count })
    each('primary_latency_seconds_count', () => its, { count: b.latency.primary.count })
    each('latency_difference_seconds_count', () => its, { count: b.latency.difference.count })
  }
  return samples
}

for (const { mode, plugin } of modes) {
  t.test(`${mode}: endpoints are told only to those who ask for them, and never go down`, async t => {
    const register = new Registry()
    const silent = await setUp(t, { plugin, register: new Registry() })
    t.notMatch(await silent.register.metrics(), 'endpoint_outcomes')
    const shadow = await startBackend(t, (_, response, { url }) => response.end(url === '/a' ? 'other' : 'ok'))
    const gateway = await startGateway(t, {
      plugin: { ...plugin, prometheus: { register, endpoints: true } },
      routes: app => {
        const mirror = { id: 'api', backends: [{ name: 'v2', url: shadow.url }], compare: { enabled: true }, maxEndpoints: 3 }
        for (const path of ['/a', '/b', '/c', '/d', '/e']) app.get(path, { mirror }, async () => 'ok')
      }
    })
    const { app } = gateway
    const told = async () => Object.fromEntries(Object.entries(samplesOf(await register.metrics())).flatMap(([name, value]) => {
      const [, endpoint, outcome] = /^fastify_mirror_endpoint_outcomes_total\{mirror="api",backend="v2",endpoint="(.*?)",outcome="(.*?)"\}$/.exec(name) ?? []
      return endpoint === undefined || value === 0 ? [] : [[`${endpoint} ${outcome}`, value]]
    }))
    const ask = async (...paths: string[]) => {
      for (const path of paths) {
        await app.inject(path)
        await until('it is compared', () => gateway.backend().inFlight + gateway.backend().comparing === 0 && gateway.backend().total > 0)
      }
    }
    await ask('/a', '/a', '/b')
    t.strictSame(await told(), { 'GET /a mismatched': 2, 'GET /b matched': 1 })
    app.mirrors.reset('api')
    t.strictSame(await told(), { 'GET /a mismatched': 2, 'GET /b matched': 1 }, 'a reset changes nothing')
    await ask('/c', '/d', '/b', '/a')
    t.strictSame(await told(), { 'GET /a mismatched': 2, 'GET /b matched': 2, 'GET /c matched': 1, '(other) matched': 1, '(other) mismatched': 1 })
    app.mirrors.reset('api')
    await ask('/e', '/d', '/a')
    t.strictSame(await told(), {
      'GET /a mismatched': 3, 'GET /b matched': 2, 'GET /c matched': 1, '(other) matched': 3, '(other) mismatched': 1
    }, 'and there are no more of them in further periods')
    const before = await told()
    const other = await setUp(t, { plugin, register })
    t.strictSame(await told(), before, 'an app that does not ask for them has none in a registry that others share')
    await other.app.close()
    await app.close()
    t.notMatch(await register.metrics(), 'endpoint_outcomes')
  })

  t.test(`${mode}: what is told is what was counted`, async t => {
    const refused = REFUSED.url
    const gateway = await setUp(t, {
      plugin,
      mirror: {
        conditions: { methods: ['GET'] },
        backends: [{ name: 'refused', url: refused }, { name: 'none', url: refused, percentage: 0 }],
        breaker: { failures: 2, cooldown: 60_000 }
      }
    })
    const { app, ask, idle, mirror, scrape } = gateway
    await ask('POST', 'body')
    for (let i = 0; i < 3; i++) {
      await ask()
      await idle()
    }
    app.mirrors.update('api', { enabled: false })
    await ask()
    t.match(mirror(), {
      enabled: false, seen: 5, filtered: 1, disabled: 1, mirrored: 3, backends: [{ failure: { connect: 2 }, dropped: { breaker: 1 }, breaker: 'open' }, { unsampled: 3 }]
    })
    const samples = await scrape()
    t.match(samples, expected(mirror()))
    t.strictSame(
      Object.keys(samples).filter(name => !(name in expected(mirror())) && !/_bucket|_sum/.test(name)).sort(),
      ['fastify_mirror_buffered_bytes', 'fastify_mirror_event_loop_seconds_total{thread="main"}',
        ...mode === 'thread' ? ['fastify_mirror_event_loop_seconds_total{thread="worker"}'] : []]
    )
  })

  t.test(`${mode}: answers, comparisons and latencies are told`, async t => {
    let answers = 0
    const { ask, idle, mirror, backend, scrape } = await setUp(t, {
      plugin,
      answer: (_, response) => {
        response.statusCode = answers === 2 ? 500 : 200
        response.end(answers++ === 0 ? 'ok' : 'else')
      }
    })
    for (let i = 0; i < 3; i++) {
      await ask()
      await idle()
    }
    t.match(backend(), { status: { '2xx': 2, '5xx': 1 }, matched: 1, mismatched: 2, mismatches: { status: 1, body: 2 } })
    const samples = await scrape()
    t.match(samples, expected(mirror()))

    // A pair that spans a block of the event loop gives no latency: on a busy machine there may be fewer.
    const { latency } = backend()
    for (const [name, of] of [['latency', 'shadow'], ['primary_latency', 'primary'], ['latency_difference', 'difference']] as const) {
      const buckets = Object.entries(samples).filter(([key]) => key.startsWith(`fastify_mirror_${name}_seconds_bucket`))
      const counts = buckets.map(([, count]) => count)
      t.strictSame([...counts].sort((a, b) => a - b), counts, `each bucket of ${name} holds the smaller ones`)
      t.equal(counts.at(-1), latency[of].count)
      t.match(buckets.at(-1)?.[0], 'le="+Inf"')
      const sum = samples[`fastify_mirror_${name}_seconds_sum${V2}`]
      const p = latency[of]
      if (p.count > 0) t.ok(sum * 1000 <= (p.max as number) * 3 + 0.01 && sum !== 0, `${name} is in seconds`)
    }
  })

  t.test(`${mode}: copies in flight and bytes held are told as they are`, async t => {
    const answers: Array<() => void> = []
    const { app, ask, idle, scrape } = await setUp(t, {
      plugin, mirror: { compare: { enabled: true, detailedDiff: true } }, answer: (_, response) => { answers.push(() => response.end('ok')) }
    })
    t.equal((await scrape()).fastify_mirror_buffered_bytes, 0)
    await ask('POST', 'x'.repeat(10_000))
    await until('the copy is at the shadow', () => answers.length === 1)
    await until('its body is held', async () => (await scrape()).fastify_mirror_buffered_bytes >= 10_000)
    const samples = await scrape()
    t.equal(samples[`fastify_mirror_in_flight${V2}`], 1)
    t.equal(samples[`fastify_mirror_sent_total${V2}`], 0)
    answers[0]()
    await idle()
    t.equal((await scrape())[`fastify_mirror_in_flight${V2}`], 0)
    await until('but for an example, all is given back', async () => {
      const held = (await scrape()).fastify_mirror_buffered_bytes
      return held > 0 && held <= 4096
    })
    app.mirrors.clear('api')
    t.equal((await scrape()).fastify_mirror_buffered_bytes, 0)
  })

  t.test(`${mode}: totals go on through a reset, and hear of copies that began before`, async t => {
    const answers: Array<() => void> = []
    let mostLatencies = 0
    const { app, ask, mirror, scrape } = await setUp(t, {
      plugin, answer: (_, response) => { answers.push(() => response.end('ok')) }
    })
    const totals = async () => {
      const samples = await scrape()
      const latencies = samples[`fastify_mirror_latency_seconds_count${V2}`]
      // One that spans a block of the event loop is left out.
      t.ok(latencies <= samples[`fastify_mirror_outcomes_total${ofV2('outcome', 'success')}`])
      mostLatencies = Math.max(mostLatencies, latencies)
      t.equal(latencies, mostLatencies, 'it never goes down')
      return {
        seen: samples[`fastify_mirror_seen_total${API}`],
        inFlight: samples[`fastify_mirror_in_flight${V2}`],
        success: samples[`fastify_mirror_outcomes_total${ofV2('outcome', 'success')}`],
        matched: samples[`fastify_mirror_comparisons_total${ofV2('result', 'matched')}`]
      }
    }
    const askAndWait = async () => {
      const before = answers.length
      await ask()
      await until('the copy is at the shadow', () => answers.length === before + 1)
    }
    await askAndWait()
    app.mirrors.reset('api')
    await askAndWait()
    app.mirrors.reset('api')
    await askAndWait()
    t.strictSame(await totals(), { seen: 3, inFlight: 3, success: 0, matched: 0 })
    t.match(mirror(), { seen: 1, backends: [{ inFlight: 1 }] })

    let told = 0
    for (const answer of answers) {
      answer()
      const success = ++told
      await until('it is compared', async () => (await totals()).matched === success)
      t.strictSame(await totals(), { seen: 3, inFlight: 3 - success, success, matched: success })
    }
    t.match(mirror(), { seen: 1, backends: [{ matched: 1 }] })
    booksClose(t, mirror())
    app.mirrors.reset('api')
    app.mirrors.reset('api')
    t.strictSame(await totals(), { seen: 3, inFlight: 0, success: 3, matched: 3 })
    t.match(mirror(), { seen: 0, backends: [{ total: 0, latency: { shadow: { count: 0 } } }] })
  })

  t.test(`${mode}: a request under way at a reset reports to the counters in which it began, wherever it is`, async t => {
    const answers: Array<() => void> = []
    const held: Array<() => void> = []
    const shadow = await startBackend(t, (_, response) => { answers.push(() => response.end('ok')) })
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
    t.match(gateway.mirror(), { seen: 1, mirrored: 1, backends: [{ total: 1 }] })
    booksClose(t, gateway.mirror())
    t.match(gateway.app.mirrors.mismatches('api')?.places, [{ count: 1 }], 'places are of the same set')
  })

  t.test(`${mode}: the event loop's time is told, by thread, and grows with the work`, async t => {
    const { ask, scrape } = await setUp(t, { plugin, mirror: { compare: { enabled: true, detailedDiff: true } } })
    const body = 'x'.repeat(50_000)
    for (const thread of mode === 'thread' ? ['main', 'worker'] : ['main']) {
      const seconds = async () => (await scrape())[`fastify_mirror_event_loop_seconds_total{thread="${thread}"}`]
      const told = [await seconds()]
      while (new Set(told).size < 4) {
        await ask('POST', body)
        told.push(await seconds())
      }
      t.strictSame([...told].sort((a, b) => a - b), told, `what is told of the ${thread} thread never goes down`)
    }
  })
}

t.test('no counter ever goes down, whatever happens, and a refused copy above all', async t => {
  const random = seeded(20_250_611)
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]
  const lifetime = new Lifetime()
  const histograms = new LatencyHistograms()
  const begin = () => ({ books: new MirrorBooks(), backends: [new BackendBooks(histograms)] })
  const periods = [begin()]
  const read = () => {
    const { books, backends } = lifetime.totals(periods[periods.length - 1])
    const app: AppTotals = {
      mirrors: [{ id: 'api', enabled: true, repeats: false, endpoints: null, books, backends: [{ name: 'v2', breaker: 'closed', books: backends[0], latency: histograms }] }],
      bufferedBytes: 0,
      loopSeconds: {}
    }
    const counters: Record<string, number> = {}
    for (const { name, type, read } of families) {
      if (type === 'gauge') continue
      read(app, (labels, value, suffix = '') => {
        if (suffix !== '_sum') counters[`${name}${suffix} ${JSON.stringify(labels)}`] = value
      })
    }
    return { counters, books, backend: backends[0] }
  }

  let last = read().counters
  const names = Object.keys(last)
  for (let i = 0; i < 5000; i++) {
    const { books, backends: [backend] } = pick(periods)
    const event = pick(['skip', 'choose', 'abandon', 'offer', 'drop', 'attempt', 'attempt', 'refuse', 'fail', 'answer', 'compare', 'leave', 'reset'])
    if (event === 'skip') books.skip(pick(['disabled', 'filtered']))
    if (event === 'choose') books.choose()
    if (event === 'abandon' && books.pending > 0) books.abandon()
    if (event === 'offer' && books.pending > 0) books.offer()
    if (event === 'drop') backend.drop('error')
    if (event === 'attempt') backend.attempt()
    if (event === 'refuse' && backend.inFlight > 0) backend.refuse()
    if (event === 'fail' && backend.inFlight > 0) backend.fail('timeout')
    if (event === 'answer' && backend.inFlight > 0) backend.answer(200, random() * 20_000)
    if (event === 'compare' && backend.comparing > 0) backend.compare(pick([null, { differs: ['body'] }]), { primary: 1, difference: random() * 20_000 - 10_000 })
    if (event === 'leave' && backend.comparing > 0) backend.leaveUncompared('off')
    if (event === 'reset' && random() < 0.1) {
      lifetime.add(periods[periods.length - 1])
      periods.push(begin())
      // One that nothing reports to any more is never picked again.
      for (let old = periods.length - 2; old >= 0; old--) {
        if (periods[old].books.settled && periods[old].backends[0].settled) periods.splice(old, 1)
      }
    }
    const { counters, books: sums, backend: sum } = read()
    const falling = names.filter(name => counters[name] < last[name])
    if (falling.length > 0) return t.fail(`${event}: ${falling}`)
    const { seen, disabled, filtered, pending, unhandled, mirrored } = sums
    if (seen !== disabled + filtered + pending + unhandled + mirrored) return t.fail('seen does not close')
    if (sum.total !== sum.inFlight + sum.success + sum.failure.timeout) return t.fail('total does not close')
    last = counters
  }
  const idle = names.filter(name => last[name] === 0 && !/"le"/.test(name))
  t.ok(idle.length < names.length / 2, 'most counters were reached')
  t.ok(last['fastify_mirror_sent_total {"mirror":"api","backend":"v2"}'] > 100)
})

t.test('samples are counted by size, a bound among the smaller ones', async t => {
  const histogram = new Histogram([-0.001, 0, 0.001])
  for (const ms of [-5, -1, -0.5, 0, 0.25, 1, 1.5, 7]) histogram.observe(ms)
  t.strictSame([...histogram.counts], [2, 2, 2, 2])
  t.equal(histogram.sum.toFixed(9), '0.003250000')
  const { shadow, primary, difference } = new LatencyHistograms()
  t.strictSame(shadow.bounds, primary.bounds)
  for (const { bounds } of [shadow, difference]) t.strictSame([...bounds].sort((a, b) => a - b), bounds)
  t.ok(difference.bounds.some(bound => bound < 0) && difference.bounds.includes(0))
})

t.test('stretches of the event loop are timed by a few of them', async t => {
  /** Keeps the loop busy. */
  const spin = (ms: number) => { for (const end = performance.now() + ms; performance.now() < end;); }

  t.test('chosen at random, and weighted', async t => {
    const every = new LoopTime(true, () => 0)
    for (let i = 0; i < 4; i++) {
      const begun = every.begin()
      spin(1)
      every.end(begun)
    }
    t.ok(every.seconds >= 4 * 64 / 1000, `${every.seconds} s: each counts for 64`)

    const seldom = new LoopTime(true, seeded(7))
    let sampled = 0
    for (let i = 0; i < 64_000; i++) {
      const begun = seldom.begin()
      if (begun > 0) sampled++
      seldom.end(begun)
    }
    t.ok(sampled > 900 && sampled < 1100, `${sampled} of 64000`)
  })

  t.test('not twice where one lies in another', async t => {
    const loopTime = new LoopTime(true, () => 0)
    const outer = loopTime.begin()
    t.equal(loopTime.begin(), 0)
    loopTime.end(0)
    loopTime.end(outer)
    t.not(loopTime.begin(), 0)
  })

  t.test('as calls of a function, whatever becomes of them', async t => {
    const loopTime = new LoopTime(true, () => 0)
    const add = timed(loopTime, function (this: { base: number }, more: number) {
      spin(1)
      return this.base + more
    })
    t.equal(add.call({ base: 1 }, 2), 3)
    const before = loopTime.seconds
    t.ok(before > 0)
    const fail = timed(loopTime, () => { throw new Error('as it is') })
    t.throws(fail, new Error('as it is'))
    t.equal(add.call({ base: 1 }, 2), 3)
    t.ok(loopTime.seconds > before, 'and it goes on')
  })

  t.test('only where somebody wants to know', async t => {
    const loopTime = new LoopTime(false)
    const run = () => {}
    t.equal(timed(loopTime, run), run)
    t.equal(loopTime.begin(), 0)
    loopTime.end(0)
    t.equal(loopTime.seconds, 0)
  })
})

t.test('the time of a thread that ends stays in the total', async t => {
  let active = 0
  const threads: EventEmitter[] = []
  const engine = new ThreadEngine(1000, () => {}, () => {
    const thread = Object.assign(new EventEmitter(), {
      postMessage () {}, unref () {}, terminate: async () => 0, performance: { eventLoopUtilization: () => ({ active, idle: 0, utilization: 0 }) }
    })
    threads.push(thread)
    return thread as unknown as Thread
  })
  t.strictSame(engine.loopSeconds, { main: 0, worker: 0 })
  active = 1500
  t.equal(engine.loopSeconds.worker, 1.5)
  active = 2000
  t.equal(engine.loopSeconds.worker, 2)
  threads[0].emit('exit')
  t.equal(engine.loopSeconds.worker, 2, 'while there is none')
  active = 500
  await until('the next one runs', () => threads.length === 2)
  t.equal(engine.loopSeconds.worker, 2.5)
  t.equal(engine.bufferedBytes, 0)
  threads[1].emit('message', { ops: [], processed: 0, held: 77, slabs: [] })
  t.equal(engine.bufferedBytes, 77, 'bytes that it holds are known from its messages')
  threads[1].emit('exit')
  t.equal(engine.bufferedBytes, 0)
  await engine.close(0)
})

t.test('without a registry nothing is counted by size, and no time is taken', async t => {
  const shadow = await startBackend(t)
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(fastifyMirror)
  app.get('/', { mirror: { id: 'api', backends: [shadow.url] } }, async () => 'ok')
  await app.inject('/')
  await until('the copy is answered', () => app.mirrors.get('api')?.backends[0].success === 1)
  const books = new BackendBooks()
  books.attempt()
  books.answer(200, 1)
  t.equal(books.latency.shadow.count, 1)
})

t.test('a registry', async t => {
  const names = families.map(({ name }) => name)
  const namesIn = (register: Registry) => names.filter(name => register.getSingleMetric(name) !== undefined)

  t.test('has the metrics until the app is closed, and keeps those of others', async t => {
    const register = new Registry()
    collectDefaultMetrics({ register })
    const mine = new Counter({ name: 'mine_total', help: 'Mine.', registers: [register] })
    mine.inc(3)
    const { app, ask, scrape } = await setUp(t, { register })
    await ask()
    const samples = await scrape()
    t.equal(samples.mine_total, 3)
    t.equal(samples[`fastify_mirror_seen_total${API}`], 1)
    t.ok(samples.process_cpu_seconds_total >= 0)
    await app.close()
    t.strictSame(namesIn(register), [])
    t.equal((await scrape()).mine_total, 3)
  })

  t.test('may be the global one, with labels of its own', async t => {
    globalRegister.setDefaultLabels({ service: 'gateway' })
    t.teardown(() => globalRegister.clear())
    const { app, scrape } = await setUp(t, { register: globalRegister })
    t.equal((await scrape())['fastify_mirror_seen_total{mirror="api",service="gateway"}'], 0)
    await app.close()
    t.strictSame(namesIn(globalRegister), [])
  })

  t.test('that several apps share tells of them as one', async t => {
    const register = new Registry()
    const one = await setUp(t, { register })
    const other = await setUp(t, { register, mirror: { backends: [{ name: 'v2', url: 'http://127.0.0.1:1' }, { name: 'v3', url: 'http://127.0.0.1:1' }] } })
    await one.ask()
    await other.ask()
    await other.ask()
    await one.idle()
    await other.idle()
    const samples = await one.scrape()
    t.equal(samples[`fastify_mirror_seen_total${API}`], 3)
    t.equal(samples[`fastify_mirror_latency_seconds_count${V2}`], one.backend().latency.shadow.count)
    t.equal(samples[`fastify_mirror_outcomes_total${ofV2('outcome', 'connect')}`], 2)
    t.equal(samples['fastify_mirror_outcomes_total{mirror="api",backend="v3",outcome="connect"}'], 2)
    t.equal(samples[`fastify_mirror_enabled${API}`], 2)
    t.equal(new Set(Object.keys(samples)).size, (await register.metrics()).split('\n').filter(line => /^\w/.test(line)).length, 'each once')

    await one.app.close()
    t.equal((await one.scrape())[`fastify_mirror_seen_total${API}`], 2)
    await other.app.close()
    t.strictSame(namesIn(register), [])
  })

  t.test('that was cleared gets the metrics with the next app, and none is removed that is not ours', async t => {
    const register = new Registry()
    const { app, scrape } = await setUp(t, { register })
    register.clear()
    t.strictSame(await scrape(), {})
    const other = await setUp(t, { register })
    t.strictSame(namesIn(register), names)
    register.removeSingleMetric('fastify_mirror_seen_total')
    const foreign = new Counter({ name: 'fastify_mirror_seen_total', help: 'Of somebody else.', registers: [register] })
    await app.close()
    await other.app.close()
    t.equal(register.getSingleMetric('fastify_mirror_seen_total'), foreign as unknown)
    t.equal(namesIn(register).length, 1)
  })

  t.test('that has such a name already is refused, and left as it was', async t => {
    const register = new Registry()
    const foreign = new Counter({ name: 'fastify_mirror_mirrored_total', help: 'Of somebody else.', registers: [register] })
    const app = Fastify()
    t.teardown(() => app.close())
    await t.rejects(async () => app.register(fastifyMirror, { prometheus: { register } }), {
      message: 'A metric with the name fastify_mirror_mirrored_total has already been registered.'
    })
    t.strictSame(namesIn(register), ['fastify_mirror_mirrored_total'])
    t.equal(register.getSingleMetric('fastify_mirror_mirrored_total'), foreign as unknown)

    const shared = new Registry()
    const { scrape } = await setUp(t, { register: shared })
    shared.removeSingleMetric('fastify_mirror_mirrored_total')
    shared.registerMetric(foreign)
    await t.rejects(async () => Fastify().register(fastifyMirror, { prometheus: { register: shared } }))
    t.equal((await scrape())[`fastify_mirror_seen_total${API}`], 0, 'nor is what another app tells')
  })

  t.test('that is reset goes on counting', async t => {
    const { register, ask, scrape } = await setUp(t)
    await ask()
    register.resetMetrics()
    t.equal((await scrape())[`fastify_mirror_seen_total${API}`], 1)
  })

  t.test('may write OpenMetrics', async t => {
    const register = new Registry()
    const { ask } = await setUp(t, { register })
    register.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as typeof register.contentType)
    await ask()
    for (let i = 0; i < 2; i++) {
      const text = await register.metrics()
      t.match(text, '# TYPE fastify_mirror_seen counter\nfastify_mirror_seen_total{mirror="api"} 1\n')
      t.match(text, '# TYPE fastify_mirror_latency_seconds histogram\nfastify_mirror_latency_seconds_bucket{mirror="api",backend="v2",le="0.0005"}')
      t.ok(text.endsWith('# EOF\n'))
    }
  })

  t.test('may be merged with others', async t => {
    const { register, ask } = await setUp(t)
    await ask()
    const other = new Registry()
    collectDefaultMetrics({ register: other })
    t.equal(samplesOf(await Registry.merge([register, other]).metrics())[`fastify_mirror_seen_total${API}`], 1)
  })

  t.test('of each process of a cluster is summed by prom-client', async t => {
    const one = await setUp(t)
    const other = await setUp(t)
    await one.ask()
    await other.ask()
    await other.ask()
    await one.idle()
    await other.idle()
    const sent = JSON.stringify([await one.register.getMetricsAsJSON(), await other.register.getMetricsAsJSON()])
    const samples = samplesOf(await AggregatorRegistry.aggregate(JSON.parse(sent)).metrics())
    const [mine, theirs] = [await one.scrape(), await other.scrape()]
    t.strictSame(Object.keys(samples).sort(), Object.keys(mine).sort())
    for (const name of Object.keys(mine)) {
      if (!name.includes('event_loop')) t.equal(samples[name], mine[name] + theirs[name], name)
    }
    t.equal(samples[`fastify_mirror_seen_total${API}`], 3)
    t.equal(samples[`fastify_mirror_latency_seconds_bucket${ofV2('le', '+Inf')}`], samples[`fastify_mirror_latency_seconds_count${V2}`])
  })
})

t.test('names and labels are those that Prometheus wants, with no more values than were configured', async t => {
  const id = 'odd "quotes" \\ and {braces}'
  const { ask, register } = await setUp(t, { mirror: { id } })
  await ask()
  const text = await register.metrics()
  t.match(text, 'fastify_mirror_seen_total{mirror="odd \\"quotes\\" \\\\ and {braces}"} 1')
  for (const { name, type, help } of families) {
    t.match(name, /^fastify_mirror_[a-z]+(_[a-z]+)*$/)
    t.equal(name.endsWith('_total'), type === 'counter', name)
    t.match(help, /^[A-Z].*\.$/)
  }
  const labels = new Set([...text.matchAll(/[{,](\w+)="/g)].map(([, label]) => label))
  t.strictSame([...labels].sort(), ['backend', 'le', 'mirror', 'outcome', 'part', 'reason', 'result', 'state', 'status', 'thread'])
})

/** Real tools that read what is written; a run at the door has them. */
function promtool (t: Test): boolean {
  try {
    execFileSync('promtool', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    if (process.env.CI !== undefined) t.fail('promtool is missing: it comes with the Debian package prometheus')
    else t.pass('skipped: promtool is not installed; it comes with the Debian package prometheus')
    return false
  }
}

async function check (args: string[], input = ''): Promise<string> {
  return new Promise(resolve => {
    const child = execFile('promtool', args, (error, stdout, stderr) => resolve(error === null ? '' : `${error.message}\n${stdout}${stderr}`))
    child.stdin?.end(input)
  })
}

t.test('promtool finds nothing to say about the exposition', async t => {
  if (!promtool(t)) return
  const { ask, idle, register } = await setUp(t, { plugin: { thread: true } })
  await ask()
  await ask('POST', 'body')
  await idle()
  t.equal(await check(['check', 'metrics'], await register.metrics()), '')
  t.match(await check(['check', 'metrics'], '# HELP wrong Wrong.\n# TYPE wrong counter\nwrong 1\n'), /_total/, 'as it would')
})

t.test('the dashboard asks for metrics that are there, in queries that Prometheus understands', async t => {
  const text = await readFile(join(__dirname, '../examples/grafana/dashboard.json'), 'utf8')
  const dashboard = JSON.parse(text)
  const queries: string[] = dashboard.panels.flatMap((panel: { targets?: Array<{ expr: string }> }) => panel.targets ?? [])
    .map(({ expr }: { expr: string }) => expr)
  const { ask, idle, scrape, register } = await setUp(t, {
    mirror: { compare: { enabled: true, detailedDiff: true }, noise: { from: 'shadow' } }
  })
  await ask()
  await idle()
  const there = new Set(Object.keys(await scrape()).map(name => name.replace(/\{.*/, '')))
  const asked = new Set(text.match(/\bfastify_mirror_\w+/g))
  t.strictSame([...asked].filter(name => !there.has(name)), [], 'every name is one of the exposition')
  t.strictSame(
    families.map(({ name, type }) => type === 'histogram' ? `${name}_bucket` : name).filter(name => !asked.has(name)), [], 'and all of them are shown'
  )
  const exposition = await register.metrics()
  for (const [, label, value] of text.matchAll(/(\w+)(?:=|!=)\\"(\w+)\\"/g)) t.match(exposition, `${label}="${value}"`)

  const ids = dashboard.panels.map(({ id }: { id: number }) => id)
  t.equal(new Set(ids).size, ids.length)
  t.ok(dashboard.panels.every(({ gridPos: { x, w } }: { gridPos: { x: number, w: number } }) => x + w <= 24))

  if (!promtool(t)) return
  const dir = await mkdtemp(join(tmpdir(), 'fastify-mirror-'))
  t.teardown(() => rm(dir, { recursive: true }))
  const rules = queries.map((expr, i) => ({ record: `panel:${i}`, expr: expr.replaceAll('$__rate_interval', '5m').replace(/\$\w+/g, '.*') }))
  // JSON is YAML.
  await writeFile(join(dir, 'rules.yaml'), JSON.stringify({ groups: [{ name: 'dashboard', rules }] }))
  t.equal(await check(['check', 'rules', join(dir, 'rules.yaml')]), '')
})
