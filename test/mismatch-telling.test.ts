import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { createRedactor } from '../lib/compare/redact'
import { Example } from '../lib/mismatches/example'
import { MismatchGroups } from '../lib/mismatches/groups'
import { Lines } from '../lib/mismatches/lines'
import { MismatchReporter } from '../lib/mismatches/reporter'
import { TimeShare } from '../lib/mismatches/time-share'
import type { MismatchEvent } from '../types/index'
import { startBackend } from './helpers/backend'
import { keepAlive, modes, startGateway } from './helpers/gateway'
import { until } from './helpers/until'

const COMPARE = {
  enabled: true, logMismatches: true, detailedDiff: true, maxBodyCapture: 1024, maxMismatches: 100, ignoreHeaders: [], ignoreJsonFields: [], redact: []
}
const DIFFERENCE = { primaryStatus: 200, mirrorStatus: 500, primaryHash: 'a', mirrorHash: 'b', differs: ['status' as const], headers: [], body: null }

function requestOf (path: string, headers: string[] = []) {
  return { method: 'GET', path, sentPath: path, headers, body: Buffer.from('body'), complete: true }
}

function inputOf (path: string, headers: string[] = []) {
  return { ...DIFFERENCE, backend: 'v2', time: 0, request: requestOf(path, headers) }
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

t.test('past the share of time mismatches are counted by status, and that is said', async t => {
  let now = 0
  const events: MismatchEvent[] = []
  const lines: unknown[] = []
  const log = { warn: (fields: unknown) => { lines.push(fields) } }
  const failed = (_: string, error: unknown) => { throw error }
  let suppressed = 0
  const reporter = new MismatchReporter({ id: 'm' }, COMPARE, event => {
    events.push(event)
    now += 20
  }, failed, count => { suppressed = count }, new TimeShare(0.1, 10, () => now))
  for (let i = 0; i < 3; i++) reporter.report(reporter.groups, 'v2', requestOf(`/${i}`), DIFFERENCE, log)
  const { spared, limited, groups, others } = reporter.groups.list()
  t.match({ spared, limited }, { spared: 2, limited: true })
  t.match(groups, [{ count: 1, example: { request: { path: '/0' } } }])
  t.match(others, [{ count: 2, primaryStatus: 200, mirrorStatus: 500, example: null }])
  t.match(reporter.groups.get(others[0].id), { count: 2, example: null })
  t.equal(lines.length, 1)
  t.match(events, [{ spared: 0, request: { path: '/0' } }])
  now += 1000
  reporter.report(reporter.groups, 'v2', requestOf('/3'), DIFFERENCE, log)
  t.match(events[1], { spared: 2, request: { path: '/3' } })
  reporter.lines.end()
  t.equal(suppressed, 2)
  reporter.groups.clear()
  t.equal(reporter.groups.list().spared, 0)
})

t.test('an example is masked when it is read, and holds a bounded size until then', async t => {
  let masked = 0
  const redactor = createRedactor([])
  const begin = redactor.begin.bind(redactor)
  redactor.begin = () => {
    masked++
    begin()
  }
  const secret = 'x'.repeat(100_000)
  const groups = new MismatchGroups(100)
  const many = Array.from({ length: 1500 }, (_, i) => [`a${i}`, 'b']).flat()
  groups.add({ ...DIFFERENCE, backend: 'v2' }, 0, new Example(inputOf('/1'), redactor))
  const id = groups.add({ ...DIFFERENCE, backend: 'v2' }, 0, new Example(inputOf(`/?token=${secret}`, ['cookie', secret]), redactor))
  const { groups: [group] } = groups.list()
  t.equal(masked, 0)
  t.match(group.example, { request: { path: '/?token=[redacted]', headers: [], truncated: true } })
  t.equal(group.example, groups.get(id)?.example, 'once')
  t.equal(masked, 1)
  t.ok(Object.isFrozen(group.example?.request))
  for (const input of [inputOf('/' + secret), inputOf('/', many), { ...inputOf('/'), request: { ...requestOf('/'), sentPath: secret, body: Buffer.alloc(1e6, 'x') } }]) {
    const example = new Example(input, redactor)
    t.ok(example.size < 32 * 1024, `${example.size} characters`)
    t.equal(example.read().request.truncated, true)
  }
  t.match(new Example(inputOf('/', many), redactor).read().request.headers.length, 256)
  const body = { kind: 'json' as const, truncated: false, differences: [{ pointer: '/a', change: 'added' as const, mirror: 'x'.repeat(100) }] }
  const headers = [{ name: 'x-a', primary: ['x'.repeat(100)], mirror: ['y'.repeat(100)] }]
  t.ok(new Example({ ...inputOf('/'), headers, body, request: { ...requestOf('/'), body: Buffer.alloc(0) } }, redactor).size > 300)
})

t.test('examples of one mirror hold a bounded size together; groups past it have none, or keep theirs', async t => {
  const groups = new MismatchGroups(1000)
  const redactor = createRedactor([])
  const add = (mirrorStatus: number, path: string) => groups.add({ ...DIFFERENCE, mirrorStatus, backend: 'v2' }, 0, new Example(inputOf(path), redactor))
  for (let i = 0; i < 300; i++) add(i, '/' + 'x'.repeat(4000))
  const shown = groups.list().groups.filter(({ example }) => example !== null)
  t.ok(shown.length > 100 && shown.length < 140, `${shown.length} examples of 8 KiB`)
  t.equal(groups.list().groups.length, 300)
  add(299, '/short')
  t.match(groups.list().groups[0], { count: 2, example: { request: { path: '/short' } } })
  const kept = groups.list().groups.at(-1)?.example
  t.ok(kept)
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
    t.ok([...list?.groups ?? [], ...list?.others ?? []].some(({ example }) => example !== null), 'which can be read all the same')
  })
}
