import httpProxy from '@fastify/http-proxy'
import Fastify from 'fastify'
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteShorthandOptions } from 'fastify'
import { readdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { writeHeapSnapshot } from 'node:v8'
import { Registry } from 'prom-client'
import fastifyMirror from '../../lib'
import type { MirrorOptions, MirrorSnapshot } from '../../types/index'
import { activeResources } from '../helpers/process'
import { TEXT_TYPE, piecesOf, streamOf, takeBody, toldOf } from './answers'
import type { Sent } from './answers'
import { answerCalls } from './calls'
import { collect } from './collect'
import { GUARD, PROXIED, mirrorsOf } from './mirrors'
import type { Mode } from './mirrors'
import type { ShadowUrls } from './shadows'

export interface GatewayOptions {
  mode: Mode
  primary: string
  shadows: ShadowUrls
}

/** Bytes. Heaps of all threads, without their garbage. */
export interface Memory { rss: number, heapUsed: number, external: number }

/** What the process holds of the system. */
export interface Held {
  /** What keeps it alive, by kind. */
  active: Record<string, number>
  /** Open sockets and files of all threads; NaN where the system does not tell. */
  descriptors: number
}

const MiB = 1024 * 1024
/** Linux has such a folder. */
const DESCRIPTORS = '/proc/self/fd'
const logged: Record<string, number> = {}
const asked: Record<string, number> = {}
const registry = new Registry()
let mismatches = 0
let threaded = false

// On stderr, as Node writes of warnings and exceptions: whatever is there is a fault.
process.on('unhandledRejection', reason => console.error('unhandled rejection:', reason))

const stream = {
  write (line: string) {
    const { level, msg, reason, err } = JSON.parse(line)
    const name = `${level} ${msg}${reason === undefined ? '' : ` (${reason})`}${err?.code === undefined ? '' : `: ${err.code}`}`
    logged[name] = (logged[name] ?? 0) + 1
  }
}

const app = Fastify({ logger: { level: 'warn', stream }, bodyLimit: 64 * MiB, keepAliveTimeout: 600_000 }) as FastifyInstance

function addPlainRoutes (mirror: MirrorOptions | false): void {
  const streamed = async (request: FastifyRequest, reply: FastifyReply) => {
    return send(request, reply, await takeBody(request.body as Readable | undefined ?? Readable.from([])))
  }
  const parsed = async (request: FastifyRequest, reply: FastifyReply) => {
    return send(request, reply, await takeBody(Readable.from([JSON.stringify(request.body)], { objectMode: false })))
  }
  const options: RouteShorthandOptions = { mirror }
  app.addContentTypeParser('application/octet-stream', (_request, payload, done) => done(null, payload))
  app.get('/plain/*', options, streamed)
  app.post('/plain/*', options, streamed)
  app.put('/plain/*', options, streamed)
  app.post('/parsed/*', options, parsed)
}

/** Every kind of payload has its turn. */
function send (request: FastifyRequest, reply: FastifyReply, sent: Sent): FastifyReply {
  const told = toldOf(request.method, request.url, sent)
  const { status, headers, body, chunked, pause } = told
  reply.code(status).headers(headers)
  if (body.length === 0) return reply.send()
  if (chunked && (pause > 0 || body.length % 2 === 0)) return reply.send(streamOf(told))
  const bytes = Buffer.concat([...piecesOf(body)])
  if (chunked) return reply.send(new Blob([bytes]).stream())
  if (headers === TEXT_TYPE) return reply.send(bytes.toString())
  return reply.send(body.length % 2 === 0 ? bytes : new Uint8Array(bytes))
}

function descriptors (): number {
  try {
    // A thread's event loop has some of its own, and may start at any time.
    return readdirSync(DESCRIPTORS).filter(name => !/^(anon_inode|pipe):/.test(linkOf(join(DESCRIPTORS, name)))).length
  } catch {
    return NaN
  }
}

/** Where a descriptor leads to; that by which the folder was read is closed already. */
function linkOf (file: string): string {
  try {
    return readlinkSync(file)
  } catch {
    return 'pipe:'
  }
}

const calls = {
  /** Its URL. */
  async start ({ mode, primary, shadows }: GatewayOptions): Promise<string> {
    const mirrors: Partial<Record<string, MirrorOptions>> = mode === 'no mirror' ? {} : mirrorsOf(shadows)
    threaded = mode === 'thread'
    if (mode !== 'no mirror') {
      await app.register(fastifyMirror, {
        thread: mode === 'thread',
        maxBufferedBytes: 16 * MiB,
        admin: {
          onRequest: (request, reply, done) => {
            if (request.headers[GUARD] === undefined) reply.code(401).send()
            else done()
          }
        },
        onMismatch: () => { mismatches++ },
        prometheus: { register: registry }
      })
    }
    app.addHook('onRequest', (request, _reply, done) => {
      const { mirror } = request.routeOptions.config as { mirror?: MirrorOptions }
      const id = mirror?.id ?? (/^\/(plain|parsed)\//.test(request.url) ? 'plain' : 'none')
      asked[id] = (asked[id] ?? 0) + 1
      done()
    })
    app.get('/metrics', async (_, reply) => reply.type(registry.contentType).send(await registry.metrics()))
    addPlainRoutes(mirrors.plain ?? false)
    for (const prefix of PROXIED) {
      await app.register(httpProxy, {
        upstream: primary,
        prefix,
        rewritePrefix: prefix,
        undici: { connections: 256, pipelining: 1 },
        config: { mirror: mirrors[prefix.slice(1)] ?? false }
      })
    }
    return app.listen({ port: 0, host: '127.0.0.1' })
  },

  async memory (): Promise<Memory> {
    const heap = await collect(threaded)
    return { rss: process.memoryUsage.rss(), ...heap }
  },

  held (): Held {
    return { active: activeResources(), descriptors: descriptors() }
  },

  snapshot: (file: string): string => writeHeapSnapshot(file),

  books: (): Record<string, MirrorSnapshot> => app.mirrors?.list() ?? {},

  /** Examples are held for as long as they are of use. */
  clearMismatches (): void {
    for (const id of Object.keys(app.mirrors?.list() ?? {})) app.mirrors.clear(id)
  },

  /** Requests by mirror, as the app's own hook counted them. */
  asked: (): Record<string, number> => asked,

  /** What Prometheus is told. */
  exposition: (): Promise<string> => registry.metrics(),

  /** Warnings that were logged, and how many mismatches were handed on. */
  heard: () => ({ logged, mismatches }),

  /** From now on nothing but what was left behind keeps the process alive. */
  async stop (): Promise<void> {
    await app.close()
    process.channel?.unref()
  }
}

export type GatewayCalls = typeof calls

answerCalls(calls)
