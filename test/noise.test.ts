import httpProxy from '@fastify/http-proxy'
import t from 'tap'
import type { Test } from 'tap'
import { randomUUID } from 'node:crypto'
import { request } from 'undici'
import type { CompareRule, MirrorOptions, NoiseList, NoiseOptions, VerdictReason } from '../types/index'
import { startBackend } from './helpers/backend'
import { booksClose } from './helpers/books'
import { keepAlive, modes, startGateway } from './helpers/gateway'
import { until } from './helpers/until'

/** Time never goes back: what has been put forward stays so. */
let ahead = 0
const { now } = performance
performance.now = () => now.call(performance) + ahead

const random = () => Math.random().toString(36).slice(2) + 'z'
/** What an API answers that has noise of every kind: the first of its instances, or another one, of either version. */
function answerOf (path: string, version: 1 | 2, first: boolean) {
  if (path === '/changed') return { name: version === 1 ? 'a' : 'b', id: randomUUID() }
  if (path === '/optional') return first ? { maybe: 1, nothing: null } : { nothing: 'a' }
  if (path === '/mixed') return { mixed: first ? 1 : Math.random() < 0.5 ? 'a' : null }
  if (path === '/race') return { state: first ? 'old' : 'new' }
  if (path === '/tags') {
    return {
      tags: first ? ['a', 'b', 'c'] : ['c', 'b', 'a'],
      facets: (first ? [1, 2, 3] : [3, 1, 2]).map(id => ({ id })),
      some: first ? ['a', 'b'] : ['a']
    }
  }
  if (path === '/stable') return { name: 'a' }
  return {
    id: randomUUID(),
    at: first ? '2026-01-31T12:00:00Z' : '2026-01-31T12:00:00.4Z',
    past: first ? '2026-01-31T12:00:00Z' : '2025-01-31T12:00:00Z',
    float: first ? 0.1 : 0.1 + 1e-12,
    load: first ? 100 : 100.9,
    far: first ? 1 : 7,
    digits: first ? '1000' : '1001',
    number: first ? '1' : '7000',
    day: first ? '2026-01-31' : '2026-02-01',
    link: `https://a.example/${random()}`,
    trace: random(),
    text: `some ${random()}`,
    flag: first,
    'a[0]': randomUUID()
  }
}

interface Setup { noise?: NoiseOptions, accept?: 'auto', mirror?: Partial<MirrorOptions> }

async function setUp (t: Test, plugin: object, { noise, accept, mirror }: Setup = {}) {
  const server = (version: 1 | 2, first = false) => startBackend(t, (_, response, { url }) => {
    response.setHeader('content-type', 'application/json')
    response.setHeader('x-trace', random())
    response.setHeader('etag', `"${random()}"`)
    response.end(JSON.stringify(answerOf(url, version, first)))
  })
  const [primary, shadow, third] = [await server(1, true), await server(2), await server(1)]
  const options: MirrorOptions = {
    id: 'm',
    backends: [{ url: shadow.url, name: 'shadow' }],
    compare: { enabled: true, detailedDiff: true },
    noise: noise ?? { from: { url: third.url }, percentage: 100, accept },
    ...mirror
  }
  const gateway = await startGateway(t, {
    plugin: { ...plugin, admin: { onRequest: (_request, _reply, done) => done() } },
    async routes (app) { await app.register(httpProxy, { upstream: primary.url, config: { mirror: options } }) }
  })
  const client = keepAlive(t, gateway.url)
  const ask = async (path: string, times = 1, method: 'GET' | 'POST' = 'GET') => {
    for (let i = 0; i < times; i++) await (await client.request({ method, path })).body.dump()
    await until('all has ended', () => {
      const { repeats, backends: [{ inFlight, comparing }] } = gateway.mirror()
      return repeats?.inFlight === 0 && repeats.comparing === 0 && inFlight + comparing === 0
    })
    booksClose(t, gateway.mirror())
  }
  const list = async (): Promise<NoiseList> => {
    const { statusCode, body } = await request(`${gateway.url}/mirrors/m/noise`)
    t.equal(statusCode, 200)
    const told = await body.json()
    t.strictSame(told, JSON.parse(JSON.stringify(gateway.app.mirrors.noise('m'))), 'the route loses nothing')
    return told as NoiseList
  }
  const rules = async () => {
    const found = (await list()).proposals.map(({ rule: { at, endpoint, ...kind } }) => [`${endpoint?.split(' ')[1]} ${at}`, kind] as const)
    return Object.fromEntries(found)
  }
  const reason = (): VerdictReason | undefined => {
    return gateway.app.mirrors.verdict('m')?.backends[0].reasons.find(({ about }) => about === 'explained')
  }
  return { gateway, ask, list, rules, reason }
}

for (const { mode, plugin } of modes) {
  t.test(`${mode}: what differs between answers of one version is proposed by the tightest rule`, async t => {
    const { ask, rules, list, reason } = await setUp(t, plugin)
    t.strictSame(await list(), { dismissed: 0, proposals: [] })
    await ask('/')
    t.strictSame(await rules(), {}, 'once is too little')
    t.equal(reason(), undefined)
    await ask('/', 20)
    for (const path of ['/changed', '/optional', '/tags', '/mixed', '/race', '/stable']) await ask(path, 20)
    t.strictSame(await rules(), {
      '/ /id': { format: 'uuid' },
      '/ /at': { tolerance: '5s' },
      '/ /past': { format: 'date-time' },
      '/ /float': { tolerance: '0.0000002%' },
      '/ /load': { tolerance: '2%' },
      '/ /digits': { tolerance: '0.2%' },
      '/ /number': { format: 'opaque' },
      '/ /day': { format: 'date' },
      '/ /link': { format: 'url' },
      '/ /flag': { type: true },
      '/ /trace': { format: 'opaque' },
      '/ /text': { type: true },
      '/ /far': { type: true },
      '/ /a~30]': { format: 'uuid' },
      '/ header:x-trace': { format: 'opaque' },
      '/ header:etag': { format: 'opaque' },
      ...Object.fromEntries(['changed', 'optional', 'tags', 'mixed', 'race', 'stable'].flatMap(path => [
        [`/${path} header:x-trace`, { format: 'opaque' }], [`/${path} header:etag`, { format: 'opaque' }]
      ])),
      '/changed /id': { format: 'uuid' },
      '/optional /maybe': { optional: true },
      '/optional /nothing': { optional: true },
      '/tags /tags': { unordered: true },
      '/tags /facets': { unordered: true },
      '/tags /some/*': { optional: true },
      '/mixed /mixed': { ignore: true },
      '/race /state': { format: 'opaque' }
    })
    const { proposals } = await list()
    const id = proposals.find(({ where, endpoint }) => where === '/id' && endpoint === 'GET /')
    t.match(id, {
      basis: 'repeats',
      repeats: 21,
      differing: 21,
      cached: 0,
      compared: 21,
      mismatches: 21,
      explains: 21,
      note: null,
      text: 'differs in 21 of 21 repeats, 100 %, both in the format uuid; would explain 21 of 21 mismatches that differ there'
    })
    t.equal(id?.examples.length, 3)
    for (const { first, second } of id?.examples ?? []) t.match([first, second], [/^"[\da-f-]{36}"$/, /^"[\da-f-]{36}"$/])
    t.notOk(proposals.some(({ where }) => where === '/name'), 'what differs between the versions alone is a change')
    const told = reason()
    t.match(told, { state: 'told', text: /^explained: \d+(?:\.\d+)? % of the mismatches since .*, \d+ of \d+, by \d+ proposals of noise; accept or dismiss them$/ })
    t.ok((told?.count ?? 0) < (told?.of ?? 0), 'not those of what is changed')
  })

  t.test(`${mode}: from the shadow, a proposal says that it may be a fault`, async t => {
    const { ask, list, gateway } = await setUp(t, plugin, { noise: { from: 'shadow', percentage: 100 } })
    await ask('/race', 10)
    const { proposals } = await list()
    t.ok(proposals.length > 0)
    t.ok(proposals.every(({ note }) => note === 'the shadow differs from itself here: noise, or a fault that comes and goes'))
    const [{ id }] = proposals
    t.same(gateway.app.mirrors.decideNoise('m', { dismiss: [id, 'none'] }), { dismissed: 1, proposals: proposals.slice(1) })
    t.throws(() => gateway.app.mirrors.decideNoise('m', { dismis: [] } as never), /dismis/)
    t.equal(gateway.app.mirrors.noise('none'), undefined)
    t.equal(gateway.app.mirrors.decideNoise('none', {}), undefined)
    gateway.app.mirrors.reset('m')
    t.strictSame(await list(), { dismissed: 1, proposals: [] })
  })

  t.test(`${mode}: of other methods what has a form is proposed, and marked`, async t => {
    const { ask, list, rules } = await setUp(t, plugin)
    await ask('/', 29, 'POST')
    t.strictSame(await rules(), {})
    await ask('/', 3, 'POST')
    t.strictSame(await rules(), {
      '/ /id': { format: 'uuid' },
      '/ /a~30]': { format: 'uuid' },
      '/ /at': { tolerance: '5s' },
      '/ /float': { tolerance: '0.0000002%' },
      '/ /load': { tolerance: '2%' },
      '/ /digits': { tolerance: '0.2%' },
      '/ /past': { format: 'date-time' },
      '/ /day': { format: 'date' },
      '/ /link': { format: 'url' },
      '/ header:etag': { format: 'opaque' }
    })
    const { proposals: [first] } = await list()
    t.match(first, { basis: 'form', repeats: 0, compared: 32, note: /^weaker: / })
    t.match(first.text, /^.* in 32 of 32 comparisons$/)
  })
}

for (const { mode, plugin } of modes) {
  t.test(`${mode}: what is accepted together is in force as one change, for repeats too`, async t => {
    const { ask, list, gateway, reason } = await setUp(t, plugin)
    await ask('/', 5)
    const { proposals } = await list()
    const before = gateway.app.mirrors.verdict('m')?.period
    const left = proposals.filter(({ where }) => where === '/flag')
    const accept = proposals.filter(({ where }) => where !== '/flag').map(({ id }) => id)
    t.same(gateway.app.mirrors.decideNoise('m', { accept }), { dismissed: 0, proposals: left })
    t.strictSame(gateway.mirror().rules.map(({ rule }) => rule).sort(byPlace), proposals.filter(({ where }) => where !== '/flag').map(({ rule }) => rule).sort(byPlace))
    t.ok(gateway.mirror().rules.every(({ by }) => by === 'noise'))
    t.not(gateway.app.mirrors.verdict('m')?.period, before, 'one period begins')
    t.equal(reason(), undefined, 'and nothing of it is explained yet')
    await ask('/', 5)
    // On a busy machine there may be no time to look at all of them.
    const unsorted = gateway.app.mirrors.mismatches('m')?.unsorted ?? 0
    t.equal(reason()?.of, 5)
    t.ok((reason()?.count ?? 0) >= 5 - unsorted)
    if (unsorted === 0) t.match(reason(), { text: /by 1 proposal of noise; accept or dismiss it$/ })
    const [{ id }] = left
    gateway.app.mirrors.decideNoise('m', { accept: [id] })
    const { mismatched } = gateway.mirror().backends[0]
    const mismatchedRepeats = gateway.mirror().repeats?.mismatched
    await ask('/', 5)
    t.equal(gateway.mirror().backends[0].mismatched, mismatched, 'all of it is noise')
    t.equal(gateway.mirror().repeats?.mismatched, mismatchedRepeats)
    t.strictSame((await list()).proposals, [])
    await ask('/changed', 3)
    t.equal(gateway.mirror().backends[0].mismatched, mismatched + 3, 'a change is none')
  })

  t.test(`${mode}: rules that are sure enough need no person`, async t => {
    const { ask, rules, gateway } = await setUp(t, plugin, { accept: 'auto' })
    await ask('/', 35)
    t.strictSame(gateway.mirror().rules, [], 'within a minute they are one change')
    ahead += 61_000
    await ask('/', 1)
    const accepted = gateway.mirror().rules
    t.ok(accepted.length >= 8 && accepted.every(({ by, rule }) => by === 'noise.accept' && (rule.format ?? rule.tolerance ?? rule.unordered) !== undefined))
    t.strictSame(Object.keys(await rules()).sort(), ['/ /far', '/ /flag', '/ /number', '/ /text', '/ /trace', '/ header:etag', '/ header:x-trace'])
    const { reasons = [] } = gateway.app.mirrors.verdict('m')?.backends[0] ?? {}
    t.match(reasons.find(({ about }) => about === 'accepted'), { state: 'told', count: accepted.length, text: /^accepted: \d+ rules of noise without a person: GET \/ .* and \d+ more$/ })
    t.ok(gateway.log.some(({ msg }) => msg === 'rules were accepted as noise without a person'))
  })
}

function byPlace (a: CompareRule, b: CompareRule): number {
  return a.at < b.at ? -1 : 1
}

t.test('decisions over HTTP', async t => {
  const { ask, list, gateway } = await setUp(t, {}, { noise: { from: 'shadow', percentage: 100 } })
  await ask('/race', 10)
  const { proposals } = await list()
  const post = async (id: string, body: unknown) => {
    const headers = { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' }
    const { statusCode, body: answer } = await request(`${gateway.url}/mirrors/${id}/noise`, { method: 'POST', headers, body: JSON.stringify(body) })
    return [statusCode, await answer.json()]
  }
  t.match(await post('m', { dismiss: proposals.map(({ id }) => id) }), [200, { dismissed: proposals.length, proposals: [] }])
  t.match(await post('m', { accept: ['none'] }), [200, { proposals: [] }])
  t.match(await post('m', { dismiss: [1] }), [400, { code: 'FST_MIRROR_INVALID_OPTION' }])
  t.match(await post('none', {}), [404])
  t.equal((await request(`${gateway.url}/mirrors/none/noise`)).statusCode, 404)
})
