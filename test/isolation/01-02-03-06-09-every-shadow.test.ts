import httpProxy from '@fastify/http-proxy'
import t from 'tap'
import type { Test } from 'tap'
import { createReadStream } from 'node:fs'
import http from 'node:http'
import { Readable } from 'node:stream'
import type { Client } from 'undici'
import type { MirrorSnapshot } from '../../types/index'
import { track } from '../helpers/backend'
import { booksClose } from '../helpers/books'
import { keepAlive, modes, startGateway } from '../helpers/gateway'
import type { Gateway } from '../helpers/gateway'
import { activeResources, nothingLeft, watchProcess } from '../helpers/process'
import { shadows } from '../helpers/shadows'
import type { Fate, Shadow } from '../helpers/shadows'
import { until } from '../helpers/until'

// The machine may be busy. What waits for a mirror here waits for 2 s at least, mostly for `TIMEOUT`.
const SOON = 1900
const TIMEOUT = 20_000
const LARGE = 16 * 1024 * 1024

interface Primary {
  url: string
  /** Bytes of request bodies. */
  received: number
  close (): Promise<void>
}

/** Answers a GET of `/large` with many bytes, any other request with the length of its body. */
async function startPrimary (t: Test): Promise<Primary> {
  const server = http.createServer((request, response) => {
    let length = 0
    request.on('data', chunk => {
      length += chunk.length
      primary.received += chunk.length
    })
    request.on('end', () => {
      if (request.url === '/large') response.end(Buffer.alloc(LARGE))
      else response.end(String(length))
    })
  })
  const primary = Object.assign(await track(t, server), { received: 0 })
  return primary
}

for (const { mode, plugin } of modes) {
  t.test(`${mode}: one connection, every shadow at once`, async t => {
    const faults = watchProcess(t)
    const base = activeResources()
    const primary = await startPrimary(t)
    const started = await Promise.all(shadows.map(kind => kind.start(t)))
    const gateway = await startGateway(t, {
      plugin: { ...plugin, closeTimeout: 1 },
      async routes (app) {
        await app.register(httpProxy, { upstream: primary.url, prefix: '/absent' })
        for (const [i, { backend }] of started.entries()) {
          const mirror = { id: String(i), backends: [backend], timeout: TIMEOUT, breaker: false as const, compare: { enabled: true } }
          await app.register(httpProxy, { upstream: primary.url, prefix: `/${i}`, config: { mirror } })
        }
      }
    })
    let connections = 0
    gateway.app.server.on('connection', () => connections++)
    const client = keepAlive(t, gateway.url)

    for (const [name, prefix] of [['absent', '/absent'], ...shadows.map(({ name }, i) => [name, `/${i}`])]) {
      await t.test(`rule 3: the next request on the same connection is not delayed: shadow ${name}`, async t => {
        for (let i = 0; i < 5; i++) {
          const [text, ms] = await timed(() => get(client, `${prefix}/`))
          t.equal(text, '0')
          t.ok(ms < SOON, `answered after ${ms} ms`)
        }
      })

      await t.test(`rule 1: the primary starts before its request body is complete: shadow ${name}`, async t => {
        for (const headers of [{}, { 'content-length': '10' }]) {
          const before = primary.received
          const body = new Readable({ read () {} })
          body.push('first')
          const answer = client.request({ method: 'POST', path: `${prefix}/`, body, headers })
          await until('the primary has the first bytes', () => primary.received === before + 5)
          body.push('other')
          body.push(null)
          t.equal(await (await answer).body.text(), '10')
        }
      })

      await t.test(`rule 2: the primary's request body and answer flow at their own pace: shadow ${name}`, async t => {
        const [length, uploaded] = await timed(() => upload(client, `${prefix}/`))
        t.equal(length, String(LARGE))
        t.ok(uploaded < TIMEOUT / 2, `uploaded in ${uploaded} ms`)
        const [bytes, downloaded] = await timed(async () => (await get(client, `${prefix}/large`)).length)
        t.equal(bytes, LARGE)
        t.ok(downloaded < TIMEOUT / 2, `downloaded in ${downloaded} ms`)
        const [, ms] = await timed(() => get(client, `${prefix}/`))
        t.ok(ms < SOON, `the next one answered after ${ms} ms`)
      })
    }

    t.equal(connections, 1, 'all of it on one connection')
    await gateway.app.close()
    for (const [i, shadow] of started.entries()) await allGone(t, shadows[i].name, gateway.mirror(String(i)), shadow)
    await client.destroy()
    for (const server of [primary, ...started]) await server.close()
    await nothingLeft(base)
    t.strictSame(faults, [], 'rule 9: nothing reaches the process')
  })

  t.test(`${mode}, rule 6: every mirror request has one total timeout, its response body included`, async t => {
    const faults = watchProcess(t)
    const timeout = 200
    const primary = await startPrimary(t)
    const started = await Promise.all(shadows.map(kind => kind.start(t)))
    const gateway = await startGateway(t, {
      plugin,
      async routes (app) {
        for (const [i, { backend }] of started.entries()) {
          const endless = shadows[i].fates.includes('timeout') || shadows[i].fates.includes('connect')
          const mirror = { id: String(i), backends: [backend], timeout: endless ? timeout : TIMEOUT, breaker: false as const }
          await app.register(httpProxy, { upstream: primary.url, prefix: `/${i}`, config: { mirror } })
        }
      }
    })
    const client = keepAlive(t, gateway.url)

    const ended = shadows.map(async (_, i) => {
      const start = performance.now()
      await get(client, `/${i}/`)
      await until('the copy has ended', () => counted(gateway, i).inFlight === 0)
      return performance.now() - start
    })
    for (const [i, { name, fates, uploadFates }] of shadows.entries()) {
      await t.test(`shadow ${name}`, async t => {
        const ms = await ended[i]
        const { inFlight, ...first } = counted(gateway, i)
        const fate = fates.find(fate => first[fate] === 1)
        t.ok(fate !== undefined, `ends as ${fates.join(' or ')}`)
        if (fate === 'timeout') t.ok(ms >= timeout, `not before its time, but after ${ms} ms`)

        t.equal(await upload(client, `/${i}/`), String(LARGE))
        await until('the copy of the upload has ended', () => counted(gateway, i).inFlight === 0)
        t.ok(uploadFates.some(fate => counted(gateway, i)[fate] === first[fate] + 1), `an upload ends as ${uploadFates.join(' or ')}`)
      })
    }

    await gateway.app.close()
    for (const [i, shadow] of started.entries()) await allGone(t, shadows[i].name, gateway.mirror(String(i)), shadow)
    t.strictSame(faults, [], 'rule 9: nothing reaches the process')
  })
}

async function timed<T> (work: () => Promise<T>): Promise<[result: T, ms: number]> {
  const start = performance.now()
  const result = await work()
  return [result, performance.now() - start]
}

async function get (client: Client, path: string): Promise<string> {
  return (await client.request({ method: 'GET', path })).body.text()
}

async function upload (client: Client, path: string): Promise<string> {
  const body = createReadStream('/dev/zero', { end: LARGE - 1 })
  return (await client.request({ method: 'POST', path, body })).body.text()
}

function counted (gateway: Gateway, mirror: number): Record<Fate | 'inFlight', number> {
  const { inFlight, success, failure } = gateway.mirror(String(mirror)).backends[0]
  return { inFlight, success, ...failure }
}

/** Once the app is closed nothing of a mirror is left, neither in its books nor at its shadow. */
async function allGone (t: Test, name: string, mirror: MirrorSnapshot, shadow: Shadow): Promise<void> {
  booksClose(t, mirror)
  t.strictSame([mirror.pending, mirror.backends[0].inFlight, mirror.backends[0].comparing], [0, 0, 0], `nothing in flight: shadow ${name}`)
  shadow.readOn()
  await until(`shadow ${name} has no connection left`, () => shadow.sockets.size === 0)
}
