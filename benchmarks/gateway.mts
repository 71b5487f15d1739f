import httpProxy from '@fastify/http-proxy'
import Fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { PassThrough, Transform } from 'node:stream'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Pool, fetch } from 'undici'
import type { Dispatcher } from 'undici'
import type { MirrorSnapshot } from '../types/index.js'
import { answerCalls } from './calls.mjs'
import type { Contender } from './contenders.mjs'

export interface GatewayOptions {
  contender: Contender
  primary: string
  shadow: string
  /** The compiled plugin's file. */
  plugin: string
  /** Where all threads but the main one are put, as taskset takes it; `null`: where they like. */
  threadCpus: string | null
  /** What the floor sends: what the load generator does. */
  request: { method: 'GET' | 'POST', path: string, length: number }
}

/** What was used since `begin`. */
export interface Usage {
  /** Milliseconds that the main thread's event loop was busy; NaN: there is none. */
  loop: number
  /** Milliseconds of processor time of the main thread; NaN where the system does not tell. */
  main: number
  /** The same of all threads. */
  cpu: number
}

/** V8 keeps what it knows of objects for a few more collections than they live. */
const COLLECTIONS = 6

const app = Fastify({ logger: false }) as FastifyInstance
let utilization = performance.eventLoopUtilization()
let cpu = process.cpuUsage()
let main = mainCpu()

/** What anything inline on undici costs at least. */
function addFloor (shadow: string, { method, path, length }: GatewayOptions['request']): void {
  const pool = new Pool(shadow, { connections: 256, pipelining: 1 })
  const headers = [
    'host', new URL(shadow).host, 'user-agent', 'benchmark/1.0', 'accept', 'application/json', 'accept-language', 'en',
    'authorization', 'Bearer 0123456789abcdef0123456789abcdef', 'x-request-id', '7f3c2a10-5d1e-4a58-9a33-5b8f1f0c2d4e',
    'x-mirrored-from', 'gateway.example'
  ]
  const options = { method, path, headers, body: method === 'GET' ? null : Buffer.alloc(length, 'x') }
  const handler = {
    onConnect () {}, onHeaders: () => true, onData: () => true, onComplete () {}, onError () {}
  } as Dispatcher.DispatchHandler
  app.addHook('onRequest', (_request, _reply, done) => {
    pool.dispatch(options, handler)
    done()
  })
  app.addHook('onClose', () => pool.destroy())
}

/** What one writes first: fetch, and a Transform that hashes what passes. */
function addNaive (shadow: string): void {
  app.decorateRequest('mirrored', null)
  app.addHook('preHandler', async request => {
    const { host, connection, 'content-length': length, ...headers } = request.headers as Record<string, string>
    const mirrored = fetch(shadow + request.url, {
      method: request.method,
      headers: { ...headers, 'x-mirrored-from': host },
      body: request.body ? (request.body as Readable).pipe(new PassThrough()) : undefined,
      duplex: 'half'
    }).then(async response => {
      const hash = createHash('sha256')
      for await (const chunk of response.body as AsyncIterable<Uint8Array>) hash.update(chunk)
      return { status: response.status, hash: hash.digest('hex') }
    })
    mirrored.catch(() => {})
    request.mirrored = mirrored
  })
  app.addHook('onSend', async (request, reply, payload) => {
    const hash = createHash('sha256')
    const hashing = new Transform({
      transform (chunk, _encoding, callback) {
        hash.update(chunk)
        callback(null, chunk)
      }
    })
    hashing.on('finish', () => {
      const digest = hash.digest('hex')
      request.mirrored?.then(answer => {
        if (answer.status !== reply.statusCode || answer.hash !== digest) request.log.warn('mirror mismatch')
      }, () => {})
    })
    return (payload as Readable).pipe(hashing)
  })
}

declare module 'fastify' {
  interface FastifyRequest { mirrored: Promise<{ status: number, hash: string }> | null }
}

/** Unlike the time in which the loop is busy, it does not grow when something else takes the processor away. */
function mainCpu (): number {
  try {
    return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'latin1').split(' ')[0]) / 1e6
  } catch {
    return NaN
  }
}

function threads (): string[] {
  try {
    return readdirSync('/proc/self/task')
  } catch {
    return []
  }
}

/**
 * The main thread alone stays where it is: V8 collects garbage, its own and a worker's, on threads that would take its
 * processor away.
 */
function moveThreads (cpus: string): void {
  for (const thread of threads()) {
    if (thread !== String(process.pid)) execFileSync('taskset', ['-c', '-p', cpus, thread], { stdio: 'ignore' })
  }
}

const calls = {
  /** Starts the gateway. Its port. */
  async start (options: GatewayOptions): Promise<number> {
    const { contender: { kind, mirror }, primary, shadow, request } = options
    if (kind === 'plugin') {
      await app.register(createRequire(import.meta.url)(options.plugin), {
        thread: options.contender.thread ?? false, admin: false
      })
    }
    if (kind === 'floor') addFloor(shadow, request)
    if (kind === 'naive') addNaive(shadow)
    const config = mirror === undefined ? undefined : { mirror: { id: 'bench', backends: [shadow], ...mirror } }
    await app.register(httpProxy, { upstream: primary, config })
    const { port } = new URL(await app.listen({ port: 0, host: '127.0.0.1', backlog: 2048 }))
    if (options.threadCpus !== null) moveThreads(options.threadCpus)
    return Number(port)
  },

  begin (): void {
    utilization = performance.eventLoopUtilization()
    cpu = process.cpuUsage()
    main = mainCpu()
  },

  end (): Usage {
    const { user, system } = process.cpuUsage(cpu)
    return {
      loop: performance.eventLoopUtilization(utilization).active, main: mainCpu() - main, cpu: (user + system) / 1000
    }
  },

  /** Forgets the most memory that was ever held, where the system allows it. */
  forgetPeak (): void {
    try {
      writeFileSync('/proc/self/clear_refs', '5')
    } catch {}
  },

  /** The most memory held since, in bytes. */
  peak (): number {
    try {
      const [, kib] = /VmHWM:\s*(\d+)/.exec(readFileSync('/proc/self/status', 'latin1')) as RegExpExecArray
      return Number(kib) * 1024
    } catch {
      return process.resourceUsage().maxRSS * 1024
    }
  },

  /**
   * Collects all garbage with nothing to do, as happens to every process that lives long. From then on
   * `process.nextTick` costs five times as much: what V8 knew of its tick objects goes with the last of them, and it
   * never learns again.
   */
  async collect (): Promise<void> {
    setFlagsFromString('--expose-gc')
    const gc = runInNewContext('gc') as () => void
    for (let i = 0; i < COLLECTIONS; i++) {
      await sleep(10)
      gc()
    }
  },

  /** Switches mirroring on or off, where there is any. */
  mirror (enabled: boolean): void {
    if (app.hasDecorator('mirrors') && app.mirrors.get('bench') !== undefined) app.mirrors.update('bench', { enabled })
  },

  books: (): MirrorSnapshot | null => app.hasDecorator('mirrors') ? app.mirrors.get('bench') ?? null : null,

  close: (): PromiseLike<void> => app.close()
}

export type Gateway = typeof calls

answerCalls(calls)
