import t from 'tap'
import type { Test } from 'tap'
import httpProxy from '@fastify/http-proxy'
import Fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import crypto from 'node:crypto'
import os from 'node:os'
import { createContext, runInContext } from 'node:vm'
import * as promClient from 'prom-client'
import { parse } from 'yaml'
import { DIFFERENCES } from '../examples/demo/backends'
import { tableOf } from '../examples/demo/table'
import fastifyMirror from '../lib'
import { startBackend } from './helpers/backend'
import type { TestBackend } from './helpers/backend'
import { blocksOf, pages, read, sectionOf } from './helpers/pages'
import { cert, key } from './helpers/tls'
import { until } from './helpers/until'

/** What examples take for granted: names that are the reader's own. */
const GIVEN = {
  mirror: fastifyMirror,
  httpProxy,
  getUser: async () => 'user',
  getCart: async () => 'cart',
  search: async () => 'found',
  handler: async () => 'handled',
  isOperator: () => false,
  operatorsOnly: async () => {},
  readFileSync: (path: string) => path.includes('key') ? key : cert
}

/** What is imported is handed in; `{ a, b }` and `default` alike. */
function withoutImports (code: string): string {
  return code.replace(/^import (.+) from '(.+)'$/gm, "var $1 = modules['$2']")
}

/** Runs an example where it finds what it takes for granted; gives its app. */
async function run (t: Test, code: string, given: object = {}, modules: object = {}): Promise<FastifyInstance> {
  const own = Fastify()
  if (!/register\(mirror\b/.test(code)) await own.register(fastifyMirror)
  const context = createContext({
    ...GIVEN,
    app: own,
    process,
    console,
    Buffer,
    btoa,
    ...given,
    modules: {
      fastify: Fastify,
      '@fastify/http-proxy': httpProxy,
      'fastify-mirror': fastifyMirror,
      'prom-client': { ...promClient, register: new promClient.Registry() },
      'node:crypto': crypto,
      'node:os': os,
      ...modules
    }
  })
  const app: FastifyInstance = await runInContext(`(async () => {\n${withoutImports(code)}\nreturn app\n})()`, context)
  if (app !== own) await own.close()
  t.teardown(() => app.close())
  await app.ready()
  return app
}

/** An example as it stands, but for addresses of this machine, and with every request mirrored. */
function atHome (code: string, production: TestBackend, shadow: TestBackend): string {
  return code
    .replace(/http:\/\/(?:production|orders-v1):9000/g, production.url)
    .replace(/http:\/\/(?:shadow|orders-v2):9000/g, shadow.url)
    .replace(/percentage: \d+/, 'percentage: 100')
    .replace('logger: true', "logger: { level: 'silent' }")
    .replace(/port: \d+/g, "port: 0, host: '127.0.0.1'")
}

t.test('README: the first example works as it stands, and docs show the real numbers', async t => {
  const production = await startBackend(t)
  const shadow = await startBackend(t)
  const app = await run(t, atHome(blocksOf(read('README.md'), 'js')[0], production, shadow))
  for (const [method, url] of [['GET', '/api/v2/a?b'], ['POST', '/api/v2/a'], ['GET', '/api/v1/a']] as const) {
    t.equal((await app.inject({ method, url })).body, 'ok')
  }
  await until('the copy is compared', () => app.mirrors.get('api')?.backends[0].matched === 1)
  t.strictSame(production.requests.map(({ method, url }) => [method, url]), [['GET', '/v2/a?b'], ['POST', '/v2/a'], ['GET', '/v1/a']])
  t.strictSame(shadow.requests.map(({ method, url }) => [method, url]), [['GET', '/v2/a?b']])

  const table = blocksOf(sectionOf(read('README.md'), '## Try it'), '')[0].split('\n')
  const headings = tableOf(app.mirrors.list(), 120, false).slice(0, 2)
  t.strictSame(table.slice(0, 2).map(wordsOf), headings.map(wordsOf), 'the demo prints such a table')

  const pasted = JSON.parse(blocksOf(read('docs/metrics.md'), 'json')[0])
  t.strictSame(shape(pasted), shape((await app.inject('/mirrors/api')).json()), 'the snapshot has the real names')
})

function wordsOf (line: string): string[] {
  return line.trim().split(/ +/)
}

t.test('examples/README: tells of what the demo\'s candidate does differently', async t => {
  t.ok(blocksOf(read('examples/README.md'), '').includes(`${DIFFERENCES.join('\n')}\n`))
})

/** A document with all values but objects and arrays made alike. */
function shape (value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shape)
  if (typeof value !== 'object' || value === null) return 0
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, shape(child)]))
}

for (const page of pages) {
  for (const [i, code] of blocksOf(read(page), 'js').entries()) {
    t.test(`${page}, example ${i + 1} runs: ${code.split('\n')[0]}`, async t => {
      const production = await startBackend(t)
      const shadow = await startBackend(t)
      const cluster = { isPrimary: false }
      const app = await run(t, atHome(code, production, shadow), {}, { 'node:cluster': cluster })
      // What has a mirror, mirrors.
      for (const { routes, backends } of Object.values(app.mirrors.list())) {
        if (!backends[0].url.startsWith('http:')) continue
        const before = shadow.requests.length
        const route = routes.find(({ url }) => url.endsWith('*')) ?? routes[0]
        const url = route.url.replace(/:\w+/, '1').replace('*', 'v2/products/1')
        const { statusCode } = await app.inject({ url, headers: { 'x-user-id': '1' } })
        t.ok(statusCode < 300, url)
        await until('a copy is there', () => shadow.requests.length > before)
      }
    })
  }

  t.test(`${page}: what is JSON, is JSON`, async t => {
    for (const block of blocksOf(read(page), 'json')) t.doesNotThrow(() => JSON.parse(block), block.slice(0, 80))
  })
}

t.test('docs/processes: the primary process forks, and answers for all', async t => {
  let forks = 0
  const cluster = { isPrimary: true, fork: () => forks++ }
  const [code] = blocksOf(read('docs/processes.md'), 'js')
  const app = await run(t, code.replace(/port: \d+/g, 'port: 0'), {}, { 'node:cluster': cluster })
  t.equal(forks, os.availableParallelism())
  t.equal((await app.inject('/metrics')).statusCode, 200)
})

t.test('docs/gateway: the block is taken as it is', async t => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(fastifyMirror)
  const { mirror } = parse(blocksOf(read('docs/gateway.md'), 'yaml')[0])
  app.get('/', { mirror: { ...mirror, id: 'block' } }, async () => 'ok')
  t.match(app.mirrors.get('block'), { percentage: 25, backends: [{ url: 'http://shadow:9000' }] })
})

t.test('docs/options: a mistake is told of as it stands there', async t => {
  const [shown] = blocksOf(sectionOf(read('docs/options.md'), '# Options'), '')
  const app = Fastify()
  await app.register(fastifyMirror)
  const mirror = { percentge: 5, backends: ['http://shadow:9000'] } as object
  try {
    app.get('/users/:id', { mirror }, async () => 'ok')
    t.fail('it is refused')
  } catch (error) {
    const { code, message } = error as Error & { code: string }
    t.ok(`${code}: ${message}`.startsWith(shown.trim().replace(/ \.\.\.$/, '')), message)
  }
  await app.close()
})

t.test('docs/admin: the guards let in whom they should', async t => {
  const [first, second] = blocksOf(sectionOf(read('docs/admin.md'), '## A guard'), 'js')
  const app = await run(t, first, { isOperator: () => false })
  t.equal((await app.inject('/mirrors')).statusCode, 403)
  const open = await run(t, first, { isOperator: () => true })
  t.equal((await open.inject('/mirrors')).statusCode, 200)

  const guarded = await run(t, `${second}\nawait app.register(mirror, { admin: { onRequest } })`, {
    process: { env: { MIRRORS_PASSWORD: 'secret' } }
  })
  const authorization = `Basic ${btoa('ops:secret')}`
  t.equal((await guarded.inject({ url: '/mirrors', headers: { authorization } })).statusCode, 200)
  t.equal((await guarded.inject('/mirrors')).statusCode, 401)
})
