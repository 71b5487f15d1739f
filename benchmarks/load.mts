import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { createHistogram } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { answerCalls } from './calls.mjs'
import { MessageReader } from './wire.mjs'

export interface Load {
  port: number
  connections: number
  method: 'GET' | 'POST'
  path: string
  /** Bytes of the request body. */
  length: number
  /** Requests a second, over all connections; 0: as many as are answered. */
  rate: number
}

/** What was seen between `begin` and `end`. Times in milliseconds. */
export interface Seen {
  requests: number
  /** Answers that were not 200, and connections that were lost. */
  errors: number
  seconds: number
  p50: number
  p99: number
}

export interface Transfer {
  port: number
  direction: 'up' | 'down'
  bytes: number
  /** Most bytes a second. */
  pace: number
}

const OK = 'HTTP/1.1 200'
/** Milliseconds. */
const PATIENCE = 200
const PIECE = Buffer.alloc(64 * 1024, 'x')

function requestOf ({ method, path, length }: Pick<Load, 'method' | 'path' | 'length'>): Buffer {
  const framing = method === 'GET' ? '' : `content-type: application/octet-stream\r\ncontent-length: ${length}\r\n`
  // About what an API's client sends.
  return Buffer.from(
    `${method} ${path} HTTP/1.1\r\nhost: gateway.example\r\nuser-agent: benchmark/1.0\r\naccept: application/json\r\n` +
      'accept-language: en\r\nauthorization: Bearer 0123456789abcdef0123456789abcdef\r\n' +
      `x-request-id: 7f3c2a10-5d1e-4a58-9a33-5b8f1f0c2d4e\r\n${framing}\r\n`
  )
}

/** Nanoseconds that requests took. */
const times = createHistogram()
let requests = 0
let errors = 0
let beganAt = 0
let running = false
let connections: Connection[] = []

/** One keep-alive connection, with one request at a time. */
class Connection {
  outstanding = false
  readonly #load: Load
  readonly #request: Buffer
  /** Milliseconds between two requests; 0: none. */
  readonly #period: number
  #socket: Socket
  #due: number
  #sentAt = 0

  constructor (load: Load, request: Buffer, index: number) {
    this.#load = load
    this.#request = request
    this.#period = load.rate === 0 ? 0 : 1000 * load.connections / load.rate
    this.#due = performance.now() + this.#period * index / load.connections
    this.#socket = this.#open()
  }

  #open (): Socket {
    const socket = connect({ port: this.#load.port, host: '127.0.0.1', noDelay: true })
    const reader = new MessageReader(head => this.#onAnswer(head))
    socket.on('connect', () => this.#next())
    socket.on('data', bytes => reader.read(bytes))
    socket.on('error', () => {})
    socket.on('close', () => {
      if (!running) return
      errors++
      this.outstanding = false
      // Not at once: a gateway that refuses must not be answered with a storm.
      setTimeout(() => { if (running) this.#socket = this.#open() }, 10)
    })
    return socket
  }

  #next (): void {
    if (this.#period === 0) return this.#send()
    const now = performance.now()
    // Who has fallen behind by much does not catch up: the rate is an upper bound.
    this.#due = Math.max(this.#due + this.#period, now - 10 * this.#period)
    if (this.#due - now < 1) this.#send()
    else setTimeout(() => this.#send(), this.#due - now)
  }

  #send (): void {
    if (!running || this.#socket.destroyed) return
    this.outstanding = true
    this.#sentAt = performance.now()
    this.#socket.write(this.#request)
  }

  #onAnswer (head: string): void {
    this.outstanding = false
    this.#count()
    if (head.startsWith(OK)) requests++
    else errors++
    if (running) this.#next()
  }

  #count (): void {
    times.record(Math.max(1, Math.round((performance.now() - this.#sentAt) * 1e6)))
  }

  /** What has not been answered by now took at least so long. */
  countOutstanding (): void {
    if (this.outstanding) this.#count()
  }

  close (): void {
    this.#socket.destroy()
  }
}

const calls = {
  start (load: Load): void {
    running = true
    const request = Buffer.concat([requestOf(load), Buffer.alloc(load.length, 'x')])
    connections = Array.from({ length: load.connections }, (_, index) => new Connection(load, request, index))
  },

  begin (): void {
    times.reset()
    requests = errors = 0
    beganAt = performance.now()
  },

  /** Requests answered since `begin`. */
  count: (): number => requests,

  end (): Seen {
    const seconds = (performance.now() - beganAt) / 1000
    for (const connection of connections) connection.countOutstanding()
    return { requests, errors, seconds, p50: times.percentile(50) / 1e6, p99: times.percentile(99) / 1e6 }
  },

  /** Lets answers come that are about to. */
  async stop (): Promise<void> {
    running = false
    for (let waited = 0; waited < PATIENCE &&
      connections.some(({ outstanding }) => outstanding); waited += 5) await sleep(5)
    for (const connection of connections) connection.close()
  },

  /** Clients that leave before they are answered. */
  async leave ({ port, clients }: { port: number, clients: number }): Promise<void> {
    const request = requestOf({ method: 'GET', path: '/never', length: 0 })
    const sockets = Array.from(
      { length: clients }, () => connect({ port, host: '127.0.0.1' }, function (this: Socket) { this.write(request) })
    )
    await sleep(PATIENCE)
    for (const socket of sockets) socket.destroy()
    await sleep(PATIENCE)
  },

  /** One request with a large body, or a large answer. Seconds that it took. */
  async transfer ({ port, direction, bytes, pace }: Transfer): Promise<number> {
    const socket = connect({ port, host: '127.0.0.1' })
    await once(socket, 'connect')
    const begin = performance.now()
    /** Milliseconds until so many bytes may have been moved. */
    const early = (moved: number) => moved / pace * 1000 - (performance.now() - begin)
    const answered = new Promise<string>((resolve, reject) => {
      const reader = new MessageReader(resolve)
      let received = 0
      socket.on('data', piece => {
        reader.read(piece)
        received += piece.length
        if (early(received) < 2) return
        socket.pause()
        setTimeout(() => socket.resume(), early(received))
      })
      socket.on('error', reject)
      socket.on('close', () => reject(new Error('the connection was lost')))
    })
    if (direction === 'down') {
      socket.write(requestOf({ method: 'GET', path: `/stream/${bytes}`, length: 0 }))
    } else {
      socket.write(requestOf({ method: 'POST', path: '/sink', length: bytes }))
      for (let sent = 0; sent < bytes; sent += PIECE.length) {
        const room = socket.write(bytes - sent < PIECE.length ? PIECE.subarray(0, bytes - sent) : PIECE)
        if (!room) await Promise.race([once(socket, 'drain'), answered])
        if (early(sent) > 2) await sleep(early(sent))
      }
    }
    const head = await answered
    const seconds = (performance.now() - begin) / 1000
    socket.destroy()
    if (!head.startsWith(OK)) throw new Error(head)
    return seconds
  }
}

export type LoadGenerator = typeof calls

answerCalls(calls)
