import type { FastifyInstance } from 'fastify'
import Fastify from 'fastify'
import httpProxy from '@fastify/http-proxy'
import { readdirSync } from 'node:fs'
import http, { createServer } from 'node:http'
import { join } from 'node:path'
import type { BrowserContextOptions, Locator, Page } from 'playwright-core'
import t from 'tap'
import type { Test } from 'tap'
import fastifyMirror from '../lib'
import type { PageState } from '../lib/admin/page-data'
import type { FastifyMirrorOptions, MirrorOptions, MirrorSnapshot, PlaceSummary } from '../types/index'
import { startBackend, track } from './helpers/backend'
import type { Answer } from './helpers/backend'
import { HOSTS, closeBrowser, noBrowser, openPage } from './helpers/browser'
import type { Looked } from './helpers/browser'
import { keepAlive, startGateway } from './helpers/gateway'
import type { Gateway } from './helpers/gateway'
import { until } from './helpers/until'

t.teardown(closeBrowser)

const COOKIE = 'session=ops'
const FILES = [...readdirSync(join(__dirname, '../lib/admin/ui')), 'reasons.mjs'].map(name => name === 'page.html' ? '/ui' : `/ui/${name}`)

/** A guard that lets everybody in. */
const open: FastifyMirrorOptions = { admin: { onRequest: async () => {} } }

/** A guard that knows operators by a cookie. */
const guarded: FastifyMirrorOptions = {
  admin: {
    onRequest: async (request, reply) => {
      if (request.headers.cookie !== COOKIE) return reply.code(401).send({ message: 'operators only' })
    }
  }
}

interface Setup {
  plugin?: FastifyMirrorOptions
  mirror?: MirrorOptions
  /** What the shadow answers. */
  answer?: Answer
  routes?: (app: FastifyInstance, shadow: string) => void | Promise<void>
}

/** A gateway with a mirror `api` on `GET /api`, whose primary answers `{ version: 1 }`. */
async function setUp (t: Test, { plugin = open, mirror, answer, routes }: Setup = {}) {
  const shadow = await startBackend(t, answer ?? json({ version: 1 }))
  const gateway = await startGateway(t, {
    plugin,
    server: { forceCloseConnections: true, logger: false },
    routes: async app => {
      const backends = [{ name: 'v2', url: shadow.url }]
      const options = { id: 'api', backends, compare: { enabled: true, detailedDiff: true }, ...mirror }
      app.get('/api', { mirror: options }, async () => ({ version: 1 }))
      await routes?.(app, shadow.url)
    }
  })
  return { ...gateway, shadow, send: (count = 1, path = '/api') => send(gateway, count, path) }
}

/** So many requests, and their copies, have ended. */
async function send ({ app }: Gateway, count: number, path: string): Promise<void> {
  for (let i = 0; i < count; i++) await app.inject(path)
  const ended = ({ pending, backends }: MirrorSnapshot) => pending === 0 && backends.every(({ inFlight, comparing }) => inFlight + comparing === 0)
  await until('the copies have ended', () => Object.values(app.mirrors.list()).every(ended))
}

function json (body: unknown, headers: Record<string, string> = {}): Answer {
  return (_, response) => response.writeHead(200, { 'content-type': 'application/json; charset=utf-8', ...headers }).end(JSON.stringify(body))
}

async function stateOf ({ app }: Gateway, mirror?: string): Promise<PageState> {
  const query: Record<string, string> = mirror === undefined ? {} : { mirror }
  return (await app.inject({ url: '/mirrors/ui/state', query })).json()
}

t.test('without a guard there is nothing of the page', async t => {
  const { app } = await setUp(t, { plugin: {} })
  for (const path of [...FILES, '/ui/state', '/ui/place?mirror=api&place=a&base=http://a']) {
    t.equal((await app.inject(`/mirrors${path}`)).statusCode, 404, path)
  }
})

t.test('whom the guard refuses gets nothing of the page', async t => {
  const { app } = await setUp(t, { plugin: guarded })
  const asked = [
    ...[...FILES, '/ui/state', '/ui/state?mirror=api', '/ui/place?mirror=api&place=a&base=http://a'].map(path => ['GET', path] as const),
    ['PATCH', ''], ['PATCH', '/api'], ['POST', '/api/reset'], ['DELETE', '/api/mismatches']
  ] as const
  for (const [method, path] of asked) {
    const refused = await app.inject({ method, url: `/mirrors${path}`, ...method === 'PATCH' && { payload: { enabled: false } } })
    t.equal(refused.statusCode, 401, `${method} ${path}`)
    t.strictSame(refused.json(), { message: 'operators only' })
  }
  t.equal(app.mirrors.enabled && app.mirrors.get('api')?.enabled, true)
})

t.test('every file may do as little as it needs, and is of its own type', async t => {
  const { app } = await setUp(t)
  const types = { html: 'text/html; charset=utf-8', mjs: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8', svg: 'image/svg+xml' }
  for (const path of FILES) {
    const { statusCode, headers, body } = await app.inject(`/mirrors${path}`)
    t.equal(statusCode, 200, path)
    const kind = (path === '/ui' ? 'html' : path.split('.').at(-1)) as keyof typeof types
    t.match(headers, {
      'content-type': types[kind],
      'content-security-policy': /^default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; .*frame-ancestors 'none'/,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store'
    })
    t.notMatch(headers['content-security-policy'], /unsafe|\*|http|data:/)
    t.notMatch(body.replace('http://www.w3.org/2000/svg', ''), /https?:\/\/[^$]/, 'names no other host')
    if (kind !== 'html') continue
    t.notMatch(body, /\sstyle=|\son\w+=|<style|<script>|javascript:/i, 'nothing inline')
    for (const [, link] of body.matchAll(/(?:href|src)="(ui\/[^"]+)"/g)) t.ok(FILES.includes(`/${link}`), link)
  }
})

t.test('an address with a slash at its end leads to the page, where the app takes both', async t => {
  const app = Fastify({ routerOptions: { ignoreTrailingSlash: true } })
  t.teardown(() => app.close())
  await app.register(fastifyMirror, open)
  t.match(await app.inject('/mirrors/ui/?a=b'), { statusCode: 302, headers: { location: '../ui' } })
  t.match(await app.inject('/mirrors/ui?a=/b/'), { statusCode: 200 })
})

const changes = [
  ['PATCH', '/mirrors', { enabled: true }],
  ['PATCH', '/mirrors/api', { enabled: true }],
  ['DELETE', '/mirrors/api/mismatches'],
  ['POST', '/mirrors/api/reset']
] as const

const origins = [
  ['no browser', {}, true],
  ['this page', { 'sec-fetch-site': 'same-origin', origin: 'https://ops.example' }, true],
  ['whoever typed it', { 'sec-fetch-site': 'none' }, true],
  ['another page', { 'sec-fetch-site': 'cross-site', origin: 'https://elsewhere.example' }, false],
  ['another page that claims to be this one', { 'sec-fetch-site': 'cross-site', origin: 'https://ops.example' }, false],
  ['another page that says no more', { 'sec-fetch-site': 'cross-site' }, false],
  ['a page of the same site', { 'sec-fetch-site': 'same-site', origin: 'https://www.ops.example' }, false],
  ['this page, over plain HTTP', { origin: 'http://OPS.example' }, true],
  ['another page, over plain HTTP', { origin: 'http://elsewhere.example' }, false],
  ['another port, over plain HTTP', { origin: 'http://ops.example:8080' }, false],
  ['a page of nowhere', { origin: 'null' }, false]
] as const

for (const [who, headers, may] of origins) {
  t.test(`${who} ${may ? 'may' : 'may not'} read or change anything`, async t => {
    const { app } = await setUp(t)
    for (const [method, url, payload] of changes) {
      const answer = await app.inject({ method, url, payload, headers: { host: 'ops.example', ...headers } })
      t.match(answer.statusCode, may ? /^20[04]$/ : /^403$/, `${method} ${url}`)
      if (!may) t.match(answer.json(), { code: 'FST_MIRROR_OTHER_ORIGIN', message: /may not read or change anything at ops\.example; a proxy/ })
    }
    t.equal((await app.inject({ url: '/mirrors', headers: { host: 'ops.example', ...headers } })).statusCode, may ? 200 : 403, `${may ? 'may' : 'may not'} read`)
  })
}

t.test('over plain HTTP, behind a proxy that changes Host, this page may change anything where the proxy is trusted', async t => {
  for (const trustProxy of [true, false]) {
    const app = Fastify({ trustProxy })
    t.teardown(() => app.close())
    await app.register(fastifyMirror, open)
    const headers = { origin: 'http://ops.example', host: '10.0.0.1:3000', 'x-forwarded-host': 'ops.example' }
    const answer = await app.inject({ method: 'PATCH', url: '/mirrors', headers, payload: { enabled: true } })
    t.equal(answer.statusCode, trustProxy ? 200 : 403)
  }
})

t.test('the page is told what it shows, in one answer', async t => {
  const shadowAnswer: Answer = (request, response, received) => json({ version: 2, [`key${received.url.slice(5)}`]: 1 })(request, response, received)
  const gateway = await setUp(t, { answer: shadowAnswer, mirror: { maxPlaces: 3 } as MirrorOptions })
  const { app, send } = gateway
  for (let i = 0; i < 5; i++) await send(1, `/api?${'abcde'[i]}`)

  const { mirrors, mirror, ...rest } = await stateOf(gateway, 'api')
  t.match(rest, { prefix: '/mirrors', enabled: true, instance: /^[\w-]{36}$/, time: /Z$/ })
  t.match(mirrors, [{ id: 'api', seen: 5, enabled: true, percentage: 100, verdict: 'not ready', backends: [{ name: 'v2', total: 5, failed: 0, compared: 5, mismatched: 5, breaker: 'closed' }] }])
  t.type(mirrors[0].backends[0].shadow.p95, 'number')
  t.strictSame(mirror?.snapshot, (await app.inject('/mirrors/api')).json())
  t.strictSame(mirror?.verdict, (await app.inject('/mirrors/api/verdict')).json())
  t.match(mirror?.places, { total: 4, limit: 3, limited: true })
  const rows = (state: PageState) => state.mirror?.places.places.map(({ where, count }) => [where, count])
  t.strictSame(rows({ mirror } as PageState), [['/keyb', 1], ['/keya', 1], ['/version', 5], ['(other places)', 3]])
  t.notOk(mirror?.places.places.some(place => 'examples' in place), 'examples are had one by one')
  const ask = async (query: object) => (await app.inject({ url: '/mirrors/ui/state', query: { mirror: 'api', ...query } })).json()
  t.strictSame(rows(await ask({ sort: 'frequent' })), [['/version', 5], ['(other places)', 3], ['/keya', 1], ['/keyb', 1]])
  t.strictSame(rows(await ask({ endpoint: 'GET /' })), [])
  t.equal((await app.inject({ url: '/mirrors/ui/state', query: { mirror: 'api', sort: 'worst' } })).statusCode, 400)

  for (const { id } of mirror?.places.places as PlaceSummary[]) {
    const query = { mirror: 'api', place: id, base: 'https://ops.example/gateway' }
    const { examples } = (await app.inject({ url: '/mirrors/ui/place', query })).json()
    t.ok(examples.length > 0)
    for (const { request, curl } of examples) {
      t.match(request, { method: 'GET', path: /^\/api\?[a-e]$/ })
      t.match(curl.shadow, `--url '${gateway.shadow.url}/api?`)
      t.match(curl.primary, "--url 'https://ops.example/gateway/api?")
    }
  }
  t.equal((await stateOf(gateway)).mirror, null)
  t.equal((await stateOf(gateway, 'none')).mirror, null)
  for (const [mirror, place] of [['api', 'none'], ['none', 'none']]) {
    t.equal((await app.inject({ url: '/mirrors/ui/place', query: { mirror, place, base: 'http://a' } })).statusCode, 404)
  }
  t.equal((await app.inject({ url: '/mirrors/ui/place', query: { mirror: 'api', place: 'a', base: 'javascript:a' } })).statusCode, 400)
})

t.test('all who look share the rows for a second, but see each change', async t => {
  const gateway = await setUp(t)
  const { app, send } = gateway
  t.match((await stateOf(gateway)).mirrors, [{ seen: 0 }])
  await send()
  t.match((await stateOf(gateway)).mirrors, [{ seen: 0 }])
  await app.inject({ method: 'PATCH', url: '/mirrors/api', payload: { percentage: 50, backends: { v2: { enabled: false } } } })
  t.match(await stateOf(gateway), { enabled: true, mirrors: [{ seen: 1, enabled: true, percentage: 50 }] })
  t.match(gateway.backend(), { enabled: false })
  await app.inject({ method: 'PATCH', url: '/mirrors', payload: { enabled: false } })
  t.match(await stateOf(gateway), { enabled: false, mirrors: [{ enabled: false, percentage: 50 }] })
  await app.inject({ method: 'POST', url: '/mirrors/api/reset' })
  t.match((await stateOf(gateway)).mirrors, [{ seen: 0 }])
})

t.test('the page is told of the endpoints that somebody ought to look at, as far as there is room', async t => {
  const names = Array.from({ length: 60 }, (_, i) => ({ name: `${i}`.padEnd(90, 'x'), url: `http://127.0.0.1:${i + 1}`, percentage: 0 }))
  const gateway = await setUp(t, { mirror: { backends: names, endpoint: ({ path }) => path.slice(-2) } })
  for (let i = 10; i < 60; i++) await gateway.send(1, `/api?${i}`)
  const { total, endpoints } = (await stateOf(gateway, 'api')).mirror?.endpoints ?? { total: 0, endpoints: [] }
  t.equal(total, 50)
  t.ok(endpoints.length > 5 && endpoints.length < 20, `${endpoints.length}`)
})

// In a real browser.

type Look = (gateway: Gateway, address?: string, options?: BrowserContextOptions & { url?: string }) => Promise<Page>

/** Tests what is seen with `look`, and that the browser had nothing to complain of and asked nobody else. */
function inBrowser (name: string, test: (t: Test, look: Look) => Promise<void>): void {
  t.test(name, { skip: noBrowser }, async t => {
    const seen: Array<Looked & { url: string }> = []
    await test(t, async (gateway, address = '', { url = `${gateway.url}/mirrors/ui`, ...options } = {}) => {
      const looked = await openPage(t, options)
      seen.push({ ...looked, url })
      await looked.page.goto(url + address)
      return looked.page
    })
    for (const { complaints, requests, url } of seen) {
      t.strictSame(complaints, [], 'the browser has nothing to complain of')
      const prefix = url.slice(0, -'/ui'.length)
      t.strictSame(requests.filter(asked => !asked.startsWith(prefix)), [], 'nothing else is asked for')
    }
  })
}

interface Stage { name: string, count: number, losses: Array<{ count: number, label: string }> }

/** The traffic as the page shows it. */
function flowOn (page: Page): Promise<Stage[]> {
  return page.locator('.flow').first().evaluate(flow => {
    const numberOf = (text: string | null | undefined) => Number((text ?? '').replace(/[,−]/g, ''))
    return [...flow.children].map(stage => ({
      name: stage.querySelector('.stage-name')?.textContent ?? '',
      count: numberOf(stage.querySelector('strong')?.textContent),
      losses: [...stage.querySelectorAll('.losses li')].map(loss => ({
        count: numberOf(loss.querySelector('.number')?.textContent),
        label: loss.textContent?.replace(/^\S+ /, '') ?? ''
      }))
    }))
  })
}

/** Waits until a stage of the traffic shows that number. */
async function shows (page: Page, stage: string, count: number | string): Promise<void> {
  await page.locator('.flow > li', { hasText: stage }).first().locator('strong', { hasText: new RegExp(`^${count}$`) }).waitFor()
}

async function focusComes (element: Locator): Promise<void> {
  await until('it has the focus', () => element.evaluate(node => node === node.ownerDocument.activeElement))
}

function switchOf (page: Page, name: string): Locator {
  return page.getByRole('switch', { name, exact: true })
}

inBrowser('numbers move by themselves, and add up', async (t, look) => {
  let answer: Answer = json({ version: 1 })
  const gateway = await setUp(t, {
    mirror: { percentage: 50, sampleBy: 'x-key', conditions: { headers: { 'x-mirror': true } }, breaker: { failures: 2, cooldown: 60_000 } },
    answer: (...received) => answer(...received)
  })
  const { app } = gateway
  const page = await look(gateway)
  await page.getByRole('heading', { name: 'api', exact: true }).waitFor()
  await shows(page, 'Seen', 0)
  await page.getByText('No samples yet.').waitFor()
  await page.locator('.verdict').getByText(/^What is still to be settled: mismatches \([\d,]+ more\), failures /).waitFor()

  const request = async (headers: Record<string, string> = {}) => { await app.inject({ url: '/api', headers }) }
  for (let i = 0; i < 5; i++) await request()
  for (let i = 0; i < 40; i++) await request({ 'x-mirror': 'yes', 'x-key': `key ${i}` })
  await gateway.send(0)
  answer = json({ version: 2 })
  for (let i = 0; i < 20; i++) await request({ 'x-mirror': 'yes', 'x-key': `key ${i}` })
  await gateway.send(0)
  answer = request => request.socket.destroy()
  for (let i = 0; i < 40; i++) {
    await request({ 'x-mirror': 'yes', 'x-key': `key ${i}` })
    await gateway.send(0)
  }

  await shows(page, 'Seen', 105)
  const flow = await flowOn(page)
  t.strictSame(flow.map(({ name }) => name), ['Seen', 'Passed filters', 'Sampled', 'Sent', 'Answered', 'Matched'])
  for (const [i, { name, count, losses }] of flow.entries()) {
    if (i > 0) t.equal(count, flow[i - 1].count - losses.reduce((sum, loss) => sum + loss.count, 0), `${name} adds up`)
  }
  const { unsampled, backends: [{ dropped, failure, matched, mismatched }] } = gateway.mirror()
  t.match(flow.map(({ losses }) => losses), [
    [],
    [{ count: 5, label: 'conditions not met' }],
    [{ count: unsampled, label: 'not sampled' }],
    [{ count: dropped.breaker, label: 'dropped: breaker open' }],
    [{ count: failure.reset, label: 'reset' }],
    [{ count: mismatched, label: 'mismatched' }]
  ])
  t.ok(unsampled > 0 && dropped.breaker > 0 && matched > 0 && mismatched > 0)
  await page.getByText('Too many failures in a row: the shadow is left alone for a while.', { exact: true }).waitFor()
  await page.getByText('breaker open', { exact: true }).first().waitFor()
  await page.locator('.verdict').getByText('Not ready').waitFor()
  await page.locator('.verdict').getByText(/^What keeps it from being ready: .*breaker/).waitFor()
  await page.locator('.reasons').getByText(/^Bad: Mismatches: \d+ of \d+ comparisons/).or(page.locator('.reasons').getByText(/^Mismatches: \d+ of \d+ comparisons/)).first().waitFor()
  await page.getByRole('img', { name: /^Latency since .*: shadow p95 [\d.]+ ms, primary p95 [\d.]+ ms$/ }).waitFor()
  t.match(await page.locator('.chart .line.shadow.p50').getAttribute('d'), /^M[\d.]+ [\d.]+h0/, 'a line that began where the samples did')
})

inBrowser('endpoints are a table, to be searched and sorted', async (t, look) => {
  const gateway = await setUp(t, {
    answer: (request, response, received) => json({ version: received.url === '/api?c' ? 2 : 1 })(request, response, received),
    mirror: { compare: { enabled: true }, endpoint: ({ path }) => `kind ${path.slice(5)}` }
  })
  const page = await look(gateway)
  t.equal(await page.locator('.endpoints').isVisible(), false, 'there is none yet')
  for (const [i, kind] of [...'abcdefg'].entries()) await gateway.send(7 - i, `/api?${kind}`)
  await gateway.send(20, '/api?c')
  await page.getByRole('heading', { name: '7 endpoints' }).waitFor()
  const rows = () => page.locator('.endpoints tbody tr').evaluateAll(lines => lines.map(line => line.querySelector('code')?.textContent))
  const sort = page.locator('.tools select').first()
  await until('the worst is first', async () => (await rows())[0] === 'kind c')
  await page.locator('.endpoints tr[data-state="not ready"]', { hasText: '25 · 100 %' }).waitFor()
  await sort.selectOption('name')
  t.strictSame(await rows(), [...'abcdefg'].map(kind => `kind ${kind}`))
  for (const order of ['busiest', 'slowest', 'latest']) {
    await sort.selectOption(order)
    t.equal((await rows()).length, 7)
  }
  t.equal((await rows())[0], 'kind c')
  const filter = page.getByRole('searchbox', { name: 'Endpoints' })
  await filter.fill('KIND B')
  t.strictSame(await rows(), ['kind b'])
  await filter.fill('not ready')
  t.strictSame(await rows(), ['kind c'])
})

inBrowser('a mirror, one of its backends, and all of them are switched', async (t, look) => {
  const second = await startBackend(t, json({ version: 1 }))
  const gateway = await setUp(t, {
    routes: (app, shadow) => {
      const backends = [{ name: 'one', url: shadow }, { name: 'two', url: second.url }]
      app.get('/two', { mirror: { id: 'GET /two/*', backends } }, async () => 'ok')
    }
  })
  const { app, send, shadow, mirror } = gateway
  const page = await look(gateway)

  await send(3)
  await shows(page, 'Sent', 3)
  await switchOf(page, 'Mirroring of api').click()
  await page.locator('[role=switch][aria-checked=false]').waitFor()
  t.equal(mirror('api').enabled, false)
  await send(4)
  await shows(page, 'Seen', 7)
  t.match(await flowOn(page), [{}, { losses: [{ count: 4, label: 'mirror switched off' }] }, {}, { count: 3 }])
  t.equal(shadow.requests.length, 3, 'nothing more reaches the shadow')

  const percentage = page.getByRole('spinbutton', { name: 'Percentage of api' })
  await percentage.fill('250')
  await page.getByRole('button', { name: 'Apply' }).click()
  await page.getByRole('alert').getByText('A number from 0 to 100.').waitFor()
  t.equal(mirror('api').percentage, 100)
  await percentage.fill('12.5')
  t.notOk(await page.getByRole('alert').getByText('A number').isVisible())
  await page.getByRole('button', { name: 'Apply' }).click()
  await page.getByRole('button', { name: 'Apply' }).waitFor({ state: 'hidden' })
  t.equal(mirror('api').percentage, 12.5)
  await page.locator('#rows a', { hasText: 'Off · 12.5 %' }).waitFor()
  await percentage.fill('1')
  await percentage.press('Escape')
  t.equal(await percentage.inputValue(), '12.5')

  // An id with a slash, and backends of which one goes on.
  await page.getByRole('link', { name: 'GET /two/*' }).click()
  await switchOf(page, 'Mirroring of backend one').click()
  await until('one is off', () => !mirror('GET /two/*').backends[0].enabled)
  await send(2, '/two')
  t.equal(second.requests.length, 2)
  t.equal(shadow.requests.length, 3)
  await shows(page, 'Seen', 2)
  t.match((await flowOn(page))[3], { count: 0, losses: [{ count: 2, label: 'backend switched off' }] })

  await page.getByRole('button', { name: 'Stop all mirroring' }).click()
  await page.getByText('All mirroring is stopped.').waitFor()
  t.equal(app.mirrors.enabled, false)
  await send(2, '/two')
  t.equal(second.requests.length, 2)
  await page.locator('[role=switch][aria-disabled=true]').first().waitFor()
  await switchOf(page, 'Mirroring of GET /two/*').click({ force: true })
  await page.getByRole('button', { name: 'Resume mirroring' }).click()
  await page.getByText('All mirroring is stopped.').waitFor({ state: 'hidden' })
  t.match([mirror('api').enabled, mirror('GET /two/*').enabled], [false, true], 'each is as it was')
})

const HOSTILE = '<script>document.title="owned"</script><img src=x onerror=document.title="owned">'

inBrowser('what backends and clients send shows as text, and runs nothing', async (t, look) => {
  const id = HOSTILE.slice(0, 100)
  const gateway = await setUp(t, {
    answer: json({ [HOSTILE]: HOSTILE, name: '\u202egnp.exe', blank: '\u3164\u115f\u00a0\ufe0f\u{e0041}\ud800', version: 1 }, { 'x-seen': HOSTILE, "x-'b'": HOSTILE }),
    mirror: { id },
    routes: (app, shadow) => {
      const backends = [{ name: HOSTILE.slice(0, 90), url: `${shadow}/${encodeURI(HOSTILE)}` }, { name: '</td>', url: shadow }]
      app.get('/other', { mirror: { id: '"><svg onload=alert(1)>', backends } }, async () => ({ version: 1 }))
    }
  })
  const path = `/api?${HOSTILE.replaceAll(' ', '\t').replaceAll('\t', '/')}`
  await keepAlive(t, gateway.url).request({ method: 'GET', path, headers: { 'x-own': HOSTILE } })
  await gateway.send(1, '/other')

  const page = await look(gateway, `#/${encodeURIComponent(id)}`)
  await page.getByRole('heading', { name: id, exact: true }).waitFor()
  t.equal(await page.title(), `${id} – Mirrors`)
  await page.locator('button.place', { hasText: '/name' }).click()
  t.match(await page.locator('button.place').allInnerTexts(), [...Array(5)].map(() => /^›/), 'each place is text')
  const example = page.locator('.example')
  await example.getByText(`GET ${path}`, { exact: true }).waitFor()
  const rows = await example.locator('tbody tr').evaluateAll(rows => rows.map(row => [...row.children].map(cell => cell.textContent)))
  t.match(rows, [
    ["header x-'b'", 'absent', HOSTILE],
    ['header x-seen', 'absent', HOSTILE],
    ['/name', 'absent', '"\\u{202e}gnp.exe"'],
    [`/${HOSTILE.replaceAll('/', '~1')}`, 'absent', JSON.stringify(HOSTILE)],
    ['/blank', 'absent', '"\\u{3164}\\u{115f}\\u{a0}\\u{fe0f}\\u{e0041}\\ud800"']
  ].map(row => new Set(row)).map(row => [...row]))
  await example.locator('summary').click()
  t.match(await example.locator('pre').innerText(), `x-own: ${HOSTILE}`)

  await page.getByRole('link', { name: /svg onload/ }).click()
  await page.getByRole('heading', { name: '"><svg onload=alert(1)>', exact: true }).waitFor()
  await page.getByRole('heading', { name: HOSTILE.slice(0, 90), exact: true }).first().waitFor()
  t.equal(await page.locator('#panes :is(script, img, iframe, object, svg[onload])').count(), 0)
  t.equal(await page.title(), '"><svg onload=alert(1)> – Mirrors')
})

inBrowser('a place opens: its values side by side, its commands to copy, its newer examples', async (t, look) => {
  let answer = json({ version: 2, items: [{ price: '39.5' }] })
  const gateway = await setUp(t, { answer: (...received) => answer(...received) })
  const { app, send } = gateway
  await send(2)
  answer = (_, response) => { response.writeHead(500, { 'content-type': 'text/plain' }).end('no\nversion') }
  await send(1)
  const page = await look(gateway, '', { permissions: ['clipboard-read', 'clipboard-write'] })

  const places = page.locator('button.place')
  await places.first().waitFor()
  const lines = () => page.locator('table.places > tbody > tr:first-child').evaluateAll(rows => rows.map(row => row.textContent?.replaceAll('/min', '')))
  t.match((await lines()).sort().join('\n'), new RegExp([
    '›/itemsaddedGET /api266.7 %', '›/versionchangedGET /api266.7 %', '›bodychangedGET /api133.3 %', '›header:content-typechanged', '›status 200→500GET /api133.3 %'
  ].join('[^]*')), 'a row for each')
  const version = page.locator('button.place', { hasText: '/version' })
  t.equal(await version.getAttribute('aria-expanded'), 'false')
  await version.click()
  t.equal(await version.getAttribute('aria-expanded'), 'true')
  const example = page.locator('.example').first()
  await example.locator('tbody tr').first().waitFor()
  const cells = await example.locator('tbody tr').evaluateAll(rows => rows.map(row => [...row.children].map(cell => cell.textContent)))
  t.strictSame(cells, [['/version', '1', '2'], ['/items', 'absent', '[{"price":"39.5"}]']])

  for (const [label, base] of [['Copy curl to the shadow', gateway.shadow.url], ['Copy curl to the primary', gateway.url]]) {
    await example.getByRole('button', { name: label }).click()
    await example.getByText('Copied').waitFor()
    const copied = () => page.evaluate<string>('navigator.clipboard.readText()')
    await until(`${label}: it is copied`, async () => (await copied()).includes(`--url '${base}/api'`))
    await until('it is shown', async () => await example.getByRole('textbox', { name: 'curl command' }).inputValue() === await copied())
  }

  const body = page.locator('button.place', { hasText: 'body' })
  await body.click()
  const second = page.locator('tbody', { has: body }).locator('.example')
  await second.getByText('mark of the body, differing from byte 0 on').waitFor()
  await second.getByText('length of the text body').waitFor()

  // What is read stays until somebody asks for more.
  answer = json({ version: 3, items: [] })
  await send(3)
  const row = page.locator('tbody', { has: version })
  await row.locator('td.number', { hasText: /^5$/ }).waitFor()
  await row.locator('.trend', { hasText: /\d+\/min/ }).waitFor()
  const shown = row.locator('.example tbody td').nth(1)
  t.equal(await shown.innerText(), '2')
  await row.getByRole('button', { name: 'Show newer ones' }).click()
  await focusComes(version)
  await row.getByRole('button', { name: 'latest', exact: true }).click()
  await row.locator('.example td code', { hasText: /^3$/ }).waitFor()
  await row.getByRole('button', { name: 'first, most different', exact: true }).click()
  await row.locator('.example td code', { hasText: /^2$/ }).waitFor()

  app.mirrors.clear('api')
  await page.getByText('None is stored.').waitFor()
})

inBrowser('the confidence is a picture over the number of comparisons', async (t, look) => {
  let body: object = { version: 1 }
  const gateway = await setUp(t, { answer: (...received) => json(body)(...received) })
  const page = await look(gateway)
  await page.getByRole('heading', { name: 'api', exact: true }).waitFor()
  t.equal(await page.locator('.confidence').isVisible(), false, 'of nothing there is none')
  await gateway.send(20)
  await page.getByRole('img', { name: /^After 20 comparisons 0 % differ; the rate lies between 0 % and .*, the limit is 0.1 %$/ }).waitFor()
  body = { version: 2 }
  await gateway.send(20)
  await page.getByRole('img', { name: /^After 40 comparisons 50 % differ; the rate lies between .* %, the limit is 0.1 %$/ }).waitFor()
  for (const part of ['.interval', '.line.rate', '.limit']) t.equal(await page.locator(`.confidence ${part}`).count(), 1, part)
  t.match(await page.locator('.confidence .line.rate').getAttribute('d'), /^M[\d. ]+L[\d. ]+h0$/, 'of both')
  await page.getByText('What keeps it from being ready: mismatches').waitFor()
})

inBrowser('an example says at which place that is rarer it differs, too', async (t, look) => {
  let body: object = { version: 2 }
  const gateway = await setUp(t, { answer: (...received) => json(body)(...received) })
  await gateway.send(2)
  body = { version: 2, cent: 1 }
  await gateway.send(1)
  const page = await look(gateway)
  await page.locator('button.place', { hasText: '/version' }).click()
  await page.getByRole('button', { name: 'latest, most different', exact: true }).click()
  await page.getByText('It differs at a place that is rarer, too: /cent.').waitFor()
})

inBrowser('places are sorted as one likes, and stay where they are while somebody reads', async (t, look) => {
  const gateway = await setUp(t, {
    answer: (_, response, { url }) => { response.writeHead(Number(url.slice(-3))).end() }
  })
  for (const status of [501, 501, 501, 502, 502, 503]) await gateway.send(1, `/api?${status}`)
  const page = await look(gateway)
  const order = async () => (await page.locator('button.place .chip.bad').allInnerTexts()).map(text => text.slice(-3)).join(' ')
  const sort = page.getByRole('combobox', { name: 'First' }).last()
  await page.locator('button.place').nth(4).waitFor()
  const ordered = (expected: string) => until(`the order is ${expected}`, async () => await order() === expected)
  await ordered('503 502 501')
  await sort.selectOption('most frequent')
  await ordered('501 502 503')
  await sort.selectOption('newest')
  await ordered('503 502 501')
  await sort.selectOption('status change')
  await ordered('501 502 503')
  t.match((await page.locator('button.place').allInnerTexts()).slice(0, 3), Array(3).fill(/status/))
  await page.locator('button.place', { hasText: '503' }).click()
  for (let i = 0; i < 5; i++) await gateway.send(1, '/api?503')
  await gateway.send(1, '/api?504')
  await page.locator('button.place', { hasText: '504' }).waitFor()
  t.equal(await order(), '501 502 503 504')
  await page.locator('button.place', { hasText: '503' }).click()
  await page.locator('h2').click()
  await page.locator('button.place').first().filter({ hasText: '503' }).waitFor()
})

inBrowser('places are those of the endpoint that is chosen, and of the backends that differ', async (t, look) => {
  const other = await startBackend(t, json({ version: 1 }))
  const gateway = await setUp(t, {
    routes: (app, shadow) => {
      const mirror: MirrorOptions = {
        id: 'two', backends: [{ url: shadow, name: 'v2' }, { url: other.url, name: 'v3' }], compare: { enabled: true, detailedDiff: true }, endpoint: ({ path }) => path
      }
      for (const path of ['/a', '/b']) app.get(path, { mirror }, async () => ({ version: path === '/a' ? 1 : 2 }))
    }
  })
  other.requests.length = 0
  await gateway.send(1, '/b')
  await gateway.send(1, '/a')
  const page = await look(gateway, '#/two')
  await page.locator('button.place').first().waitFor()
  t.equal(await page.locator('button.place').count(), 1)
  t.notMatch(await page.locator('button.place').innerText(), 'only')
  await page.getByRole('combobox', { name: 'Endpoint' }).selectOption('/a')
  await page.getByText('None is stored of this endpoint.').waitFor()
  await page.getByRole('combobox', { name: 'Endpoint' }).selectOption('all endpoints')
  await page.locator('button.place', { hasText: '/version' }).waitFor()
})

inBrowser('everything can be done with the keyboard', async (t, look) => {
  const gateway = await setUp(t, {
    answer: json({ version: 2 }),
    routes: (app, shadow) => { app.get('/b', { mirror: { id: 'b', backends: [shadow] } }, async () => 'ok') }
  })
  await gateway.send(1)
  const page = await look(gateway, '#/b')
  await page.getByRole('heading', { name: 'b', exact: true }).waitFor()
  const { keyboard } = page
  const focus = page.locator(':focus')
  const focused = async () => await focus.count() === 0
    ? 'nothing'
    : focus.evaluate(element => element.getAttribute('aria-label') ?? element.querySelector('.name')?.textContent ?? element.textContent?.trim() ?? '')
  await page.locator('body').press('Tab')
  const order: string[] = []
  for (let i = 0; i < 40 && order.indexOf(await focused()) === -1; i++) {
    order.push(await focused())
    await keyboard.press('Tab')
  }
  t.strictSame(order.slice(0, 6), ['Skip to the mirror', 'Stop all mirroring', 'api', 'b', 'Mirroring of b', 'Percentage of b'])
  const tabTo = async (name: string) => {
    for (let i = 0; i < 60; i++) {
      if (await focused() === name) return
      await keyboard.press('Tab')
    }
    throw new Error(`no way to ${name}`)
  }

  await tabTo('api')
  t.equal(await page.evaluate<string>('getComputedStyle(document.activeElement).outlineStyle'), 'solid', 'where one is can be seen')
  await keyboard.press('Enter')
  await page.getByRole('heading', { name: 'api', exact: true }).waitFor()
  const focusIs = (name: string) => until(`the focus is on ${name}`, async () => await focused() === name)
  await focusIs('api')
  await tabTo('Mirroring of api')
  await keyboard.press('Space')
  await page.locator('[role=switch][aria-checked=false]').waitFor()
  await focusIs('Mirroring of api')
  await tabTo('Percentage of api')
  await keyboard.press('ControlOrMeta+a')
  await keyboard.type('30')
  await keyboard.press('Enter')
  await until('it is set', () => gateway.mirror('api').percentage === 30)
  await focusIs('Percentage of api')
  await tabTo('Count anew…')
  await keyboard.press('Enter')
  // What does no harm is chosen first.
  await focusIs('Keep counting')
  await keyboard.press('Escape')
  await focusIs('Count anew…')
  t.equal(gateway.mirror('api').seen, 1)
  await keyboard.press('Enter')
  await tabTo('Count anew')
  await keyboard.press('Enter')
  await shows(page, 'Seen', 0)

  await gateway.app.inject({ method: 'PATCH', url: '/mirrors/api', payload: { enabled: true, percentage: 100 } })
  await gateway.send(1)
  await page.locator('button.place').waitFor()
  await page.locator('h2').focus()
  for (let i = 0; i < 30 && !await page.locator('.place:focus').isVisible(); i++) await keyboard.press('Tab')
  await keyboard.press('Enter')
  await page.locator('.example').waitFor()
  await tabTo('The request')
  await keyboard.press('Enter')
  await page.locator('.example pre').first().waitFor()
  await tabTo('Copy curl to the shadow')
})

inBrowser('it fits on a phone, in the dark as well', async (t, look) => {
  const long = 'long'.repeat(60)
  const gateway = await setUp(t, {
    answer: json({ [long]: long, version: 2 }),
    mirror: { id: `GET /${long}`.slice(0, 100) },
    routes: (app, shadow) => { app.get(`/${long}`, { mirror: { id: 'b', backends: [{ url: shadow, name: long.slice(0, 100) }] } }, async () => 'ok') }
  })
  await gateway.send(1, `/api?${long}${long}`)
  // A page that is too wide widens what a phone takes for its window.
  const fits = async (page: Page) => await page.evaluate<number>('document.documentElement.scrollWidth') <= 320
  const phone = { viewport: { width: 320, height: 640 }, hasTouch: true, isMobile: true, colorScheme: 'dark' } as const
  const page = await look(gateway, '', phone)
  const links = page.locator('#rows a')
  await links.first().waitFor()
  t.ok(await fits(page), 'the list')
  t.equal(await page.locator('#detail').isVisible(), false, 'one thing at a time')
  const [red] = (await page.evaluate<string>('getComputedStyle(document.body).backgroundColor')).match(/\d+/g) as string[]
  t.ok(Number(red) < 40, 'dark')
  await links.first().tap()
  await page.locator('button.place').first().tap()
  await page.locator('.example').waitFor()
  await page.locator('.example summary').tap()
  t.ok(await fits(page), 'a mirror with an open place')
  t.equal(await page.locator('#list').isVisible(), false)
  for (const button of await page.locator('button:visible').all()) {
    const { height } = await button.boundingBox() as { height: number }
    t.ok(height >= 24, 'large enough to be hit')
  }
  await page.getByRole('link', { name: 'All mirrors' }).tap()
  await links.first().waitFor()
  await focusComes(links.first())
  await links.last().tap()
  await page.getByRole('heading', { name: 'b', exact: true }).waitFor()
  t.ok(await fits(page), 'another mirror')
})

/** A server before the gateways, which does with a request what it is told to. */
async function startFront (t: Test, pass: (path: string) => { to?: Gateway, status?: number, body?: string }, port = 0) {
  return track(t, createServer((request, response) => {
    const path = request.url as string
    const { to, status, body } = pass(path)
    if (status !== undefined) {
      response.writeHead(status, { 'content-type': 'text/html' }).end(body)
    } else if (to !== undefined) {
      request.pipe(http.request(to.url + path, { method: request.method, headers: request.headers }, answer => {
        response.writeHead(answer.statusCode as number, answer.headers)
        answer.pipe(response)
      }))
    }
  }), port)
}

inBrowser('it says when it has lost contact, and goes on when it is back', async t => {
  const gateway = await setUp(t)
  let pass: Parameters<typeof startFront>[1] = () => ({ to: gateway })
  const front = await startFront(t, path => pass(path))
  const { page } = await openPage(t)
  await page.goto(`${front.url}/mirrors/ui`)
  await page.getByText(/^Live, updated \d\d:\d\d:\d\d$/).waitFor()
  await shows(page, 'Seen', 0)

  const troubles: Array<[what: string, way: typeof pass, told: RegExp]> = [
    ['silent', () => ({}), /^Contact lost \(no answer\)\. What you see is as of [\d:]+\. Trying again\.$/],
    ['failing', () => ({ status: 502, body: 'bad gateway' }), /^Contact lost \(502: Bad Gateway\)\. .* Trying again\.$/],
    ['refusing', () => ({ status: 401, body: '{"message":"operators only"}' }), /^Contact lost \(401: operators only\)\. .* Reload the page to sign in again\.$/],
    ['asking for a password', () => ({ status: 200, body: '<form>sign in</form>' }), /^Contact lost \(something else than numbers was answered\)\. .* Reload the page/]
  ]
  for (const [what, way, told] of troubles) {
    pass = way
    await page.getByRole('status').getByText(told).waitFor()
    await page.getByText(/^No contact for \d+ s$/).waitFor()
    t.pass(what)
  }
  await page.getByRole('button', { name: 'Stop all mirroring' }).click()
  await page.getByRole('alert').getByText(/^That did not work: something else/).waitFor()
  const { port } = front
  await front.close()
  await page.getByRole('status').getByText(/^Contact lost \(not reachable\)/).waitFor()

  await startFront(t, () => ({ to: gateway }), port)
  await gateway.send(7)
  await shows(page, 'Seen', 7)
  await page.getByText(/^Live, updated/).waitFor()
  await until('nothing is said to be lost', async () => await page.locator('#lost').innerText() === '')
})

inBrowser('it says when several processes answer in turn', async (t, look) => {
  const gateways = [await setUp(t), await setUp(t)]
  let turn = 0
  const front = await startFront(t, path => ({ to: gateways[path.includes('state') ? turn++ % 2 : 0] }))
  const page = await look(gateways[0], '', { url: `${front.url}/mirrors/ui` })
  await page.getByText('Several processes answer in turn').waitFor()
})

inBrowser('it works under another prefix, behind a proxy that adds one', async (t, look) => {
  const gateway = await setUp(t, {
    plugin: { admin: { ...open.admin as object, prefix: '/-/ops/mirrors' } },
    answer: json({ version: 2 }),
    mirror: { id: 'GET /a/b?c#d%2F' }
  })
  await gateway.send(1)
  const proxy = Fastify({ forceCloseConnections: true })
  t.teardown(() => proxy.close())
  await proxy.register(httpProxy, { upstream: gateway.url, prefix: '/eu/gateway-1', rewritePrefix: '' })
  const url = await proxy.listen({ port: 0, host: '127.0.0.1' })

  const page = await look(gateway, '', { url: `${url}/eu/gateway-1/-/ops/mirrors/ui` })
  await page.getByRole('heading', { name: 'GET /a/b?c#d%2F', exact: true }).waitFor()
  await page.locator('button.place').click()
  await page.getByRole('button', { name: 'Copy curl to the primary' }).click()
  const curl = page.getByRole('textbox', { name: 'curl command' })
  await until('its own address is in the command', async () => (await curl.inputValue()).includes(`--url '${url}/eu/gateway-1/api'`))
  await page.getByRole('switch').click()
  await until('it is switched off', () => !gateway.mirror().enabled)
  await page.locator('[role=switch][aria-checked=false]').waitFor()
  await page.getByRole('button', { name: 'Count anew…' }).click()
  await page.getByRole('button', { name: 'Count anew', exact: true }).click()
  await shows(page, 'Seen', 0)
  await page.getByRole('button', { name: 'Stop all mirroring' }).click()
  await until('all are stopped', () => !gateway.app.mirrors.enabled)
})

inBrowser('a page of a sister site can not use the cookie that the browser has', async t => {
  const gateway = await setUp(t, { plugin: guarded })
  await gateway.send(3)
  const answers: string[] = []
  const front = await startFront(t, () => ({ to: gateway }))
  const own = `http://${HOSTS.gateway}:${front.port}`
  const attack = `
    <form method="post" action="${own}/mirrors/api/reset" target="frame"></form>
    <form method="post" enctype="text/plain" action="${own}/mirrors/api/reset" target="frame2"></form>
    <iframe name="frame"></iframe><iframe name="frame2"></iframe>
    <script>
      for (const form of document.forms) form.submit()
      const init = { mode: 'no-cors', credentials: 'include' }
      fetch('${own}/mirrors/api/reset', { ...init, method: 'POST' })
      fetch('${own}/mirrors', { credentials: 'include', method: 'PATCH', headers: { 'content-type': 'application/json' }, body: '{"enabled":false}' }).catch(() => {})
    </script>`
  const elsewhere = await startBackend(t, (_, response) => response.setHeader('content-type', 'text/html').end(attack))

  // Over plain HTTP, where browsers send no Sec-Fetch-Site.
  const { page, complaints } = await openPage(t)
  await page.context().addCookies([{ name: COOKIE.split('=')[0], value: COOKIE.split('=')[1], url: own }])
  await page.goto(`${own}/mirrors/ui`)
  await shows(page, 'Seen', 3)
  await page.getByRole('spinbutton', { name: 'Percentage of api' }).fill('50')
  await page.getByRole('button', { name: 'Apply' }).click()
  await until('its own page may', () => gateway.mirror().percentage === 50)
  t.strictSame(complaints, [])

  page.on('response', answer => {
    if (answer.url().startsWith(own) && answer.request().method() === 'POST') answers.push(`${answer.status()} ${answer.url().slice(own.length)}`)
  })
  page.on('requestfailed', request => {
    if (request.method() === 'POST') answers.push(`kept from the page: ${request.url().slice(own.length)}`)
  })
  await page.goto(`http://${HOSTS.sister}:${elsewhere.port}/`)
  await until('three are refused', () => answers.length === 3)
  t.strictSame(answers.sort(), ['403 /mirrors/api/reset', '403 /mirrors/api/reset', 'kept from the page: /mirrors/api/reset'])
  await until('the browser does not even ask', () => /Access to fetch at '[^']*mirrors' .* blocked by CORS policy/.test(complaints.join()))
  t.equal(gateway.mirror().seen, 3)
  t.equal(gateway.app.mirrors.enabled, true)
})

inBrowser('a hundred mirrors with a hundred places of mismatches each are quick', async (t, look) => {
  const gateway = await setUp(t, {
    answer: (_, response, { url }) => { response.writeHead(Number(url.slice(-3))).end() },
    routes: (app, shadow) => {
      for (let i = 1; i < 100; i++) {
        const mirror = { id: `mirror ${i}`, backends: [shadow], maxInFlight: 50, compare: { enabled: true, detailedDiff: true } }
        app.get(`/${i}`, { mirror }, async () => ({ version: 1 }))
      }
    }
  })
  const { app } = gateway
  for (let status = 400; status < 500; status++) {
    await Promise.all(Array.from({ length: 100 }, (_, i) => app.inject(`/${i === 0 ? 'api' : i}?${status}`)))
    await gateway.send(0)
  }
  t.ok(Object.keys(app.mirrors.list()).every(id => app.mirrors.mismatches(id)?.total === 102))

  const page = await look(gateway)
  const begun = performance.now()
  await page.locator('#rows > li').nth(99).waitFor()
  await page.locator('button.place').nth(99).waitFor()
  t.comment(`first shown after ${Math.round(performance.now() - begun)} ms`)
  const opens = performance.now()
  await page.getByRole('searchbox').fill('mirror 99')
  await page.getByRole('link', { name: 'mirror 99' }).click()
  await page.getByRole('heading', { name: 'mirror 99', exact: true }).waitFor()
  await page.locator('button.place').nth(99).waitFor()
  t.comment(`another one after ${Math.round(performance.now() - opens)} ms`)
  t.ok(performance.now() - begun < 30_000)

  // The longest that the page keeps the browser busy while it goes on.
  await page.getByRole('searchbox').fill('')
  const longest = await page.evaluate<number>(`new Promise(resolve => {
    let longest = 0
    const observer = new PerformanceObserver(list => { for (const { duration } of list.getEntries()) longest = Math.max(longest, duration) })
    observer.observe({ entryTypes: ['longtask'] })
    setTimeout(() => resolve(longest), 4500)
  })`)
  t.comment(`busy for ${longest} ms at a time`)
  t.ok(longest < 2500)
  const answer = await app.inject('/mirrors/ui/state?mirror=api')
  t.comment(`${answer.body.length} characters an answer`)
  t.ok(answer.body.length < 150_000)
})
