import http from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from 'undici'
import { bytesOf, hashOf, piecesOf, toldOf } from './answers'
import type { Body, Kind, Sent, Told } from './answers'
import { Random } from './random'

const KiB = 1024
const MiB = 1024 * KiB
const NOTHING: Body = bytesOf(0, 0)
const NO_BODY: Sent = { length: 0, hash: hashOf(NOTHING) }
/** Milliseconds after which an answer is taken for one that never comes. */
const PATIENCE = 60_000
/** Faults that are told of. */
const MAX_FAULTS = 20

const WAYS = ['/api', '/uploads', '/sampled', '/plain']
const SMALL: readonly Kind[] = ['json', 'json', 'json', 'gzip', 'bytes', 'chunked', 'status', 'echo']

/** How often each client does what. */
const DEEDS = {
  get: 50,
  head: 2,
  post: 16,
  parsed: 4,
  pipelined: 4,
  largeDownload: 1,
  largeUpload: 1,
  slowDownload: 1,
  slowUpload: 1,
  aborted: 6,
  looped: 0.5,
  upgraded: 0.5
}
type Deed = keyof typeof DEEDS

interface Exchange {
  method: string
  path: string
  headers?: http.OutgoingHttpHeaders
  body?: Body
  chunked?: boolean
  /** Milliseconds between pieces that are sent, or read. */
  sendPause?: number
  readPause?: number
  /** Milliseconds after which the client leaves. */
  leaveAfter?: number
  agent?: http.Agent | false
}

/** What was seen by all clients. */
export interface Traffic {
  requests: number
  /** Of them, those that the client left. */
  left: number
  bytes: number
  byDeed: Record<string, number>
  /** Answers that were not what the primary must have said, by description. */
  wrong: number
  faults: string[]
}

/** A number of clients, each of which does one thing after another. */
export class Clients {
  readonly traffic: Traffic = { requests: 0, left: 0, bytes: 0, byDeed: {}, wrong: 0, faults: [] }
  readonly #url: string
  readonly #agent = new http.Agent({ keepAlive: true })
  readonly #pipelines: Client[] = []
  #over = false
  #seed: number

  constructor (url: string, seed: number) {
    this.#url = url
    this.#seed = seed
  }

  /** Resolves when all have had their last answers. */
  async run (count: number, ms: number): Promise<void> {
    const timer = setTimeout(() => { this.#over = true }, ms)
    await Promise.all(Array.from({ length: count }, () => this.#live(new Random(this.#seed++))))
    clearTimeout(timer)
    this.#agent.destroy()
    await Promise.all(this.#pipelines.map(client => client.close()))
  }

  async #live (random: Random): Promise<void> {
    const pipeline = new Client(this.#url, { pipelining: 8, headersTimeout: PATIENCE, bodyTimeout: PATIENCE })
    this.#pipelines.push(pipeline)
    while (!this.#over) {
      const deed = random.weighted(DEEDS)
      this.traffic.byDeed[deed] = (this.traffic.byDeed[deed] ?? 0) + 1
      await this.#do(deed, random, pipeline)
      if (random.chance(0.3)) await delay(random.size(1, 40))
    }
  }

  #do (deed: Deed, random: Random, pipeline: Client): Promise<unknown> {
    const path = (kind: Kind, size: number, ways = WAYS) => `${random.of(ways)}/${kind}/${random.whole(0, 9999)}/${size}?q=${random.whole(0, 9)}`
    const size = () => random.size(1, 64 * KiB)
    const small = () => path(random.of(SMALL), random.size(1, 16 * KiB))
    const upload = () => ({ method: random.of(['POST', 'PUT']), path: path('echo', 0), chunked: random.chance(0.5) })
    const body = (bytes: number) => bytesOf(random.whole(0, 9999), bytes)
    const headers = {
      'x-user-id': `user ${random.whole(1, 500)}`, cookie: 'session=secret', authorization: 'Bearer secret'
    }
    switch (deed) {
      case 'get': return this.#ask({ method: 'GET', path: small(), headers })
      case 'head': return this.#ask({ method: 'HEAD', path: path('json', size()), headers })
      case 'post': return this.#ask({ ...upload(), body: body(size()), headers })
      case 'parsed': {
        const text = Buffer.from(JSON.stringify({ text: 'x'.repeat(size()), secret: 'secret' }))
        const json = { length: text.length, at: (offset: number) => text.subarray(offset) }
        return this.#ask({ method: 'POST', path: path('echo', 0, ['/parsed']), body: json, headers: { ...headers, 'content-type': 'application/json' } })
      }
      case 'pipelined': {
        const posts = () => random.chance(0.2)
        return Promise.all(Array.from({ length: random.whole(2, 8) }, () => posts()
          ? this.#pipelined(pipeline, 'POST', path('echo', 0), body(size()))
          : this.#pipelined(pipeline, 'GET', small(), NOTHING)))
      }
      case 'largeDownload': return this.#ask({ method: 'GET', path: path(random.of(['bytes', 'chunked']), random.size(MiB / 4, 8 * MiB)), headers })
      case 'largeUpload': return this.#ask({ ...upload(), body: body(random.size(MiB / 4, 8 * MiB)), headers })
      case 'slowDownload': return random.chance(0.5)
        ? this.#ask({ method: 'GET', path: path('slow', size()), headers })
        : this.#ask({ method: 'GET', path: path('bytes', random.size(KiB, 2 * MiB)), headers, readPause: random.size(5, 50) })
      case 'slowUpload': return this.#ask({ ...upload(), body: body(random.size(KiB, MiB)), headers, sendPause: random.size(5, 100) })
      case 'aborted': {
        const leaveAfter = random.size(1, 300) - 1
        if (random.chance(0.4)) return this.#ask({ ...upload(), body: body(random.size(KiB, MiB)), headers, sendPause: random.of([0, 20]), leaveAfter })
        return this.#ask({ method: 'GET', path: path(random.of(['slow', 'bytes', 'json']), random.size(KiB, 4 * MiB)), headers, readPause: random.of([0, 20]), leaveAfter })
      }
      case 'looped': return this.#ask({ method: 'GET', path: small(), headers: { ...headers, 'x-mirrored-from': 'elsewhere', 'x-looped': 'yes' } })
      case 'upgraded': return this.#ask({ method: 'GET', path: small(), headers: { ...headers, connection: 'Upgrade', upgrade: 'websocket' }, agent: false })
    }
  }

  async #ask (exchange: Exchange): Promise<void> {
    const { method, path, headers, body = NOTHING, chunked = false, sendPause = 0, readPause = 0, leaveAfter, agent = this.#agent } = exchange
    const request = http.request(this.#url + path, { method, agent, headers: { 'content-type': 'application/octet-stream', ...headers } })
    let left = false
    const leaving = leaveAfter === undefined ? undefined : setTimeout(() => { left = true; request.destroy() }, leaveAfter)
    const late = setTimeout(() => request.destroy(new Error('no whole answer came')), PATIENCE)
    this.traffic.requests++
    try {
      const answered = new Promise<IncomingMessage>((resolve, reject) => {
        request.on('response', resolve)
        request.on('error', reject)
        request.on('close', () => reject(new Error('the connection was closed')))
      })
      const [response] = await Promise.all([answered, this.#send(request, body, chunked, sendPause)])
      const told = toldOf(method, path, body.length === 0 ? NO_BODY : { length: body.length, hash: hashOf(body) })
      await this.#check(told, response.statusCode, response.headers, response, readPause)
    } catch (error) {
      if (!left) this.#fault(`${method} ${path} (${body.length} bytes sent): ${(error as Error).message}`)
    } finally {
      if (left) this.traffic.left++
      clearTimeout(leaving)
      clearTimeout(late)
    }
  }

  async #send (request: http.ClientRequest, body: Body, chunked: boolean, pause: number): Promise<void> {
    if (chunked) request.setHeader('transfer-encoding', 'chunked')
    else if (body.length > 0) request.setHeader('content-length', body.length)
    for (const piece of piecesOf(body)) {
      if (request.destroyed) return
      this.traffic.bytes += piece.length
      if (!request.write(piece)) await drained(request)
      if (pause > 0) await delay(pause)
    }
    request.end()
  }

  async #pipelined (client: Client, method: string, path: string, body: Body): Promise<void> {
    this.traffic.requests++
    try {
      const { statusCode, headers, body: answer } = await client.request({
        method,
        path,
        headers: { 'content-type': 'application/octet-stream' },
        body: body.length === 0 ? null : Buffer.concat([...piecesOf(body)]),
        idempotent: true,
        blocking: false
      })
      this.traffic.bytes += body.length
      await this.#check(toldOf(method, path, { length: body.length, hash: hashOf(body) }), statusCode, headers, answer, 0)
    } catch (error) {
      this.#fault(`pipelined ${method} ${path} (${body.length} bytes sent): ${(error as Error).message}`)
    }
  }

  /** Throws unless the answer is what must be said. */
  async #check (told: Told, status: number | undefined, headers: http.IncomingHttpHeaders, answer: Readable, pause: number): Promise<void> {
    let offset = 0
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      this.traffic.bytes += chunk.length
      offset = compare(told.body, offset, chunk)
      if (pause > 0) await delay(pause)
    }
    if (offset !== told.body.length) throw new Error(`${offset} bytes came instead of ${told.body.length}`)
    if (status !== told.status) throw new Error(`the status was ${status} instead of ${told.status}`)
    for (const [name, value] of Object.entries(told.headers)) {
      if (headers[name] !== value) throw new Error(`${name} was ${headers[name]} instead of ${value}`)
    }
    if ('x-mirrored-from' in headers || 'x-version' in headers) throw new Error('the answer has a header of a shadow')
  }

  #fault (text: string): void {
    this.traffic.wrong++
    if (this.traffic.faults.length < MAX_FAULTS) this.traffic.faults.push(text)
  }
}

function drained (request: http.ClientRequest): Promise<void> {
  return new Promise(resolve => {
    const done = () => {
      request.off('drain', done).off('close', done)
      resolve()
    }
    request.on('drain', done).on('close', done)
  })
}

/** Where the body goes on behind the chunk. */
function compare (body: Body, offset: number, chunk: Buffer): number {
  for (let done = 0; done < chunk.length;) {
    const expected = offset < body.length ? body.at(offset) : Buffer.alloc(0)
    const length = Math.min(expected.length, chunk.length - done)
    if (length === 0 || !expected.subarray(0, length).equals(chunk.subarray(done, done + length))) {
      throw new Error(`the body is wrong from byte ${offset} on`)
    }
    done += length
    offset += length
  }
  return offset
}
