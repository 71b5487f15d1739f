import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import https from 'node:https'
import net from 'node:net'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { answer } from './answers'
import { answerCalls } from './calls'
import { misbehave, refuse } from './faults'
import { Random } from './random'

/** What a shadow's process tells of itself. */
export interface ShadowReport {
  requests: number
  /** Copies without the mark. */
  unmarked: number
  faults: Record<string, number>
  /** Times that the port was closed for a while. */
  outages: number
}

/** URLs of the shadows. `steady` answers as the primary does, the others as they like. */
export interface ShadowUrls { steady: string, moody: string, secure: string, flapping: string }

interface Temper {
  /** Of requests, the share that is answered wrongly. */
  faults: number
  /** Of connections, the share that never comes to a request. */
  refusals: number
}

const fixture = (name: string) => readFileSync(join(__dirname, '../fixtures', name))
const report: ShadowReport = { requests: 0, unmarked: 0, faults: {}, outages: 0 }
const shadows: Shadow[] = []
/** From when on nobody misbehaves. */
const ending = new AbortController()
const over = ending.signal

/** A server on a port that it can leave and come back to. */
class Shadow {
  readonly sockets = new Set<Socket>()
  readonly #random: Random
  readonly #server: net.Server
  #port = 0

  constructor (seed: number, { faults, refusals }: Temper, secure = false) {
    const random = this.#random = new Random(seed)
    const listener = (request: IncomingMessage, response: ServerResponse) => {
      report.requests++
      if (request.headers['x-mirrored-from'] === undefined) report.unmarked++
      request.on('error', () => {})
      response.on('error', () => {})
      if (over.aborted || !random.chance(faults)) {
        answer(request, response)
      } else {
        const fault = misbehave(request, response, random)
        report.faults[fault] = (report.faults[fault] ?? 0) + 1
      }
    }
    const options = { keepAliveTimeout: 600_000, requestTimeout: 0 }
    const inner = secure
      ? https.createServer({ ...options, key: fixture('server.key'), cert: fixture('server.crt') }, listener)
      : http.createServer(options, listener)
    inner.on('tlsClientError', () => {})
    inner.on('clientError', (_, socket) => socket.destroy())
    this.#server = net.createServer(socket => {
      this.sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => this.sockets.delete(socket))
      if (!over.aborted && random.chance(refusals)) refuse(socket, random)
      else inner.emit('connection', socket)
    })
  }

  /** Its port, the same every time. One that nobody is given unasked: while it is away, nobody else may hear what it would. */
  async listen (): Promise<number> {
    for (;;) {
      const port = this.#port === 0 ? this.#random.whole(10_000, 30_000) : this.#port
      try {
        this.#server.listen(port, '127.0.0.1')
        await once(this.#server, 'listening')
        this.#port = port
        return port
      } catch {
        // Somebody is there; where it is its own port, not for long.
        await delay(100)
      }
    }
  }

  hangUp (): void {
    for (const socket of this.sockets) socket.destroy()
  }

  /** Goes away and comes back, again and again. */
  async flap (): Promise<void> {
    while (!over.aborted) {
      await delay(this.#random.whole(2000, 8000))
      if (over.aborted) return
      report.outages++
      this.#server.close()
      this.hangUp()
      await delay(this.#random.whole(500, 3000))
      await this.listen()
    }
  }
}

const calls = {
  async start (seed: number): Promise<ShadowUrls> {
    const add = async (temper: Temper, secure = false) => {
      const shadow = new Shadow(seed + shadows.length, temper, secure)
      shadows.push(shadow)
      return `${secure ? 'https' : 'http'}://127.0.0.1:${await shadow.listen()}`
    }
    const urls = {
      steady: await add({ faults: 0, refusals: 0 }),
      moody: await add({ faults: 0.2, refusals: 0.05 }),
      secure: await add({ faults: 0.1, refusals: 0.05 }, true),
      flapping: await add({ faults: 0.05, refusals: 0.02 })
    }
    shadows[3].flap()
    return urls
  },

  report: (): ShadowReport => report,

  /** From now on they answer as the primary does. */
  calm (): void {
    ending.abort()
  },

  /** Ends all connections. */
  hangUp (): void {
    for (const shadow of shadows) shadow.hangUp()
  }
}

export type Shadows = typeof calls

answerCalls(calls)
