import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import type { Evidence } from '../lib/noise/evidence'
import { Lines } from '../lib/mismatches/lines'
import { OTHER } from '../lib/mismatches/places'
import { MismatchReporter } from '../lib/mismatches/reporter'
import { TimeShare } from '../lib/mismatches/time-share'
import type { MismatchEvent } from '../types/index'
import { startBackend } from './helpers/backend'
import { keepAlive, modes, startGateway } from './helpers/gateway'
import { TestPlaces, differenceOf } from './helpers/places'
import { until } from './helpers/until'

const COMPARE = { logMismatches: true, detailedDiff: true, redact: [] }
const DIFFERENCE = { primaryStatus: 200, shadowStatus: 500, primaryHash: 'a', shadowHash: 'b', headers: [], body: null }

function requestOf (path: string) {
  return { method: 'GET', path, sentPath: path, headers: [], body: Buffer.from('body'), complete: true }
}

t.test('a share of time is given for what was used, and saved up to a limit', async t => {
  let now = 0
  const share = new TimeShare(0.1, 10, () => now)
  const work = (ms: number): boolean => {
    const begun = share.begin()
    if (begun === null) return false
    now += ms
    share.end(begun)
    return true
  }
  t.ok(work(12), 'what is saved may be passed by one piece of work')
  t.notOk(work(1))
  now += 5
  t.notOk(work(1), 'which is paid back')
  now += 5
  t.ok(work(1))
  now += 1000
  let done = 0
  while (work(1)) done++
  t.equal(done, 12, 'ten, and a tenth of what they took')
})

t.test('past their share of time mismatches are counted by place without an example, then by endpoint, and that is said', async t => {
  let now = 0
  const events: MismatchEvent[] = []
  const lines: unknown[] = []
  const log = { warn: (fields: unknown) => { lines.push(fields) } }
  const failed = (_: string, error: unknown) => { throw error }
  let suppressed = 0
  const time = { examples: new TimeShare(0.1, 10, () => now), counting: new TimeShare(0.1, 10, () => now) }
  const reporter = new MismatchReporter({ id: 'm' }, COMPARE, event => {
    events.push(event)
    now += 20
  }, failed, count => { suppressed = count }, time)
  const places = new TestPlaces(100)
  let spared = 0
  const evidence = { spare () { spared++ }, mismatch () {} } as unknown as Evidence
  const report = (path: string) => reporter.report({
    evidence, places, endpoint: places.endpoint('GET /'), backend: 0, name: 'v2', request: requestOf(path), difference: differenceOf(DIFFERENCE), log
  })
  for (let i = 0; i < 3; i++) report(`/${i}`)
  t.match(places.list(), { withoutExample: 2, unsorted: 0, limited: false, places: [{ count: 3, where: 'status 200→500', examples: [{ request: { path: '/0' } }] }] })
  t.equal(lines.length, 1)
  t.match(events, [{ spared: 0, endpoint: 'GET /', places: [places.list().places[0].id], request: { path: '/0' } }])

  const begun = time.counting.begin() as number
  now += 30
  time.counting.end(begun)
  t.equal(spared, 0)
  report('/3')
  t.equal(spared, 1, 'for noise it is not looked at, either')
  t.match(places.list({ sort: 'frequent' }), { withoutExample: 2, unsorted: 1, limited: true, places: [{ count: 3 }, { where: OTHER, kind: null, count: 1, examples: [] }] })

  now += 1000
  report('/4')
  t.match(events[1], { spared: 3, request: { path: '/4' } })
  t.match(places.list({ sort: 'frequent' }).places[0], { count: 4, examples: [{ uses: ['first', 'most different'] }, { uses: ['latest'], request: { path: '/4' } }] })
  reporter.lines.end()
  t.equal(suppressed, 3)
  places.clear()
  t.match(places.list(), { withoutExample: 0, unsorted: 0, limited: false })
})

t.test('a line of the log and an event have the rarest place first', async t => {
  const lines: unknown[] = []
  const events: MismatchEvent[] = []
  const failed = (_: string, error: unknown) => { throw error }
  const reporter = new MismatchReporter({ id: 'm' }, COMPARE, event => { events.push(event) }, failed, () => {})
  t.teardown(() => reporter.lines.end())
  const places = new TestPlaces(100)
  const log = { warn: (fields: unknown) => { lines.push(fields) } }
  const report = (...names: string[]) => reporter.report({
    places,
    endpoint: places.endpoint('GET /\u202e'),
    backend: 0,
    name: 'v2',
    request: requestOf('/'),
    difference: differenceOf({ ...DIFFERENCE, shadowStatus: 200, headers: names.map(name => ({ name, primary: ['1'], shadow: ['2'] })) }),
    log
  })
  for (let i = 0; i < 15; i++) report('noise')
  t.equal(lines.length, 10)
  report('noise', 'rare')
  t.equal(lines.length, 11, 'the first that differs at another place, whatever else differs')
  const [rare, noise] = places.list().places
  t.match(lines.at(-1), { endpoint: 'GET /\\u{202e}', places: [rare.id, noise.id] })
  t.strictSame(events.at(-1)?.places, [rare.id, noise.id])
  t.match(rare, { where: 'header:rare', count: 1 })

  report(...Array.from({ length: 40 }, (_, i) => `new-${i}`))
  t.equal(events.at(-1)?.places.length, 32, 'an event tells so many')
  t.match(lines.at(-1), { places: { length: 16 } }, 'and a line half of them')
})

t.test('ten lines in ten seconds are logged, further kinds have their first, and the rest is told as a number', async t => {
  const told: number[] = []
  const storage = new AsyncLocalStorage<string>()
  const contexts: Array<string | undefined> = []
  const lines = new Lines(suppressed => {
    told.push(suppressed)
    contexts.push(storage.getStore())
  })
  storage.run('a request', () => {
    t.equal(Array.from({ length: 100 }, () => lines.admits('a')).filter(Boolean).length, 10)
    t.ok(lines.admits('b'), 'the first of its kind')
    t.notOk(lines.admits('b'))
    t.equal(Array.from({ length: 100 }, (_, i) => lines.admits(`kind ${i}`)).filter(Boolean).length, 9)
    lines.end()
  })
  t.same(told, [90 + 1 + 91])
  t.same(contexts, [undefined], 'which is of no request')
  lines.end()
  t.equal(told.length, 1, 'once')
})

for (const { mode, plugin } of modes) {
  t.test(`${mode}: mismatches are told in the async context of their own request`, async t => {
    const storage = new AsyncLocalStorage<string>()
    const shadow = await startBackend(t, (_, response) => { setTimeout(() => response.end('other'), 20) })
    const events: Array<[string, string | undefined]> = []
    const lines: Array<{ msg: string, reqId: string, trace?: string }> = []
    const gateway = await startGateway(t, {
      plugin: { ...plugin, onMismatch: ({ request }) => { events.push([request.path, storage.getStore()]) } },
      server: {
        genReqId: request => request.url as string,
        logger: { level: 'warn', mixin: () => ({ trace: storage.getStore() }), stream: { write: (line: string) => { lines.push(JSON.parse(line)) } } }
      },
      routes: app => {
        app.addHook('onRequest', (request, _, next) => storage.run(request.url, next))
        app.get('/*', { mirror: { backends: [shadow.url], compare: { enabled: true, logMismatches: true } } }, async () => 'ok')
      }
    })
    const client = keepAlive(t, gateway.url)
    for (const path of ['/1', '/2', '/3']) {
      await (await client.request({ method: 'GET', path })).body.dump()
      await until('it is compared', () => events.at(-1)?.[0] === path)
    }
    t.same(events, [['/1', '/1'], ['/2', '/2'], ['/3', '/3']])
    t.same(lines.filter(({ msg }) => msg === 'mirror mismatch').map(({ reqId, trace }) => [reqId, trace]), [['/1', '/1'], ['/2', '/2'], ['/3', '/3']])
  })

  t.test(`${mode}: whoever makes costly mismatches does not keep others waiting`, async t => {
    const shadow = await startBackend(t, (_, response) => response.end('other'))
    const gateway = await startGateway(t, {
      plugin,
      server: { routerOptions: { maxParamLength: 10_000 } },
      routes: app => {
        app.get('/innocent', async () => 'ok')
        app.get('/plain/*', async () => 'ok')
        app.get('/mirrored/*', { mirror: { id: 'mirrored', backends: [shadow.url], compare: { enabled: true } } }, async () => 'ok')
      }
    })
    const headers = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`a${i}`, '["%25"']))
    const waits = async (route: string): Promise<number> => {
      const state = { ends: false }
      const attackers = Array.from({ length: 4 }, async () => {
        const client = keepAlive(t, gateway.url)
        while (!state.ends) await (await client.request({ method: 'GET', path: route + '/%2525='.repeat(400), headers })).body.dump()
      })
      const client = keepAlive(t, gateway.url)
      const times: number[] = []
      for (let i = 0; i < 30; i++) {
        const begun = performance.now()
        await (await client.request({ method: 'GET', path: '/innocent' })).body.dump()
        times.push(performance.now() - begun)
        await delay(5)
      }
      state.ends = true
      await Promise.all(attackers)
      return times.sort((a, b) => a - b)[15]
    }
    await waits('/mirrored')
    await until('a thread has started', () => gateway.mirror('mirrored').backends[0].mismatched > 0, 20_000)
    const plain = await waits('/plain')
    const mirrored = await waits('/mirrored')
    t.ok(mirrored < 5 * plain + 5, `${mirrored.toFixed(1)} ms, without the mirror ${plain.toFixed(1)} ms`)
    t.ok(gateway.mirror('mirrored').backends[0].mismatched > 0)
    const list = gateway.app.mirrors.mismatches('mirrored')
    t.ok(list?.places.some(({ examples }) => examples.length > 0), 'which can be read all the same')
  })
}
