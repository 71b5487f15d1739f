import Fastify from 'fastify'
import t from 'tap'
import type { Test } from 'tap'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import https from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import type { Worker } from 'node:worker_threads'
import fastifyMirror from '../lib'
import type { BackendSnapshot, ConnectOptions, FastifyMirrorOptions, MirrorPatch } from '../types/index'
import { startBackend } from './helpers/backend'
import { booksClose } from './helpers/books'
import { modes, startGateway } from './helpers/gateway'
import type { LogLine } from './helpers/gateway'
import { until } from './helpers/until'

const file = (name: string) => readFileSync(join(__dirname, 'fixtures', name))
const pair = (name: string) => ({ key: file(`${name}.key`), cert: file(`${name}.crt`) })

/** Two certificate authorities, and what each has signed. */
const OLD = { ca: file('ca.crt'), server: pair('server'), client: pair('client') }
const NEW = { ca: file('other-ca.crt'), server: pair('other-server'), client: pair('other-client') }
type Authority = typeof OLD

/** A shadow that shows its authority's certificate, and lets in only whom that authority knows. `/held` waits. */
async function startShadow (t: Test) {
  const held: Array<() => void> = []
  const clients: string[] = []
  const sockets = new Set<Socket>()
  const of = ({ ca, server }: Authority) => ({ ...server, ca, requestCert: true, rejectUnauthorized: true })
  const server = https.createServer(of(OLD), (request, response) => {
    clients.push((request.socket as TLSSocket).getPeerCertificate().issuer.CN as string)
    if (request.url === '/held') held.push(() => response.end('ok'))
    else response.end('ok')
  })
  server.keepAliveTimeout = 60_000
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
  })
  const cut = () => { for (const socket of sockets) socket.destroy() }
  t.teardown(() => { server.close(); cut() })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `https://localhost:${(server.address() as AddressInfo).port}`,
    held,
    /** Of each request, who signed the client's certificate. */
    clients,
    sockets,
    cut,
    become: (authority: Authority) => server.setSecureContext(of(authority))
  }
}

const connectOf = ({ ca, client }: Authority): ConnectOptions => ({ ca, ...client })

interface Setup {
  plugin: FastifyMirrorOptions
  /** Of one backend each. */
  backends: Array<{ name: string, url: string, connect?: ConnectOptions | (() => ConnectOptions) }>
}

/** A gateway with one mirror `api` of `/`, and its guarded admin routes. */
async function setUp (t: Test, { plugin, backends }: Setup) {
  const lines: LogLine[] = []
  const stream = { write: (line: string) => { lines.push(JSON.parse(line)) } }
  const { app } = await startGateway(t, {
    plugin: { ...plugin, admin: { onRequest: (_request, _reply, done) => done() } },
    server: { logger: { level: 'info', stream } },
    routes: app => {
      app.get('/*', { mirror: { id: 'api', breaker: false, timeout: 10_000, backends } }, async () => 'ok')
    }
  })
  const of = (index: number) => app.mirrors.get('api')?.backends[index] as BackendSnapshot
  const ended = ({ success, failure, total }: BackendSnapshot) =>
    success + Object.values(failure).reduce((sum, count) => sum + count, 0) === total
  return {
    app,
    of,
    /** A request; what became of its copies so far, `success` and `failure.connect` of each backend. */
    ask: async (path = '/') => {
      t.equal((await app.inject(path)).body, 'ok')
      await until('the copies have ended', () => backends.every((_, index) => ended(of(index))))
      return backends.map((_, index) => [of(index).success, of(index).failure.connect])
    },
    patch: (payload: object) => app.inject({ method: 'PATCH', url: '/mirrors/api', payload }),
    switched: () => lines.filter(({ msg }) => msg === 'mirror switched')
  }
}

for (const { mode, plugin } of modes) {
  t.test(`${mode}: a new authority of the shadow's, and a new certificate of one's own, are taken without a restart`, async t => {
    const shadow = await startShadow(t)
    let now = OLD
    let calls = 0
    const connect = () => { calls++; return connectOf(now) }
    const { app, ask, patch, switched } = await setUp(t, { plugin, backends: [{ name: 'v2', url: shadow.url, connect }] })
    t.strictSame(await ask(), [[1, 0]])
    shadow.become(NEW)
    shadow.cut()
    await until('the connection is gone', () => shadow.sockets.size === 0)
    await until('the shadow is not trusted any more', async () => (await ask())[0][1] > 0)
    const [[success, failed]] = await ask()

    now = NEW
    t.equal((await patch({ reconnect: true })).statusCode, 200)
    t.strictSame(await ask(), [[success + 1, failed]])
    t.strictSame(await ask(), [[success + 2, failed]])
    t.equal(calls, 2, 'it is read when it is asked for')
    t.strictSame([...new Set(shadow.clients)], ['fastify-mirror test CA', 'fastify-mirror other CA'])
    t.match(switched(), [{ level: 30, reqId: /^req-/, mirror: 'api', before: {}, after: { reconnect: true } }])

    shadow.become(OLD)
    now = OLD
    app.mirrors.update('api', { reconnect: true, percentage: 100 })
    t.strictSame(await ask(), [[success + 3, failed]], 'the connections of before are not used again')
    t.equal(shadow.clients.at(-1), 'fastify-mirror test CA')
    await until('they are closed', () => shadow.sockets.size === 1)
    t.notOk('reqId' in switched()[1])
    booksClose(t, app.mirrors.get('api') as never)
  })

  t.test(`${mode}: a copy in flight ends over the connection that it has, which ends with it`, async t => {
    const shadow = await startShadow(t)
    const { app, of, ask } = await setUp(t, { plugin, backends: [{ name: 'v2', url: shadow.url, connect: () => connectOf(OLD) }] })
    await app.inject('/held')
    await until('it is there', () => shadow.held.length === 1)
    app.mirrors.update('api', { reconnect: true })
    t.equal((await app.inject('/')).body, 'ok')
    await until('the next is answered over another', () => of(0).success === 1 && shadow.sockets.size === 2)
    shadow.held[0]()
    await until('it is answered, too', () => of(0).success === 2)
    await until('its connection is closed', () => shadow.sockets.size === 1)
    t.strictSame(await ask(), [[3, 0]])
  })

  t.test(`${mode}: options that are wrong change nothing, and say what is allowed`, async t => {
    const shadow = await startShadow(t)
    let given: () => unknown = () => connectOf(OLD)
    const good = { name: 'good', url: shadow.url, connect: () => connectOf(OLD) }
    const { app, ask, patch, switched } = await setUp(t, {
      plugin, backends: [good, { name: 'v2:1', url: shadow.url, connect: () => given() as ConnectOptions }]
    })
    t.strictSame(await ask(), [[1, 0], [1, 0]])
    const at = 'mirror "api": backends["v2:1"].connect'
    const object = "an object of options for undici's connect, or a synchronous function that returns one"
    const cases: Array<[given: () => unknown, message: string]> = [
      [() => { throw new Error('no such file') }, `${at} must be a function that returns options for undici's connect (no such file), got [hidden function]`],
      // eslint-disable-next-line no-throw-literal
      [() => { throw null }, `${at} must be a function that returns options for undici's connect (null), got [hidden function]`],
      [() => undefined, `${at} must be ${object}, got undefined`],
      [() => 'secret', `${at} must be ${object}, got [hidden string]`],
      [() => () => ({}), `${at} must be ${object}, got [hidden function]`],
      [() => Promise.reject(new Error('late')), `${at} must be ${object}, got [hidden object]`],
      [() => ({ caa: 'secret' }), `${at}.caa ([hidden string]) is not an option, did you mean "ca"?; allowed: socketPath, `],
      [() => ({ timeout: 'secret' }), `${at}.timeout must be an integer from 0 to 2147483647, got [hidden string]`],
      [() => ({ family: 4, socketPath: '/s' }), `${at}.family must be left out, as socketPath is given: it can have no effect, got [hidden number]`],
      [() => ({ servername: '127.0.0.1' }), `${at}.servername must be a host name, and no address (RFC 6066, section 3), got [hidden string]`],
      [() => ({ cert: OLD.client.cert, key: NEW.client.key }), `${at} must be TLS options that node:tls accepts (`]
    ]
    if (plugin.thread === true) cases.push([() => ({ lookup () {} }), `${at}.lookup must be what can be sent to a thread`])
    for (const [wrong, message] of cases) {
      given = wrong
      const answer = await patch({ reconnect: true, percentage: 50 })
      t.match(answer.json(), { statusCode: 400, code: /^FST_MIRROR_(?:INVALID|UNKNOWN)_OPTION$/ })
      t.equal(answer.json().message.slice(0, message.length), message)
      t.throws(() => app.mirrors.update('api', { reconnect: true }), { statusCode: 400 } as unknown as Error)
    }
    for (const reconnect of [false, 'yes', null]) {
      t.throws(() => app.mirrors.update('api', { reconnect, percentage: 50 } as unknown as MirrorPatch), {
        statusCode: 400, message: /^mirror "api": reconnect must be true, or left out, got / as unknown as string
      })
    }
    t.strictSame(switched(), [])
    t.equal(app.mirrors.get('api')?.percentage, 100)
    t.strictSame(await ask(), [[2, 0], [2, 0]])
    t.equal(shadow.sockets.size, 2, 'the connections are those of before')
    given = () => connectOf(OLD)
    app.mirrors.update('api', { reconnect: true, backends: { good: { percentage: 99 } } })
    t.match(switched(), [{ after: { reconnect: true, backends: { good: { percentage: 99 } } } }])
  })

  t.test(`${mode}: without such a function there are new connections with the options that there are`, async t => {
    const [shadow, plain] = [await startShadow(t), await startBackend(t)]
    const { app, ask } = await setUp(t, {
      plugin, backends: [{ name: 'v2', url: shadow.url, connect: connectOf(OLD) }, { name: 'plain', url: plain.url }]
    })
    t.strictSame(await ask(), [[1, 0], [1, 0]])
    app.mirrors.update('api', { reconnect: true })
    t.strictSame(await ask(), [[2, 0], [2, 0]])
    t.equal(plain.connections, 2)
    await until('the old ones are closed', () => shadow.sockets.size === 1 && plain.sockets.size === 1)
  })

  t.test(`${mode}: a function that gives wrong options fails the registration`, async t => {
    const app = Fastify()
    t.teardown(() => app.close())
    await app.register(fastifyMirror, plugin)
    const register = (connect: unknown) => () => {
      app.get('/', { mirror: { backends: [{ url: 'https://shadow', connect: connect as ConnectOptions }] } }, async () => 'ok')
    }
    const at = 'route "GET /": mirror.backends[0].connect'
    const object = "an object of options for undici's connect, or a synchronous function that returns one"
    t.throws(register(() => 'x'), { message: `${at} must be ${object}, got [hidden string]` })
    t.throws(register(async () => ({})), { message: `${at} must be ${object}, got [hidden function]` })
    t.throws(register(() => ({ ca: 'x', ciphers: 'no such cipher' })), { message: /^route "GET \/": mirror\.backends\[0\]\.connect must be TLS options/ })
    t.throws(register(() => { throw new Error('no file') }), { code: 'FST_MIRROR_INVALID_OPTION', message: /\(no file\), got \[hidden function\]$/ })
    t.throws(() => app.get('/', { mirror: { backends: [{ url: 'http://shadow', connect: () => ({ reject_unauthorized: true }) as ConnectOptions }] } }, async () => 'ok'), {
      message: /connect\.rejectUnauthorized must be left out, as the URL is http:/
    })
    t.doesNotThrow(register(() => ({ reject_unauthorized: true })), 'in either spelling')
    const defaults = { backends: [{ url: 'https://shadow', connect: () => ({ caa: '' }) as ConnectOptions }] }
    await t.rejects(async () => { await Fastify().register(fastifyMirror, { defaults }) }, {
      message: /^plugin options: defaults\.backends\[0\]\.connect\.caa .* is not an option/
    })
  })
}

t.test('a thread that is started again has the options that were read last', async t => {
  const shadow = await startShadow(t)
  let worker: Worker | undefined
  process.once('worker', started => { worker = started })
  let now = OLD
  const { app, ask } = await setUp(t, { plugin: { thread: true }, backends: [{ name: 'v2', url: shadow.url, connect: () => connectOf(now) }] })
  await ask()
  shadow.become(NEW)
  now = NEW
  await (worker as Worker).terminate()
  app.mirrors.update('api', { reconnect: true })
  await until('there is another thread', async () => (await ask())[0][0] === 2)
  t.equal(shadow.clients.at(-1), 'fastify-mirror other CA')
})
