import { replace } from '../helpers/replaceable'
import type { Test } from 'tap'
import httpProxy from '@fastify/http-proxy'
import { readdirSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { Readable } from 'node:stream'
import { Registry } from 'prom-client'
import t from 'tap'
import type { FastifyMirrorOptions } from '../../types/index'
import { startBackend } from '../helpers/backend'
import type { TestBackend } from '../helpers/backend'
import { imbalances } from '../helpers/books'
import { client } from '../helpers/client'
import type { Answered, Sent } from '../helpers/client'
import { startGateway } from '../helpers/gateway'
import type { Gateway } from '../helpers/gateway'
import { inProcess } from '../helpers/in-process'
import { until } from '../helpers/until'

// Every function and method that runs for a request throws once, one after the other. The client must get what it gets from a gateway without
// the plugin, the books must close, nothing may be held, and the next requests must be mirrored as ever.

const LIB = join(__dirname, '../../lib')

/** What runs for a request. The guard is what is tested. */
const PARTS = [
  'compare', 'decision', 'engine', 'hooks', 'mirror', 'mismatches', 'noise', 'proxy', 'request', 'tap', 'request-target.ts',
  'metrics/books.ts', 'metrics/ring.ts', 'metrics/histogram.ts'
]
/** Run once for an app, when numbers are read, or in the worker's own file; and what only pushes into an array or reads of one. */
const NOT_FOR_REQUESTS = /thread\/worker\.ts|quick-ticks|hooks\/index\.ts: install|Registry\.|: connectFault|Mirror\.(?:snapshot|totals|verdict)|Ring\.summary|RulesInForce\.list|: startWorker|thread\/main-start|thread\/main-restarts|pushPlaced|OpReader|enterHand/

interface Callee {
  name: string
  holder: Record<string, unknown>
  key: string
}

function filesOf (path: string): string[] {
  return statSync(path).isDirectory() ? readdirSync(path).flatMap(name => filesOf(join(path, name))) : [path]
}

/** Exported functions, classes, and their methods. */
function findCallees (): Callee[] {
  const found: Callee[] = []
  for (const file of PARTS.flatMap(part => filesOf(join(LIB, part)))) {
    if (NOT_FOR_REQUESTS.test(file)) continue
    const holder = require(file) as Record<string, unknown>
    for (const [key, value] of Object.entries(holder)) {
      if (typeof value !== 'function') continue
      const name = `${relative(LIB, file)}: ${key}`
      if (NOT_FOR_REQUESTS.test(name)) continue
      found.push({ name, holder, key })
      if (!/^class\b/.test(Function.prototype.toString.call(value))) continue
      const methods = Object.getOwnPropertyDescriptors(value.prototype as object)
      for (const [method, descriptor] of Object.entries(methods)) {
        if (method === 'constructor' || typeof descriptor.value !== 'function' || NOT_FOR_REQUESTS.test(`${name}.${method}`)) continue
        found.push({ name: `${name}.${method}`, holder: value.prototype, key: method })
      }
    }
  }
  return found
}

/** Has `onCall` called before each call, which may throw. Returns what undoes it. */
function intercept ({ holder, key }: Callee, onCall: () => void): () => void {
  return replace(holder, key, new Proxy(holder[key] as Function, {
    apply: (target, self, args) => { onCall(); return Reflect.apply(target, self, args) },
    construct: (target, args, self) => { onCall(); return Reflect.construct(target, args, self) }
  }))
}

interface Scene {
  gateway: Gateway
  buffered: () => Promise<number>
  requests: () => Promise<string[]>
  shadow: TestBackend
}

const JSON_BODY = JSON.stringify({ items: [{ price: 1 }, { price: 2 }], name: 'x'.repeat(5000) })

/** A gateway through which every kind of request and answer goes. `null`: without the plugin. */
async function start (t: Test, plugin: FastifyMirrorOptions | null): Promise<Scene> {
  const answer = (price: number): Parameters<typeof startBackend>[1] => (request, response) => {
    response.setHeader('content-type', 'application/json')
    response.setHeader('x-price', price)
    response.end(JSON.stringify({ path: request.url, price, text: 'y'.repeat(3000) }))
  }
  const primary = await startBackend(t, answer(1))
  const shadow = await startBackend(t, answer(2))
  const register = new Registry()
  const mirror = (id: string) => (plugin === null
    ? {}
    : { id, backends: [shadow.url], compare: { enabled: true, detailedDiff: true, logMismatches: true }, breaker: false as const })
  const gateway = await startGateway(t, {
    plugin: plugin === null ? { admin: false } : { ...plugin, admin: false, prometheus: { register }, onMismatch: () => {} },
    routes: async app => {
      const option = (id: string) => plugin === null ? {} : { mirror: mirror(id) }
      await app.register(httpProxy, { upstream: primary.url, prefix: '/proxied', config: option('proxied') })
      app.post('/text', option('text'), async request => `${(request.body as object) === undefined} ok`)
      app.get('/stream', option('stream'), () => Readable.from(['hel', 'lo'].map(text => Buffer.from(text))))
      app.get('/web', option('web'), (_, reply) => reply.send(new ReadableStream({
        start (controller) { controller.enqueue(Buffer.from('hello')); controller.close() }
      })))
    }
  })
  const sent: Sent[] = [
    { method: 'POST', path: '/proxied/a?b=1', headers: { 'content-type': 'application/json' }, body: JSON_BODY, chunked: true },
    { method: 'POST', path: '/text', headers: { 'content-type': 'application/json' }, body: JSON_BODY },
    { path: '/proxied/c' },
    { path: '/stream' },
    { path: '/web' }
  ]
  const clients = sent.map(() => client(t, gateway.url))
  return {
    gateway,
    shadow,
    buffered: async () => {
      // Examples are held for as long as they are of use.
      for (const id of Object.keys(gateway.app.mirrors.list())) gateway.app.mirrors.clear(id)
      return Number(/^fastify_mirror_buffered_bytes (\d+)/m.exec(await register.metrics())?.[1])
    },
    requests: async () => {
      const answers = await Promise.all(sent.map((one, index) => clients[index](one)))
      return answers.map(shown)
    }
  }
}

function shown ({ status, headers: { date, ...headers }, body }: Answered): string {
  return `${status} ${JSON.stringify(headers)} ${body}`
}

function underWay ({ app }: Gateway): boolean {
  return Object.values(app.mirrors.list()).some(({ pending, backends }) => pending > 0 || backends.some(b => b.inFlight + b.comparing > 0))
}

for (const mode of ['inline', 'thread'] as const) {
  t.test(`${mode}: whatever throws, the client does not notice, the books close, and nothing is held`, async t => {
    if (mode === 'thread') {
      t.teardown(replace(require('../../lib/engine/thread/main-start') as object, 'startWorker', inProcess))
    }
    const faults: unknown[] = []
    const onFault = (fault: unknown) => { faults.push(fault) }
    process.on('uncaughtException', onFault).on('unhandledRejection', onFault)
    t.teardown(() => process.off('uncaughtException', onFault).off('unhandledRejection', onFault))

    const expected = await (await start(t, null)).requests()
    const scene = await start(t, { thread: mode === 'thread' })
    const { gateway, buffered, requests } = scene

    const called: Callee[] = []
    const undo = findCallees().map(callee => intercept(callee, () => { if (!called.includes(callee)) called.push(callee) }))
    t.same(await requests(), expected)
    await until('all has ended', () => !underWay(gateway))
    for (const one of undo) one()
    t.ok(called.length > 100, `${called.length} callees`)

    for (const callee of called) {
      let thrown = false
      let held = 0
      const undo = intercept(callee, () => {
        if (thrown) return
        thrown = true
        throw new Error(`${callee.name} throws`)
      })
      const answers = await requests()
      await until(`all has ended although ${callee.name} threw: ${JSON.stringify(gateway.app.mirrors.list())}`, () => !underWay(gateway), 10_000)
      await until(`nothing is held although ${callee.name} threw`, async () => { held = await buffered(); return held === 0 }, 5_000)
      undo()
      if (mode === 'thread') {
        const away = () => Object.values(gateway.app.mirrors.list()).reduce((sum, { backends }) => sum + backends[0].dropped.thread, 0)
        await until('the thread runs, or runs again', async () => {
          const before = away()
          await requests()
          return away() === before
        })
        await until('all has ended', () => !underWay(gateway))
      }
      const wrong = answers.filter((answer, index) => answer !== expected[index])
      if (wrong.length > 0) t.fail(`${callee.name}: the client got ${wrong.join('; ')}`)
      for (const id of Object.keys(gateway.app.mirrors.list())) {
        for (const fault of imbalances(gateway.mirror(id))) t.fail(`${callee.name}: ${fault}`)
      }
      if (faults.length > 0) t.fail(`${callee.name}: the process got ${faults.splice(0).join('; ')}`)
    }
    const before = Object.values(gateway.app.mirrors.list()).map(({ backends }) => backends[0].compared)
    t.same(await requests(), expected)
    await until('all has ended', () => !underWay(gateway))
    t.same(Object.values(gateway.app.mirrors.list()).map(({ backends }) => backends[0].compared), before.map((count, index) => count + (index === 0 ? 2 : 1)), 'the next are compared')
  })
}
