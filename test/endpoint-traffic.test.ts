import httpProxy from '@fastify/http-proxy'
import Fastify from 'fastify'
import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import t from 'tap'
import type { Test } from 'tap'
import fastifyMirror from '../lib'
import { endpointPage } from '../lib/admin/endpoint-page'
import { Endpoints } from '../lib/endpoints/table'
import { BackendBooks } from '../lib/metrics/books'
import type { EndpointBackend, EndpointList, EndpointRequest, MirrorOptions, MismatchEvent } from '../types/index'
import { REFUSED, startBackend } from './helpers/backend'
import { booksClose } from './helpers/books'
import { client } from './helpers/client'
import { modes, startGateway, startProxy } from './helpers/gateway'
import type { Gateway } from './helpers/gateway'
import { seeded } from './helpers/random'
import { until } from './helpers/until'

function listOf (gateway: Gateway): EndpointList {
  return gateway.app.mirrors.endpoints(gateway.mirror().id) as EndpointList
}

/** Of every endpoint one number of its first backend, once nothing is under way. */
async function settled (t: Test, gateway: Gateway, what: keyof EndpointBackend = 'mirrored'): Promise<Record<string, unknown>> {
  await until('nothing is under way', () => {
    const { pending, backends } = gateway.mirror()
    return pending === 0 && backends.every(({ inFlight, comparing }) => inFlight + comparing === 0) &&
      !listOf(gateway).endpoints.some(({ name }) => name === '(pending)')
  })
  const list = listOf(gateway)
  booksClose(t, gateway.mirror(), list)
  return Object.fromEntries(list.endpoints.map(({ name, backends }) => [name, backends[0][what]]))
}

const compare = { enabled: true }

for (const { mode, plugin } of modes) {
  t.test(`${mode}: below a wildcard paths are endpoints once the primary has answered them otherwise than with 404 or 405`, async t => {
    const known = new Map<string, number>([['/orders/1', 200], ['/orders/2', 200], ['/orders/7', 404], ['/users', 500], ['/users?a=1', 200], ['/gone', 404], ['/not/so', 405]])
    const primary = await startBackend(t, (request, response) => {
      response.writeHead(known.get(request.url as string) ?? 404).end('a')
    })
    const shadow = await startBackend(t, (request, response) => {
      response.writeHead(known.get(request.url as string) ?? 404).end(request.url === '/orders/2' ? 'b' : 'a')
    })
    const gateway = await startProxy(t, primary.url, { backends: [shadow.url], compare }, plugin)
    const send = client(t, gateway.url)
    const ask = async (...paths: string[]) => {
      for (const path of paths) await send({ path })
    }
    await ask('/orders/7', '/gone', '/not/so')
    t.strictSame(await settled(t, gateway), { '(not found)': 3 })
    await ask('/orders/1', '/orders/2', '/orders/1', '/users?a=1', '/users')
    t.strictSame(await settled(t, gateway), { '(not found)': 3, 'GET /orders/*': 3, 'GET /users': 2 })
    await ask('/orders/7', '/gone')
    t.strictSame(await settled(t, gateway), { '(not found)': 4, 'GET /orders/*': 4, 'GET /users': 2 })
    t.strictSame(await settled(t, gateway, 'mismatched'), { '(not found)': 0, 'GET /orders/*': 1, 'GET /users': 0 })
    const { limit, limited, endpoints } = listOf(gateway)
    t.strictSame([limit, limited], [200, false])
    t.strictSame(endpoints.map(({ share }) => share), [0.4, 0.4, 0.2])
    const orders = endpoints.find(({ name }) => name === 'GET /orders/*')?.backends[0] as EndpointBackend
    t.match(orders, { verdict: 'not enough data', compared: 4, matched: 3, pairs: Number, p95: Number, p99: Number, latestMismatch: /Z$/ })
    gateway.app.mirrors.reset(gateway.mirror().id)
    t.strictSame(listOf(gateway), { limit: 200, limited: false, endpoints: [] })
    await ask('/orders/7')
    t.strictSame(await settled(t, gateway), { '(not found)': 1 }, 'a period knows nothing of the one before')
  })

  t.test(`${mode}: a mismatch is counted by its own name, though the client has not got all of the answer`, async t => {
    const shadow = await startBackend(t, (_, response) => response.end('other'))
    const events: MismatchEvent[] = []
    const gateway = await startGateway(t, {
      plugin: { ...plugin, onMismatch: event => { events.push(event) } },
      routes: app => {
        app.get('/large', { mirror: { id: 'm', backends: [shadow.url], compare: { enabled: true }, endpoint: () => 'named' } }, async () => 'x'.repeat(32 * 1024 * 1024))
      }
    })
    const socket = net.connect(gateway.port, '127.0.0.1').pause()
    t.teardown(() => socket.destroy())
    socket.write('GET /large HTTP/1.1\r\nhost: a\r\n\r\n')
    await until('the mismatch is told of', () => events.length === 1, 20_000)
    t.match(events, [{ endpoint: 'named' }])
    t.match(gateway.app.mirrors.mismatches('m')?.places, [{ endpoint: 'named', where: 'body', count: 1, share: 1 }])
    booksClose(t, gateway.mirror())
  })

  t.test(`${mode}: a scanner with many paths leaves the endpoints alone`, async t => {
    const primary = await startBackend(t, (request, response) => response.writeHead(request.url === '/real' ? 200 : 404).end())
    const shadow = await startBackend(t, (request, response) => response.writeHead(request.url === '/real' ? 200 : 404).end())
    const gateway = await startProxy(t, primary.url, { backends: [shadow.url], compare, maxEndpoints: 2 }, plugin)
    const send = client(t, gateway.url)
    const random = seeded(1)
    for (let i = 0; i < 200; i++) await send({ path: `/${random().toString(36).slice(2)}/${'x'.repeat(i)}` })
    await send({ path: '/real' })
    t.strictSame(await settled(t, gateway), { '(not found)': 200, 'GET /real': 1 })
  })

  t.test(`${mode}: a request has the name that a function gives it when it is over`, async t => {
    const shadow = await startBackend(t)
    const asked: EndpointRequest[] = []
    const endpoint = (request: EndpointRequest) => {
      asked.push(request)
      const body = request.bodyHead.toString()
      if (body === 'throw') throw new Error('of the user')
      return body === '' ? undefined : body.slice(0, 4)
    }
    const gateway = await startGateway(t, {
      plugin,
      routes: async app => {
        app.route({ method: ['GET', 'POST'], url: '/rpc', mirror: { backends: [shadow.url], compare, endpoint }, handler: async () => 'ok' })
      }
    })
    const send = client(t, gateway.url)
    await send({ method: 'POST', path: '/rpc?a', body: 'user' + 'x'.repeat(10_000), headers: { 'content-type': 'text/plain', 'x-a': '1' } })
    await send({ method: 'POST', path: '/rpc', body: 'throw', headers: { 'content-type': 'text/plain' } })
    await send({ path: '/rpc' })
    t.strictSame(await settled(t, gateway), { user: 1, '(other)': 1, 'GET /rpc': 1 })
    t.strictSame(await settled(t, gateway, 'matched'), { user: 1, '(other)': 1, 'GET /rpc': 1 })
    t.match(asked[0], { method: 'POST', path: '/rpc?a', headers: { 'x-a': '1' }, route: '/rpc' })
    t.equal(asked[0].bodyHead.length, 2048)
    t.match(gateway.log.at(-1), { msg: 'endpoint failed', err: { message: 'of the user' } })
  })
}

t.test('by its own name, below a wildcard, too; what has none by its path', async t => {
  const primary = await startBackend(t, (request, response) => response.writeHead(request.url === '/none' ? 404 : 200).end())
  const gateway = await startProxy(t, primary.url, { backends: [primary.url], endpoint: 'graphql' })
  const send = client(t, gateway.url)
  const headers = { 'content-type': 'application/json' }
  await send({ method: 'POST', path: '/graphql', headers, body: '{"query":"query Users { a }"}' })
  await send({ path: '/graphql?operationName=Orders' })
  await send({ path: '/graphql?query=%7Ba%7D' })
  await send({ path: '/none' })
  t.strictSame(await settled(t, gateway), { Users: 1, Orders: 1, 'GET /graphql': 1, '(not found)': 1 })
})

t.test('plain routes are called by their method and URL, whatever they answer; past the limit they are counted together', async t => {
  const shadow = await startBackend(t)
  const options: MirrorOptions = { backends: [{ url: shadow.url, name: 'a' }, { url: shadow.url, name: 'b', percentage: 0 }], compare, maxEndpoints: 3 }
  const gateway = await startGateway(t, {
    routes: async app => {
      for (const url of ['/users/:id', '/orders/:id', '/late']) app.route({ method: ['GET', 'DELETE'], url, mirror: options, handler: async (_request, reply) => reply.code(404).send('ok') })
    }
  })
  const send = client(t, gateway.url)
  for (const path of ['/users/1', '/users/zoe', '/orders/5', '/late']) await send({ path })
  await send({ path: '/users/1', method: 'DELETE' })
  await send({ path: '/users/1', method: 'HEAD' })
  t.strictSame(await settled(t, gateway), { 'GET /users/:id': 2, 'GET /orders/:id': 1, 'GET /late': 1, '(other)': 2 })
  t.equal(listOf(gateway).limited, true)
  t.strictSame(listOf(gateway).endpoints.map(({ backends }) => backends[1].leftOut), [2, 2, 1, 1], 'of the other backend, too')
})

t.test('a path that the primary did not answer is none yet: it failed, or the client left', async t => {
  const gone = REFUSED.url
  const shadow = await startBackend(t, (_request, response) => { response.destroy() })
  const broken = await startProxy(t, gone, { backends: [{ url: shadow.url, percentage: 0 }, shadow.url], maxInFlight: 1 })
  const send = client(t, broken.url)
  t.equal((await send({ path: '/a' })).status >= 500, true)
  t.strictSame(await settled(t, broken), { '(not found)': 1 })

  const hung = await startBackend(t, () => {})
  const gateway = await startProxy(t, hung.url, { backends: [shadow.url], maxInFlight: 1 })
  const socket = net.connect(gateway.port, '127.0.0.1')
  socket.on('error', () => {})
  socket.write('GET /a HTTP/1.1\r\nhost: h\r\n\r\n')
  await until('the primary is asked', () => hung.requests.length === 1)
  await until('it is pending', () => listOf(gateway).endpoints[0]?.name === '(pending)')
  t.match(listOf(gateway).endpoints[0].backends[0], { verdict: null, mirrored: 1 })
  booksClose(t, gateway.mirror(), listOf(gateway))
  socket.destroy()
  t.strictSame(await settled(t, gateway), { '(not found)': 1 })
})

t.test('an answer that is a Response has that one\'s status', async t => {
  const shadow = await startBackend(t)
  const gateway = await startGateway(t, {
    routes: async app => {
      app.get('/*', { mirror: { backends: [shadow.url], compare } }, async request => new Response('a', { status: request.url === '/a' ? 404 : 201 }))
    }
  })
  const send = client(t, gateway.url)
  await send({ path: '/a' })
  await send({ path: '/b' })
  t.strictSame(await settled(t, gateway), { '(not found)': 1, 'GET /b': 1 })
})

t.test('a request of which the mirror itself fails is counted somewhere', async t => {
  const shadow = await startBackend(t)
  const gateway = await startProxy(t, shadow.url, { backends: [shadow.url], compare })
  const { find } = Endpoints.prototype
  Endpoints.prototype.find = () => { throw new Error('of the mirror') }
  t.teardown(() => { Endpoints.prototype.find = find })
  const send = client(t, gateway.url)
  t.equal((await send({ path: '/a' })).status, 200)
  Endpoints.prototype.find = find
  t.strictSame(await settled(t, gateway, 'lost'), { '(other)': 1 })
})

t.test('a copy that is dropped is counted once, whatever fails behind that', async t => {
  const shadow = await startBackend(t)
  const rewriteRequestHeaders = () => { throw new Error('of the user') }
  const gateway = await startProxy(t, shadow.url, { backends: [shadow.url], compare, rewriteRequestHeaders })
  const { drop } = BackendBooks.prototype
  t.teardown(() => { BackendBooks.prototype.drop = drop })
  BackendBooks.prototype.drop = () => {
    BackendBooks.prototype.drop = drop
    throw new Error('of the mirror')
  }
  t.equal((await client(t, gateway.url)({ path: '/a' })).status, 200)
  t.strictSame(await settled(t, gateway, 'lost'), { '(other)': 1 })
})

t.test('the admin route has them all, in pages, and for a second', async t => {
  const key = { 'x-key': 'k' }
  const shadow = await startBackend(t)
  const admin = {
    onRequest: async (request: { headers: Record<string, unknown> }) => {
      if (request.headers['x-key'] !== 'k') throw Object.assign(new Error('no'), { statusCode: 401 })
    }
  }
  const gateway = await startProxy(t, shadow.url, { id: 'all', backends: [shadow.url], compare }, { admin })
  const send = client(t, gateway.url)
  for (let i = 0; i < 25; i++) for (let j = 0; j <= i; j++) await send({ path: `/${'abcdefghijklmnopqrstuvwxy'[i]}` })
  await settled(t, gateway)
  const { app } = gateway
  t.equal((await app.inject('/mirrors/all/endpoints')).statusCode, 401)
  t.equal((await app.inject({ url: '/mirrors/none/endpoints', headers: key })).statusCode, 404)
  const all = await app.inject({ url: '/mirrors/all/endpoints', headers: key })
  t.strictSame(all.json(), JSON.parse(JSON.stringify(app.mirrors.endpoints('all'))))
  t.equal(all.headers.link, undefined)
  t.match(all.json().endpoints.map(({ name }: { name: string }) => name).slice(0, 3), ['GET /y', 'GET /x', 'GET /w'])
  const first = await app.inject({ url: '/mirrors/all/endpoints?limit=20', headers: key })
  t.equal(first.json().endpoints.length, 20)
  const link = /<(.*)>/.exec(first.headers.link as string)?.[1]
  const rest = await app.inject({ url: `/mirrors/all/endpoints${link}`, headers: key })
  t.equal(rest.json().endpoints.length, 5)
  t.strictSame([...first.json().endpoints, ...rest.json().endpoints], all.json().endpoints)
  await send({ path: '/new' })
  const isNew = ({ name }: { name: string }) => name === 'GET /new'
  await until('they are read anew', async () => (await app.inject({ url: '/mirrors/all/endpoints', headers: key })).json().endpoints.some(isNew))
  app.mirrors.reset('all')
  t.strictSame((await app.inject({ url: '/mirrors/all/endpoints', headers: key })).json().endpoints, [], 'of another period at once')
  await send({ path: '/new' })
  await settled(t, gateway)
  await app.inject({ method: 'POST', url: '/mirrors/all/reset', headers: key })
  t.strictSame((await app.inject({ url: '/mirrors/all/endpoints/', headers: key })).json(), { limit: 200, limited: false, endpoints: [] })
  t.equal(app.mirrors.endpoints('none'), undefined)
})

t.test('a hundred backends with a thousand endpoints are told in pages of 2 MB', async t => {
  const backend = listBackend()
  const endpoints = Array.from({ length: 1000 }, (_, i) => ({ name: `GET /${i}`, share: 0.001, backends: new Array(100).fill(backend) }))
  const list = { limit: 1000, limited: false, endpoints }
  let after: string | null | undefined
  let count = 0
  do {
    const { body, last } = await endpointPage(list, 10_000, after ?? undefined)
    t.ok(body.length < 2_000_000)
    count += JSON.parse(body.toString()).endpoints.length
    after = last
  } while (after !== null)
  t.equal(count, 1000)
})

function listBackend (): EndpointBackend {
  return {
    name: 'shadow',
    verdict: 'ready',
    mirrored: 1,
    inFlight: 0,
    comparing: 0,
    compared: 1,
    matched: 1,
    mismatched: 0,
    failed: 0,
    lost: 0,
    leftOut: 0,
    pairs: 1,
    slower: 0,
    p95: 1.5,
    p99: 2.5,
    latestMismatch: null
  }
}

t.test('30 endpoints behind one http-proxy: one that is wrong in some of its answers is named, and nobody else', async t => {
  const random = seeded(14)
  const names = Array.from({ length: 30 }, (_, i) => `/api/kind-${'abcdefghijklmnopqrstuvwxyzABCD'[i]}`)
  const answer = (wrong: boolean) => (request: http.IncomingMessage, response: http.ServerResponse) => {
    const [path, fault] = (request.url as string).split('?')
    response.end(wrong && fault === 'wrong' ? 'wrong' : path)
  }
  const primary = await startBackend(t, answer(false))
  const shadow = await startBackend(t, answer(true))
  const gateway = Fastify()
  t.teardown(() => gateway.close())
  await gateway.register(fastifyMirror)
  const verdict = { maxMismatchRate: 0.02, maxEndpointMismatchRate: 0.1 }
  await gateway.register(httpProxy, { upstream: primary.url, config: { mirror: { id: 'api', backends: [shadow.url], compare, verdict } } })
  const url = await gateway.listen({ port: 0 })
  const agent = new http.Agent({ keepAlive: true, maxSockets: 20 })
  t.teardown(() => agent.destroy())
  const ask = async (path: string) => {
    const request = http.get(url + path, { agent })
    const [response] = await once(request, 'response')
    response.resume()
    await once(response, 'end')
  }
  const requests: string[] = []
  for (let i = 0; i < 3000; i++) {
    const rare = random() < 0.02
    const name = names[rare ? 0 : 1 + Math.floor(random() * 29)]
    requests.push(rare && random() < 0.5 ? `${name}?wrong` : name)
  }
  for (let i = 0; i < requests.length; i += 20) {
    await Promise.all(requests.slice(i, i + 20).map(ask))
    const word = gateway.mirrors.verdict('api')?.verdict
    if (word === 'ready') t.fail('it is never ready')
  }
  await until('all is compared', () => gateway.mirrors.get('api')?.backends[0].compared === 3000)
  booksClose(t, gateway.mirrors.get('api') as never, gateway.mirrors.endpoints('api'))
  const told = gateway.mirrors.verdict('api')
  t.equal(told?.verdict, 'not ready')
  const states = told?.backends[0].reasons.map(({ about, state }) => `${about} ${state}`)
  t.ok(states?.includes('mismatches good') || states?.includes('mismatches undecided'), 'in the whole it is hidden')
  const reason = told?.backends[0].reasons.find(({ about }) => about === 'endpoints')
  t.match(reason, { state: 'bad', count: 1, of: 30, endpoints: [{ name: `GET ${names[0]}` }] })
  t.equal(reason?.endpoints?.length, 1)
})
