import t from 'tap'
import type { Test } from 'tap'
import { hash } from 'node:crypto'
import http from 'node:http'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import https from 'node:https'
import { setImmediate } from 'node:timers/promises'
import { track } from './helpers/backend'
import { testEngines } from './helpers/engine'
import type { Bench, Sent } from './helpers/engine'
import { seeded } from './helpers/random'
import { cert, key } from './helpers/tls'
import { until } from './helpers/until'

// Bodies large and many enough that memory which is used again is used again while others still need what is in it.

const MIB = 1024 * 1024
const PATIENT = { timeout: 60_000, maxBacklogBytes: 64 * MIB }
const DIFF = { maxBodyCapture: 2 * MIB, ignoreHeaders: [], ignoreJsonFields: [], rules: [], origins: {}, redact: [] }

const random = seeded(17)
const upTo = (limit: number) => Math.floor(random() * limit)

/** No two stretches of it are alike. */
function noise (length: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let at = 0; at + 4 <= length; at += 4) bytes.writeUInt32LE(upTo(2 ** 32), at)
  return bytes
}

for (const scheme of ['http', 'https'] as const) {
  const start = async (t: Test, listener: RequestListener) => {
    const server = scheme === 'http' ? http.createServer(listener) : https.createServer({ key, cert }, listener)
    server.on('tlsClientError', () => {})
    const { port } = await track(t, server)
    return `${scheme}://localhost:${port}`
  }
  const targetOf = (bench: Bench, url: string, options = {}) => bench.target(url, { ...PATIENT, connect: { ca: cert }, ...options })

  testEngines(t, `${scheme}: large uploads at once, to backends that take them by fits and starts`, async (t, bench) => {
    const BODIES = 6
    const bodies = Array.from({ length: BODIES }, () => noise(3 * MIB + upTo(100_000)))
    const backends = [
      (request: IncomingMessage) => { request.resume() },
      (request: IncomingMessage) => {
        request.on('data', () => {
          if (random() < 0.2) return
          request.pause()
          setTimeout(() => request.resume(), random() < 0.1 ? 20 : 0)
        })
      },
      // It leaves in the midst of the body, what has been written and not taken with it.
      (request: IncomingMessage) => {
        request.once('data', () => request.pause())
        setTimeout(() => request.socket.destroy(), 30)
      }
    ]
    const got: Array<Map<string, string>> = backends.map(() => new Map())
    const targets: unknown[] = []
    for (const [index, take] of backends.entries()) {
      targets.push(targetOf(bench, await start(t, (request, response) => {
        const chunks: Buffer[] = []
        request.on('data', chunk => chunks.push(chunk))
        request.on('error', () => {})
        request.on('end', () => {
          got[index].set(request.url as string, hash('sha256', Buffer.concat(chunks)))
          response.end()
        })
        take(request)
      })))
    }
    await Promise.all(bodies.map(async (body, index) => {
      const { exchange, ended } = bench.send(targets, { method: 'POST', path: `/${index}`, upload: true })
      for (let at = 0; at < body.length;) {
        const piece = body.subarray(at, at + 1 + upTo(random() < 0.1 ? 200_000 : 40_000))
        exchange.write(Buffer.from(piece))
        at += piece.length
        if (random() < 0.3) await setImmediate()
        await until('some has gone', () => bench.engine.budget.used < 4 * MIB)
      }
      exchange.end()
      await ended()
    }))
    for (const [index, body] of bodies.entries()) {
      for (const backend of [0, 1]) t.equal(got[backend].get(`/${index}`), hash('sha256', body), `${index} at ${backend}`)
    }
    t.equal(got[2].size, 0)
  }, { bytes: 256 * MIB })

  testEngines(t, `${scheme}: an upload that trickles in while its backend stands still is not overtaken by its own rest`, async (t, bench) => {
    const requests: IncomingMessage[] = []
    const got = new Map<string, string>()
    const target = targetOf(bench, await start(t, (request, response) => {
      requests.push(request)
      const chunks: Buffer[] = []
      request.on('data', chunk => chunks.push(chunk))
      request.on('end', () => {
        got.set(request.url as string, hash('sha256', Buffer.concat(chunks)))
        response.end()
      })
      request.pause()
    }))
    // More than the system takes for a connection that nobody reads.
    const bodies = Array.from({ length: 2 }, () => noise(12 * MIB))
    const sent = bodies.map((_, index) => bench.send(target, { method: 'POST', path: `/${index}`, upload: true }))
    // So small that the socket takes several before it says that it has enough.
    const PIECE = 16 * 1024
    for (let at = 0; at < bodies[0].length; at += PIECE) {
      for (const [index, { exchange }] of sent.entries()) exchange.write(Buffer.from(bodies[index].subarray(at, at + PIECE)))
      await until('they are there', () => !bench.engine.threaded || bench.engine.budget.used === 0)
    }
    await until('both are there', () => requests.length === 2)
    for (const request of requests) request.resume()
    for (const { exchange } of sent) exchange.end()
    for (const [index, { ended }] of sent.entries()) {
      await ended()
      t.equal(got.get(`/${index}`), hash('sha256', bodies[index]))
    }
  }, { bytes: 256 * MIB })

  testEngines(t, `${scheme}: large answers at once are looked into as they came`, async (t, bench) => {
    const ANSWERS = 12
    const texts = Array.from({ length: ANSWERS }, () => Buffer.from(noise(150_000 + upTo(300_000)).toString('base64url')))
    const write = async (response: ServerResponse, body: Buffer) => {
      for (let at = 0; at < body.length;) {
        const piece = body.subarray(at, at + 1 + upTo(150_000))
        at += piece.length
        response.write(piece)
        if (random() < 0.5) await setImmediate()
      }
      response.end()
    }
    const url = await start(t, (request, response) => {
      response.setHeader('x-text', request.url as string)
      write(response, texts[Number(request.url?.slice(1))])
    })
    const target = targetOf(bench, url, { diff: DIFF })
    const wrong = texts.map(text => upTo(text.length))
    const sent: Sent[] = texts.map((text, index) => {
      const one = bench.send(target, { path: `/${index}`, compare: true })
      const primary = Buffer.from(text)
      primary[wrong[index]] = 0x20
      one.exchange.primaryStarts(200, '', ['x-text', 'another'])
      for (let at = 0; at < primary.length; at += 65_536) one.exchange.primaryData(primary.subarray(at, at + 65_536))
      one.exchange.primaryEnds(1)
      return one
    })
    for (const { ended } of sent) await ended()
    for (const [index, { sink: { difference, fate } }] of sent.entries()) {
      t.equal(fate, 'answered: 200')
      t.match(difference?.body, { kind: 'text', offset: wrong[index], primaryLength: texts[index].length, shadowLength: texts[index].length })
      t.match(difference?.headers.find(({ name }) => name === 'x-text'), { shadow: [`/${index}`] })
    }
  })
}
