import t from 'tap'
import { Endpoint } from '../lib/endpoints/table'
import { Place } from '../lib/mismatches/place'
import { booksClose } from './helpers/books'
import { startBackend } from './helpers/backend'
import { keepAlive, modes, startGateway } from './helpers/gateway'
import { startTwins } from './helpers/twins'
import type { Reply } from './helpers/twins'
import { until } from './helpers/until'
import type { CompareRule, MirrorVerdict, MismatchPlace, RuleInForce } from '../types/index'

const GUARD = { onRequest: async () => {} }

function json (value: unknown, headers: object = {}): Reply {
  return { headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(value) }
}

const IDS = ['0b7c6e9e-8d0f-4d53-9d0f-3f1e6a5b4c3d', '1b7c6e9e-8d0f-4d53-9d0f-3f1e6a5b4c3d']
const OLD: CompareRule = { at: '/t', ignore: true }
const NEW: CompareRule[] = [
  OLD, { at: '/id', format: 'uuid' }, { at: 'header:x-a', tolerance: 1 }, { at: '/list', unordered: true }, { at: '/more', additions: true },
  { at: 'header:set-cookie/s/value', format: 'opaque' }, { at: '/n', tolerance: 2, endpoint: 'GET /other' }
]

const before = { id: IDS[0], t: 1, n: 1, list: [1, 2], more: {}, pin: 1, long: 'x'.repeat(500), gone: 1 }
const after = { id: IDS[1], t: 2, n: 2, list: [2, 1], more: { x: 1 }, pin: 2, long: 'y'.repeat(500) }

for (const { mode, plugin } of modes) {
  t.test(`${mode}: rules that are changed while it runs`, async t => {
    const lines: Array<{ msg: string, before?: object, after?: object }> = []
    const stream = { write: (line: string) => { lines.push(JSON.parse(line)) } }
    const twins = await startTwins(t, {
      plugin: { ...plugin, admin: GUARD },
      server: { logger: { level: 'info', stream } },
      compare: { rules: [OLD] }
    })
    const { app } = twins.gateway
    const ask = (method: 'GET' | 'PATCH' | 'POST', path: string, payload?: object | string) => app.inject({ method, url: `/mirrors/twins${path}`, payload })
    const verdict = () => app.mirrors.verdict('twins') as MirrorVerdict
    const places = async (): Promise<MismatchPlace[]> => (await ask('GET', '/mismatches')).json().places
    const explained = async () => Object.fromEntries((await places()).map(place => [place.where, place.explained]))
    const different = (): [Reply, Reply] => [
      json(before, { 'x-a': '1', etag: 'a', 'set-cookie': 's=a; path=/' }), json(after, { 'x-a': '2', 'set-cookie': 's=b' })
    ]

    t.equal((await twins.ask(...different())).fate, 'mismatched')
    const [period, since] = [verdict().period, verdict().since]
    t.match(verdict().backends[0].reasons.find(({ about }) => about === 'mismatches'), { count: 1, of: 1 })
    t.strictSame(new Set(Object.values(await explained())), new Set([null]))
    const snapshot = app.mirrors.get('twins') as { rules: RuleInForce[] }
    t.match(snapshot.rules, [{ rule: OLD, by: 'options' }])

    await t.test('are tried first', async t => {
      const tried = await ask('POST', '/rules/try', { rules: NEW })
      t.equal(tried.statusCode, 200)
      const { of, places } = tried.json()
      t.equal(of, 11)
      const by = Object.fromEntries(places.map(({ where, explained }: MismatchPlace) => [where, explained]))
      t.strictSame(by, {
        '/id': 'rule 2 (by its examples)',
        'header:x-a': 'rule 3 (by its examples)',
        '/list': 'rule 4 (by its examples)',
        '/more/x': 'rule 5 (by its examples)',
        'header:set-cookie/s/value': 'rule 6 (by its examples)'
      })
      t.strictSame(app.mirrors.tryRules('twins', NEW), { of, places })
      const free: CompareRule[] = [
        { at: '/**', presence: true }, { at: 'header:*', ignore: true }, { at: '/gone', optional: true }, { at: '/more/*', optional: true }
      ]
      const all = app.mirrors.tryRules('twins', free) as { of: number, places: unknown[] }
      t.equal(all.places.length, all.of, 'where no value counts, masked and cut ones do not matter')
      t.equal(app.mirrors.tryRules('twins', [{ at: '/pin', tolerance: 5 }, { at: '/long', format: 'opaque' }])?.places.length, 0, 'else they are not known')
      const both = app.mirrors.tryRules('twins', [{ at: '', ignore: true }, { at: '/list', unordered: true }])
      t.match(both?.places.find(({ where }) => where === '/list'), { explained: 'rule 2 (by its examples)' })
      t.equal(app.mirrors.tryRules('none', []), undefined)
      t.strictSame(app.mirrors.tryRules('twins', []), { of, places: [] })
      t.equal(verdict().period, period, 'and change nothing')
      for (const rules of [[{ at: '$.a', ignore: true }], 7]) {
        const refused = await ask('POST', '/rules/try', { rules })
        t.equal(refused.statusCode, 400)
        t.match(refused.json().message, /^mirror "twins": rules/)
      }
      t.equal((await app.inject({ method: 'POST', url: '/mirrors/none/rules/try', payload: { rules: [] } })).statusCode, 404)
    })

    await t.test('and take effect on the next answer, in a period of their own', async t => {
      const patched = await ask('PATCH', '', { rules: NEW, percentage: 100 })
      t.equal(patched.statusCode, 200)
      t.match(patched.json().rules, [{ rule: OLD, by: 'options' }, { rule: NEW[1], by: '127.0.0.1', since: String }])
      t.equal(verdict().since, patched.json().rules[1].since)
      t.not(verdict().period, period)
      t.ok(verdict().since > since)
      t.match(verdict().backends[0].reasons.find(({ about }) => about === 'mismatches'), { count: 0, of: 0 })
      t.strictSame(lines.filter(({ msg }) => msg === 'mirror switched').map(({ before, after }) => [before, after]), [[{ rules: [OLD] }, { rules: NEW }]])
      t.match(twins.gateway.backend(), { compared: 1, mismatched: 1 }, 'counters stay')
      t.equal((await places()).length, 11, 'and places do')
      const by = await explained()
      t.match(by, { '/id': 'rule 2 (by its examples)', '/n': null, '/gone': null, 'header:etag': null })

      const ids = json({ id: IDS[0] })
      t.equal((await twins.ask(ids, json({ id: IDS[1] }))).fate, 'matched')
      t.equal((await twins.ask(ids, json({ id: 'none' }))).fate, 'mismatched')
      t.match(verdict().backends[0].reasons.find(({ about }) => about === 'mismatches'), { count: 1, of: 2 })
      t.equal((await explained())['/id'], null, 'what still differs is not explained')
      t.equal((await explained())['header:x-a'], 'rule 3 (by its examples)')
      t.match(twins.gateway.backend(), { compared: 3, matched: 1, mismatched: 2 })
    })

    await t.test('by endpoint, too', async t => {
      t.equal((await twins.ask(json({ n: 1 }), json({ n: 2 }), { path: '/' })).fate, 'mismatched')
      app.mirrors.update('twins', { rules: [{ at: '/n', tolerance: 2, endpoint: 'GET /' }], by: 'the night shift' })
      t.match(app.mirrors.get('twins')?.rules, [{ by: 'the night shift' }])
      t.equal((await twins.ask(json({ n: 1 }), json({ n: 2 }), { path: '/' })).fate, 'matched')
      t.equal((await twins.ask(json({ n: 1 }), json({ n: 2 }), { path: '/a' })).fate, 'mismatched')
      app.mirrors.update('twins', { rules: [] })
      t.equal((await twins.ask(json({ n: 1 }), json({ n: 2 }), { path: '/' })).fate, 'mismatched')
      const { period } = verdict()
      app.mirrors.update('twins', { rules: [] })
      app.mirrors.update('twins', { percentage: 100 })
      t.equal(verdict().period, period, 'no change, no period')
    })

    await t.test('that explain a place together', async t => {
      app.mirrors.update('twins', { rules: [] })
      for (const ids of [[1, 2], [2, 1]]) await twins.ask(json({ ids: [5, 5] }), json({ ids }))
      await twins.ask(json({ ids: [5, 5] }), json({ ids: [5, 1] }))
      const rules: CompareRule[] = [{ at: '/ids/0', type: true }, { at: '/ids/1', type: true }]
      const explained = (rules: CompareRule[]) => app.mirrors.tryRules('twins', rules)?.places.find(({ where }) => where === '/ids/*')?.explained
      t.equal(explained([{ at: '/ids/*', type: true }]), 'rule 1 (by its examples)')
      t.equal(explained(rules), 'the rules together (by its examples)')
      t.equal(explained([...rules, { at: '/ids', type: true }]), 'rule 3 (by its examples)')
    })

    await t.test('are read as YAML', async t => {
      app.mirrors.update('twins', { rules: NEW })
      const yaml = await ask('GET', '/rules?format=yaml')
      t.equal(yaml.headers['content-type'], 'application/yaml; charset=utf-8')
      t.match(yaml.body, 'compare:\n  enabled: true\n  detailedDiff: true\n  rules:\n    # app.mirrors, ')
      t.match(yaml.body, '    - at: "/n"\n      tolerance: 2\n      endpoint: "GET /other"\n')
      t.strictSame((await ask('GET', '/rules')).json().rules, app.mirrors.get('twins')?.rules)
      app.mirrors.update('twins', { rules: [] })
      t.equal((await ask('GET', '/rules?format=yaml')).body, 'compare:\n  enabled: true\n  detailedDiff: true\n  rules: []\n')
      t.equal((await app.inject('/mirrors/none/rules')).statusCode, 404)
    })

    await t.test('are refused where they are wrong', async t => {
      const cases: Array<[patch: object, message: RegExp]> = [
        [{ rules: [{ at: '/a' }] }, /^mirror "twins": rules\[0\] must be a rule with exactly one of/],
        [{ rules: [{ at: 'a[0]', ignore: true }] }, /^mirror "twins": rules\[0\]\.at must be .*write "\/a\/0"/],
        [{ by: 'me' }, /^mirror "twins": by must be left out: it says who sets rules/],
        [{ rules: [], by: 7 }, /^mirror "twins": by must be 1 to/]
      ]
      const rules = app.mirrors.get('twins')?.rules
      for (const [patch, message] of cases) {
        const refused = await ask('PATCH', '', patch)
        t.equal(refused.statusCode, 400)
        t.match(refused.json().message, message)
      }
      t.strictSame(app.mirrors.get('twins')?.rules, rules)
    })

    app.mirrors.reset('twins')
    t.match(twins.gateway.backend(), { compared: 0 })
    booksClose(t, twins.gateway.mirror())
  })
}

t.test('a mirror that does not compare in detail takes no rules', async t => {
  const twins = await startTwins(t, { compare: { detailedDiff: false } })
  t.throws(() => twins.gateway.app.mirrors.update('twins', { rules: [OLD] }), { statusCode: 400, message: /left out: this mirror has no compare\.detailedDiff/ })
})

t.test('an outage goes on in the period that a change of rules begins', async t => {
  const shadow = await startBackend(t, (request, response) => request.url === '/bad' ? response.destroy() : response.end('ok'))
  const gateway = await startGateway(t, {
    routes: app => {
      const mirror = {
        id: 'm', backends: [shadow.url], breaker: { failures: 1, cooldown: 3_600_000 }, compare: { enabled: true, detailedDiff: true }
      }
      app.get('/*', { mirror }, async () => 'ok')
    }
  })
  const client = keepAlive(t, gateway.url)
  const ask = async (path: string) => (await client.request({ method: 'GET', path })).body.text()
  await ask('/bad')
  await until('the breaker is open', () => gateway.backend().breaker === 'open')
  await ask('/')
  const reasons = () => Object.fromEntries(gateway.app.mirrors.verdict('m')?.backends[0].reasons.map(reason => [reason.about, reason]) ?? [])
  const before = reasons()
  t.match(before.outages, { text: /1 outage of .*, 2 copies/ })
  gateway.app.mirrors.update('m', { rules: [OLD] })
  t.match(reasons().outages, { text: /1 outage of .*, 0 copies/ })
  const since = (text: string) => / since ([^,]+),/.exec(text)?.[1]
  t.equal(since(reasons().breaker.text), since(before.breaker.text))
  await ask('/')
  t.match(reasons().outages, { text: /1 outage of .*, 1 copies/ })
})

t.test('the slowdown is judged by the pairs since a change of rules', async t => {
  const shadow = await startBackend(t, (_, response) => { response.end('ok') })
  const gateway = await startGateway(t, {
    routes: app => {
      const mirror = {
        id: 'm', backends: [shadow.url], verdict: { maxSlowdown: 10_000 }, compare: { enabled: true, detailedDiff: true }
      }
      app.get('/*', { mirror }, async () => 'ok')
    }
  })
  const client = keepAlive(t, gateway.url)
  const ask = async () => (await client.request({ method: 'GET', path: '/' })).body.text()
  const slowdown = () => gateway.app.mirrors.verdict('m')?.backends[0].reasons.find(({ about }) => about === 'slowdown')
  await until('some pairs give a latency', async () => {
    await ask()
    return gateway.backend().latency.difference.count > 2
  })
  gateway.app.mirrors.update('m', { rules: [OLD] })
  t.match(slowdown(), { of: 0 })
  await until('one more does', async () => {
    await ask()
    return (slowdown()?.of ?? 0) > 0
  })
  t.match(slowdown(), { count: 0, p95: Number })
})

t.test('a place tells what differs in the examples that it has', async t => {
  const place = new Place({ id: 'm' }, new Endpoint('GET /'), '/a', 'changed', 1, 0)
  t.strictSame(place.differences, [])
})
