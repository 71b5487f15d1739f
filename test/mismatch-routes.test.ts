import Fastify from 'fastify'
import type { FastifyInstance, FastifyReply, FastifyRequest, FastifyServerOptions, RouteOptions } from 'fastify'
import { execFile, execFileSync } from 'node:child_process'
import { connect } from 'node:http2'
import net from 'node:net'
import { promisify } from 'node:util'
import t from 'tap'
import type { Test } from 'tap'
import { request } from 'undici'
import fastifyMirror from '../lib'
import type { AdminOptions, MismatchEvent, MismatchList, MismatchPlace } from '../types/index'
import { startBackend } from './helpers/backend'
import { booksClose } from './helpers/books'
import { modes, startGateway } from './helpers/gateway'
import { NO_PLACES } from './helpers/places'
import { watchProcess } from './helpers/process'
import { startTwins } from './helpers/twins'
import type { Ask, Reply } from './helpers/twins'
import { until } from './helpers/until'

const KEY = 'letmein'

/** Lets in who has the key. */
async function guard (request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  if (request.headers['x-key'] !== KEY) return reply.code(401).send({ guard: 'no' })
}

interface Answer { status: number, type: string | undefined, text: string, json: unknown }

async function admin (url: string, method: 'GET' | 'DELETE' | 'POST' | 'PATCH' = 'GET', headers: Record<string, string> = { 'x-key': KEY }): Promise<Answer> {
  const { statusCode, headers: answered, body } = await request(url, { method, headers })
  const text = await body.text()
  const type = answered['content-type']?.toString()
  return { status: statusCode, type, text, json: type?.startsWith('application/json') ? JSON.parse(text) : undefined }
}

/** As it would come out of `JSON.stringify`. */
function plain<T> (value: T): T {
  return JSON.parse(JSON.stringify(value)) as T
}

function json (value: unknown): Reply {
  return { headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) }
}

for (const { mode, plugin } of modes) {
  t.test(`${mode}: mismatches by place`, async t => {
    const twins = await startTwins(t, {
      plugin: { ...plugin, admin: { onRequest: guard } }, mirror: { maxPlaces: 6 }, compare: { logMismatches: true }
    })
    const { gateway, events } = twins
    const path = `${gateway.url}/mirrors/twins/mismatches`
    const list = async (query = ''): Promise<MismatchList> => {
      const { status, json } = await admin(path + query)
      t.equal(status, 200)
      const own = gateway.app.mirrors.mismatches('twins', Object.fromEntries(new URLSearchParams(query)))
      t.strictSame(json, plain(own), 'the route loses nothing')
      return json as MismatchList
    }

    t.strictSame(await list(), { ...NO_PLACES, limit: 6 }, 'none at first')

    await twins.ask({ body: 'ok' }, { status: 500, body: 'ok' }, { path: '/rare' })
    for (let i = 0; i < 20; i++) {
      const old = json({ items: [{ id: i, price: 1 }], [1000 + i]: { at: 1 } })
      await twins.ask(old, json({ items: [{ id: i, price: i === 7 ? 'free' : 2 }, { id: 0 }], [1000 + i]: { at: 2 } }), { path: `/frequent/${i}` })
    }
    const { places, total, limited } = await list()
    t.strictSame([total, limited], [5, false])
    t.match(places, [
      {
        endpoint: 'GET /frequent/*',
        where: '/items/*/price',
        kind: 'type',
        count: 1,
        share: 0.05,
        backends: [{ name: 'shadow', count: 1 }],
        examples: [{ uses: ['first', 'latest', 'most different'], request: { path: '/frequent/7' }, body: { differences: [{ pointer: '/items/0/price', shadow: '"free"' }, {}, {}] } }]
      },
      { where: '/items/*/price', kind: 'changed', count: 19, share: 0.95 },
      { endpoint: 'GET /rare', where: 'status 200→500', kind: 'changed', count: 1, share: 1 },
      { where: '/items/*', kind: 'added', count: 20 },
      { where: '/*/at', kind: 'changed', count: 20 }
    ])
    const frequent = places.find(({ where }) => where === '/*/at') as MismatchPlace
    t.ok(frequent.first < frequent.last, 'first and last time')
    t.equal(frequent.last, frequent.examples.find(({ uses }) => uses.includes('latest'))?.time)
    t.ok(events.at(-1)?.places.includes(frequent.id))
    t.strictSame((await list('?sort=status')).places[0], places[2])
    t.strictSame((await list('?sort=frequent')).places.map(({ count }) => count), [20, 20, 19, 1, 1])
    t.strictSame((await list('?sort=newest')).places[0].where, '/items/*/price')
    t.strictSame((await list(`?endpoint=${encodeURIComponent('GET /rare')}`)).places, [places[2]])
    const first = await request(`${path}?sort=frequent&limit=3&endpoint=${encodeURIComponent('GET /frequent/*')}`, { headers: { 'x-key': KEY } })
    const [, next] = /^<(.*)>; rel="next"$/.exec(first.headers.link as string) ?? []
    const one = (await first.body.json()) as MismatchList
    const two = (await admin(new URL(next, path).href)).json as MismatchList
    t.strictSame([...one.places, ...two.places].map(({ count }) => count), [20, 20, 19, 1], 'in pages of one order')
    t.equal((await admin(`${path}?sort=worst`)).status, 400)
    t.throws(() => gateway.app.mirrors.mismatches('twins', { sort: 'worst' as 'rarest' }), {
      code: 'FST_MIRROR_INVALID_OPTION', statusCode: 400, message: /mirror "twins": sort must be "rarest", "frequent", "newest" or "status", got "worst"/
    })

    for (const name of ['x-a', 'x-b', 'x-c']) await twins.ask({ headers: { [name]: '1' } }, { headers: { [name]: '2' } })
    const full = await list()
    t.match(full, { limit: 6, limited: true, total: 7 })
    t.match(full.places.at(-1), { endpoint: 'GET /', where: '(other places)', kind: null, count: 2, examples: [{}, {}] })
    await twins.ask({ body: 'ok' }, { status: 500, body: 'ok' }, { path: '/rare' })
    t.match((await list('?sort=status')).places[0], { count: 2, id: places[2].id, first: places[2].first })

    const { mismatched } = gateway.backend()
    t.equal(mismatched, 25)
    t.equal(events.length, 25)
    t.strictSame(events.map(({ mirror }) => mirror), Array(25).fill('twins'))

    const logged = gateway.log.filter(({ msg }) => msg === 'mirror mismatch')
    t.ok(logged.length >= 11, 'ten, and of kinds that come after them the first')
    t.match(logged[0], {
      level: 40,
      reqId: String,
      mirror: 'twins',
      endpoint: 'GET /rare',
      backend: 'shadow',
      primaryStatus: 200,
      shadowStatus: 500,
      bodyMatch: true,
      places: [places[2].id],
      headers: [],
      body: null
    })
    t.match(logged[1], { bodyMatch: false, body: { kind: 'json', differences: [{ pointer: '/1000/at' }, { pointer: '/items/0/price' }, { pointer: '/items/1' }] } })

    const cleared = await admin(path, 'DELETE')
    t.match(cleared, { status: 204, text: '' })
    t.strictSame(await list(), { ...NO_PLACES, limit: 6 })
    t.equal(gateway.backend().mismatched, mismatched, 'running totals stay')
    await twins.ask({ body: 'a' }, { body: 'b' })
    t.match((await list()).places, [{ count: 1, where: 'body', share: 1 }])
    booksClose(t, gateway.mirror())
  })

  t.test(`${mode}: of one mismatch 128 places are told apart, and it is said that there are more`, async t => {
    const { ask, gateway } = await startTwins(t, { plugin: { ...plugin, onMismatch: undefined }, compare: { logMismatches: true } })
    const names = Array.from({ length: 200 }, (_, i) => `${'abcdefghij'[i % 10]}${'abcdefghij'[Math.floor(i / 10) % 10]}${i < 100 ? '' : 'x'}`)
    const of = (value: number): Reply => json({ a: Object.fromEntries(names.slice(0, 100).map(name => [name, value])), b: Object.fromEntries(names.map(name => [name, value])) })
    await ask(of(1), of(2))
    const { total, limited, places } = gateway.app.mirrors.mismatches('twins', { limit: 5000 }) as MismatchList
    t.strictSame([total, limited, places.at(-1)?.where, places.at(-1)?.examples.length], [129, true, '(other places)', 1])
    const [{ places: logged }] = gateway.log.filter(({ msg }) => msg === 'mirror mismatch') as unknown as Array<{ places: string[] }>
    t.equal(logged.length, 16)
    t.notOk(logged.includes(places.at(-1)?.id as string), 'what is not told apart is no place that is rare')
    for (let i = 0; i < 11; i++) await ask({ body: 'a' }, { body: 'b' })
    t.equal(gateway.log.filter(({ msg }) => msg === 'mirror mismatch').length, 10, 'and where nobody else is told, a line that is not written is all')
  })

  t.test(`${mode}: one true difference among 62 that come and go has a row of its own, on top, and shows itself`, async t => {
    const twins = await startTwins(t, { plugin: { ...plugin, admin: { onRequest: guard } } })
    const names = Array.from({ length: 62 }, (_, i) => `${'abcdefgh'[i % 8]}${'abcdefgh'[Math.floor(i / 8)]}`)
    const noisy = (id: number, price: number): Reply => json({
      ...Object.fromEntries(names.map((name, i) => [name, (id * (i + 3)) % 7 < 5 ? Math.random() : 0])), price
    })
    for (let i = 1; i <= 60; i++) await twins.ask(noisy(i, 1), noisy(i, i === 31 ? 2 : 1))
    const { places, total, limited } = twins.gateway.app.mirrors.mismatches('twins', { limit: 5000 }) as MismatchList
    t.equal(limited, false)
    t.ok(total <= 63, `${total} places`)
    t.match(places[0], { where: '/price', kind: 'changed', count: 1, examples: [{ body: { differences: [{ pointer: '/price', primary: '1', shadow: '2' }] } }] })
    t.equal(places[0].examples[0].rarest, places[0].id)
    booksClose(t, twins.gateway.mirror())
  })

  t.test(`${mode}: whatever listens to mismatches, it goes no further`, async t => {
    const faults = watchProcess(t)
    const told: MismatchEvent[] = []
    const boom = new Error('boom')
    const thenable = { then: (_: unknown, reject: (error: Error) => void) => reject(boom) }
    const results = [() => { throw boom }, async () => { throw boom }, () => thenable, () => 'ok', () => null]
    const twins = await startTwins(t, {
      plugin: {
        ...plugin,
        onMismatch: event => {
          told.push(event)
          return results[told.length - 1]()
        }
      }
    })
    for (let i = 0; i < results.length; i++) {
      const { response } = await twins.ask({ body: 'a' }, { body: 'b' })
      t.equal(response.statusCode, 200)
    }
    t.match(told[0], { mirror: 'twins', places: told[1].places, backend: 'shadow', body: { kind: 'text' } })
    const failed = () => twins.gateway.log.filter(({ msg }) => msg === 'onMismatch failed')
    await until('all failures are logged', () => failed().length === 3)
    for (const line of failed()) t.match(line, { level: 40, mirror: 'twins', err: { message: 'boom' } })
    t.match(twins.gateway.app.mirrors.mismatches('twins')?.places, [{ count: 5 }])
    booksClose(t, twins.gateway.mirror())
    t.strictSame(faults.filter(fault => fault instanceof Error && fault.message === 'boom'), [])
  })
}

t.test('a logger that throws does not keep a mismatch from being counted and told of', async t => {
  const events: MismatchEvent[] = []
  const shadow = await startBackend(t, (_, response) => response.end('other'))
  const gateway = await startGateway(t, {
    plugin: { onMismatch: event => { events.push(event) } },
    routes: app => {
      app.addHook('onRequest', async request => {
        request.log = Object.assign(Object.create(request.log), { warn () { throw new Error('no disk') } })
      })
      app.get('/', { mirror: { backends: [shadow.url], compare: { enabled: true, logMismatches: true } } }, async () => 'ok')
    }
  })
  await (await request(gateway.url)).body.dump()
  await until('the mismatch is told of', () => events.length === 1)
  t.match(gateway.log.at(-1), { msg: 'the mismatch could not be logged', err: { message: 'no disk' } })
  t.match(gateway.app.mirrors.mismatches('get')?.places, [{ count: 1, where: 'body' }])
  booksClose(t, gateway.mirror())
})

/** Changes all of it that can be changed. */
function spoil (value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  for (const [key, inner] of Object.entries(value)) {
    spoil(inner)
    Reflect.set(value, key, 'spoiled')
    Reflect.deleteProperty(value, key)
  }
}

t.test('what others do with a mismatch does not change what is stored', async t => {
  const shadow = await startBackend(t, (_, response) => response.writeHead(200, { 'content-type': 'application/json; charset=utf-8', 'x-a': '1' }).end('{"a":2}'))
  let told = 0
  const gateway = await startGateway(t, {
    plugin: {
      onMismatch: event => {
        told++
        t.match(event, { headers: [{ name: 'x-a' }], body: { differences: [{ pointer: '/a' }] } }, 'as it was before it was logged')
        spoil(event)
      }
    },
    server: { logger: { level: 'warn', formatters: { log: fields => { spoil(fields); return {} } }, stream: { write () {} } } },
    routes: app => {
      app.addHook('onRequest', async (_, reply) => { reply.type('application/json') })
      app.get('/', { mirror: { id: 'a', backends: [shadow.url], compare: { enabled: true, detailedDiff: true, logMismatches: true } } }, async () => '{"a":1}')
    }
  })
  const { mirrors } = gateway.app
  const list = () => mirrors.mismatches('a') as MismatchList
  for (let count = 1; count <= 2; count++) {
    await (await request(gateway.url, { headers: { 'x-b': '1' } })).body.dump()
    await until('it is told of', () => told === count)
    const before = structuredClone(list())
    t.strictSame(before.places.map(({ where, count }) => [where, count]).sort(), [['/a', count], ['header:x-a', count]])
    t.match(before.places[0].examples[0], {
      request: { path: '/', headers: ['host', `127.0.0.1:${gateway.port}`, 'connection', 'keep-alive', 'x-b', '1'] },
      headers: [{ name: 'x-a' }],
      body: { kind: 'json', differences: [{ pointer: '/a', primary: '1', shadow: '2' }] }
    })
    spoil(list())
    t.strictSame(list(), before)
    t.match(mirrors.curl('a', before.places[0].id, 'shadow'), "--header 'x-b: 1'")
  }
})

/** Routes of the plugin, as `GET /mirrors`. */
async function adminRoutes (t: Test, options: AdminOptions | undefined): Promise<{ app: FastifyInstance, routes: string[], log: string[] }> {
  const log: string[] = []
  const app = Fastify({ logger: { level: 'warn', stream: { write: line => { log.push(JSON.parse(line).msg) } } } }) as FastifyInstance
  t.teardown(() => app.close())
  const routes: string[] = []
  app.addHook('onRoute', ({ method, url }: RouteOptions) => { routes.push(...[method].flat().map(one => `${one} ${url}`)) })
  await app.register(fastifyMirror, options === undefined ? {} : { admin: options })
  await app.ready()
  return { app, routes, log }
}

t.test('without a guard there are the numbers, and nothing else', async t => {
  const { app, routes, log } = await adminRoutes(t, undefined)
  t.strictSame(new Set(routes.map(route => route.replace(/\/$/, ''))), new Set(['/mirrors', '/mirrors/:id', '/mirrors/ui'].flatMap(url => [`GET ${url}`, `HEAD ${url}`])))
  for (const path of ['a/mismatches', 'a/verdict', 'a/reset', 'a/mismatches/b/curl']) {
    for (const method of ['GET', 'POST', 'DELETE', 'PATCH'] as const) {
      t.match((await app.inject({ method, url: `/mirrors/${path}` })).json(), { statusCode: 404, message: /^Route / }, `${method} ${path}`)
    }
  }
  t.match(log, [/can be read by whoever reaches this app/])
})

t.test('with a guard nothing answers before it', async t => {
  const called: string[] = []
  const first = async (request: FastifyRequest) => { called.push(`1 ${request.method} ${request.url}`) }
  const second = (request: FastifyRequest, reply: FastifyReply, done: () => void) => {
    called.push('2')
    if (request.headers['x-key'] === KEY) done()
    else reply.code(401).send({ guard: 'no' })
  }
  const { app, routes, log } = await adminRoutes(t, { prefix: '/internal/m', onRequest: [first, second] })
  t.strictSame(log, [])
  for (const route of ['GET :id/mismatches', 'DELETE :id/mismatches', 'GET :id/mismatches/:place/curl', 'GET :id/verdict', 'POST :id/reset']) {
    t.ok(routes.includes(route.replace(' ', ' /internal/m/')), route)
  }
  const queries = ['', '?side=wrong', '?base=wrong', '?gate=1&gate=2']
  for (const route of routes) {
    const [method, url] = route.split(' ')
    for (const query of queries) {
      const path = url.replace(':id', 'unknown').replace(':place', 'unknown') + query
      called.length = 0
      const answer = await app.inject({ method: method as 'GET', url: path, headers: { 'content-type': 'application/json', origin: 'http://elsewhere' }, body: method === 'GET' || method === 'HEAD' ? undefined : '{' })
      t.strictSame(called, [`1 ${method} ${path}`, '2'], `${method} ${path}`)
      t.equal(answer.statusCode, 401)
      if (method !== 'HEAD') t.strictSame(answer.json(), { guard: 'no' })
    }
  }

  const failing = await adminRoutes(t, { onRequest: async () => { throw Object.assign(new Error('no'), { statusCode: 403 }) } })
  for (const url of ['/mirrors', '/mirrors/a', '/mirrors/a/mismatches', '/mirrors/a/verdict']) {
    t.match((await failing.app.inject(url)).json(), { statusCode: 403, message: 'no' }, url)
  }
})

t.test('what there is not is not found', async t => {
  const { app } = await adminRoutes(t, { onRequest: guard })
  const headers = { 'x-key': KEY }
  for (const [method, url, message] of [
    ['GET', '/mirrors/a', /no mirror .*"a"/], ['GET', '/mirrors/a/mismatches', /no mirror .*"a"/], ['DELETE', '/mirrors/a/mismatches', /no mirror/],
    ['GET', '/mirrors/a/verdict', /no mirror/], ['GET', '/mirrors/a/verdict?gate', /no mirror/], ['POST', '/mirrors/a/reset', /no mirror/],
    ['GET', '/mirrors/a/mismatches/b/curl', /no such place of mismatches, or no example of it .*"b"/]
  ] as const) {
    const answer = await app.inject({ method, url, headers })
    t.match(answer.json(), { statusCode: 404, error: 'Not Found', message }, `${method} ${url}`)
    t.equal(answer.statusCode, 404)
  }
  const { mirrors } = app
  t.strictSame(
    [mirrors.get('a'), mirrors.mismatches('a'), mirrors.clear('a'), mirrors.verdict('a'), mirrors.reset('a'), mirrors.curl('a', 'b', 'shadow')],
    [undefined, undefined, false, undefined, false, undefined]
  )
})

t.test('an id may be any text, in every route', async t => {
  const shadow = await startBackend(t, (_, response) => response.end('other'))
  const ids = ['a/b', 'GET /users/:id', '/api/*', '50% %2F ?a=b&c#d', '__proto__', 'constructor', '日本 ü 😀', 'mismatches', 'x'.repeat(100)]
  const gateway = await startGateway(t, {
    plugin: { admin: { onRequest: guard } },
    routes: app => {
      ids.forEach((id, i) => app.get(`/${i}`, { mirror: { id, backends: [shadow.url], compare: { enabled: true } } }, async () => 'ok'))
    }
  })
  for (const [i, id] of ids.entries()) {
    await (await request(`${gateway.url}/${i}`)).body.dump()
    await until('it is compared', () => gateway.app.mirrors.get(id)?.backends[0].compared === 1)
    const url = `${gateway.url}/mirrors/${encodeURIComponent(id)}`
    t.strictSame((await admin(url)).json, plain(gateway.app.mirrors.get(id)), id)
    const { places } = (await admin(`${url}/mismatches`)).json as MismatchList
    t.match(places, [{ count: 1, examples: [{ request: { path: `/${i}` } }] }])
    t.match(await admin(`${url}/mismatches/${places[0].id}/curl`), { status: 200, type: 'text/plain; charset=utf-8', text: new RegExp(`'${shadow.url}/${i}'\n$`) })
    t.match((await admin(`${url}/verdict`)).json, { id, verdict: 'not enough data', backends: [{ reasons: [{ count: 1, of: 1 }] }] })
    t.equal((await admin(`${url}/mismatches`, 'DELETE')).status, 204)
    t.equal((await admin(`${url}/reset`, 'POST')).status, 204)
    t.equal(gateway.app.mirrors.get(id)?.seen, 0)
  }
  const all = (await admin(`${gateway.url}/mirrors`)).json as object
  t.strictSame(Object.keys(all), ids)
  t.strictSame(JSON.stringify(all), JSON.stringify(gateway.app.mirrors.list()))
})

t.test('an example is a curl command', async t => {
  const nasty = "it's \"$(touch /tmp/x)\" `id` $HOME \\ !! % ; & | > < * ? ~ # {a,b} [c] é"
  const twins = await startTwins(t, {
    plugin: { admin: { onRequest: guard } },
    base: '/base/',
    proxy: { prefix: '/api', rewritePrefix: '/v2' },
    mirror: { removeHeaders: ['X-Removed'] }
  })
  const { gateway, shadow, primary } = twins
  const post: Ask = {
    method: 'POST',
    path: "/api/a%20b//c?d='e'&f=$(id)&g=[h]",
    headers: {
      host: 'evil.example',
      'content-type': 'text/plain',
      accept: '*/*',
      'user-agent': 'it',
      'x-nasty': Buffer.from(nasty).toString('latin1'),
      'x-empty': '',
      'x-removed': '1',
      connection: 'keep-alive'
    },
    body: `${nasty}\n\t"two lines"\r\n`
  }
  const { mismatch } = await twins.ask({ body: 'a' }, { body: 'b' }, post)
  const url = `${gateway.url}/mirrors/twins/mismatches/${mismatch?.places[0]}/curl`
  const line = async (query: string): Promise<string> => {
    const { status, text } = await admin(url + query)
    t.equal(status, 200, query)
    t.equal(text.at(-1), '\n')
    t.notMatch(text.trimEnd(), /\p{Cc}/u, 'of one line')
    return text
  }

  await t.test('that a shell reads as nothing but words', async t => {
    for (const query of ['', '?side=primary']) {
      const words = execFileSync('sh', ['-c', `curl () { for word do printf '%s\\0' "$word"; done; cat; }\n${await line(query)}`], { input: '' }).toString().split('\0')
      t.equal(words[0], '--globoff')
      t.equal(words.pop(), post.body, 'the body goes in as it was')
      const target = new URL(words[words.indexOf('--url') + 1])
      t.equal(target.host, query === '' ? shadow.host : `127.0.0.1:${gateway.port}`, 'whose Host the client of the gateway did not choose')
      t.ok(words.includes(`x-nasty: ${nasty}`))
    }
  })

  await t.test('aimed at either side, or where one likes', async t => {
    t.match(await line(''), `--url '${shadow.url}/base/v2/`)
    t.equal(await line('?side=shadow'), await line(''))
    t.match(await line('?side=primary'), `--url 'http://127.0.0.1:${gateway.port}/api/`)
    t.match(await line('?side=primary&base=https://gateway.example'), "--url 'https://gateway.example/api/")
    t.match(await line('?side=shadow&base=http://localhost:1/x/'), "--url 'http://localhost:1/x/v2/")
    t.match(await line(`?base=${encodeURIComponent("http://a/'; rm -rf x; '")}`), "http://a/'\"'\"';%20rm%20-rf%20x;%20'\"'\"'/v2/")
    for (const query of ['?side=both', '?base=ftp://a', '?base=', '?base=javascript:x', `?base=http://${'x'.repeat(2000)}`]) {
      t.equal((await admin(url + query)).status, 400, query)
    }
    const own = gateway.app.mirrors
    t.equal(own.curl('twins', mismatch?.places[0] as string, 'primary'), undefined, 'code has to say where the primary is')
    t.match(own.curl('twins', mismatch?.places[0] as string, 'primary', 'http://a'), "--url 'http://a/api/")
    t.match(own.curl('twins', mismatch?.places[0] as string, 'shadow'), `--url '${shadow.url}/base/v2/`)
    t.equal(own.curl('twins', 'unknown', 'shadow'), undefined)
  })

  await t.test('which repeats the request', async t => {
    try {
      execFileSync('curl', ['--version'])
    } catch {
      t.pass('there is no curl here')
      return
    }
    const run = promisify(execFile)
    const copy = shadow.requests[0]
    t.equal((await run('sh', ['-c', await line('')])).stdout, 'b', 'at the shadow')
    const repeated = shadow.requests[1]
    for (const key of ['method', 'url', 'body'] as const) t.strictSame(repeated[key], copy[key], key)
    const { connection, ...headers } = copy.headers
    t.strictSame(repeated.headers, headers, 'with the headers of the copy')
    t.equal(copy.headers['x-removed'], undefined)
    t.equal(copy.headers['x-mirrored-from'], 'evil.example', 'its mark among them')

    t.equal((await run('sh', ['-c', await line('?side=primary')])).stdout, 'a', 'at this app')
    const again = primary.requests[1]
    for (const key of ['method', 'url', 'body'] as const) t.strictSame(again[key], primary.requests[0][key], key)
    t.match(again.headers, { 'x-removed': '1', 'x-nasty': copy.headers['x-nasty'], 'x-empty': '', 'x-mirrored-from': undefined })
    await until('which is mirrored as any', () => gateway.backend().compared === 2)
  })

  await t.test('with the Host that the copy had', async t => {
    for (const preserveHost of [false, true]) {
      const { ask, gateway, shadow } = await startTwins(t, { mirror: { preserveHost } })
      const { mismatch } = await ask({ body: 'a' }, { body: 'b' }, { headers: { host: "it's.example", accept: '*/*', 'user-agent': 'it' } })
      const line = (side: 'shadow' | 'primary', base: string) => gateway.app.mirrors.curl('twins', mismatch?.places[0] as string, side, base)
      t.equal(shadow.requests[0].headers.host, preserveHost ? "it's.example" : shadow.host)
      const host = preserveHost ? " --header 'host: it'\"'\"'s.example'" : ''
      for (const base of [shadow.url, 'http://other']) {
        t.match(line('shadow', base), `curl --globoff --path-as-is --request 'GET'${host} --header 'accept: */*'`)
        t.notMatch(line('primary', base), 'host: ', 'the primary has its own')
      }
    }
  })

  await t.test('for what is not told apart, too', async t => {
    const full = await startTwins(t, { plugin: { admin: { onRequest: guard } }, mirror: { maxPlaces: 0 } })
    await full.ask({ body: 'a' }, { body: 'b' }, { path: '/a' })
    const { places } = (await admin(`${full.gateway.url}/mirrors/twins/mismatches`)).json as MismatchList
    t.match(places, [{ where: '(other places)' }])
    t.match(await admin(`${full.gateway.url}/mirrors/twins/mismatches/${places[0].id}/curl`), { status: 200, text: /^curl / })
  })

  await t.test('whatever HTTP the client spoke', async t => {
    const shadow = await startBackend(t, (_, response) => response.end('other'))
    for (const [version, http2] of [['HTTP/2', true], ['HTTP/1.0', false]] as const) {
      const gateway = await startGateway(t, {
        server: { http2 } as FastifyServerOptions,
        routes: app => { app.get('/a', { mirror: { id: version, backends: [shadow.url], compare: { enabled: true } } }, async () => 'ok') }
      })
      if (http2) {
        const session = connect(gateway.url)
        session.request({ ':path': '/a?b=c', ':authority': 'example.com', 'x-a': '1' }).resume()
        await until('it is compared', () => gateway.backend().compared === 1)
        session.destroy()
      } else {
        const socket = net.connect(gateway.port, '127.0.0.1')
        socket.write('GET /a?b=c HTTP/1.0\r\nx-a: 1\r\n\r\n')
        await until('it is compared', () => gateway.backend().compared === 1)
        socket.destroy()
      }
      const place = gateway.app.mirrors.mismatches(version)?.places[0].id as string
      const marked = http2 ? 'example.com' : 'unknown'
      const line = (more: string) => `curl --globoff --path-as-is --request 'GET' --header 'x-a: 1'${more} --header 'accept:' --header 'user-agent:' --url`
      t.equal(gateway.app.mirrors.curl(version, place, 'shadow'), `${line(` --header 'x-mirrored-from: ${marked}'`)} '${shadow.url}/a?b=c'`)
      t.equal(gateway.app.mirrors.curl(version, place, 'primary', 'http://x'), `${line('')} 'http://x/a?b=c'`)
      await gateway.app.close()
    }
  })
})
