import caching from '@fastify/caching'
import compress from '@fastify/compress'
import cors from '@fastify/cors'
import etag from '@fastify/etag'
import formbody from '@fastify/formbody'
import helmet from '@fastify/helmet'
import multipart from '@fastify/multipart'
import { FastifyOtelInstrumentation } from '@fastify/otel'
import rateLimit from '@fastify/rate-limit'
import underPressure from '@fastify/under-pressure'
import websocket from '@fastify/websocket'
import Fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import fastifyMetrics from 'fastify-metrics'
import { Registry } from 'prom-client'
import type { Test } from 'tap'
import { once } from 'node:events'
import http from 'node:http'
import { buffer } from 'node:stream/consumers'
import fastifyMirror from '../../lib'
import type { BackendSnapshot, FastifyMirrorOptions } from '../../types/index'
import { kindsOf } from '../helpers/places'
import { until } from '../helpers/until'

/** What an app is made of. */
export interface Setup {
  /** Of the mirror. */
  plugin?: FastifyMirrorOptions
  registry: Registry
  /** What under-pressure thinks of the app. */
  healthy: () => boolean
}

/** Each as its own documentation registers it. */
const plugins = {
  mirror: (app, { plugin }) => app.register(fastifyMirror, plugin ?? {}),
  compress: app => app.register(compress, { threshold: 1 }),
  etag: app => app.register(etag),
  caching: app => app.register(caching, { privacy: caching.privacy.PRIVATE, expiresIn: 60 }),
  cors: app => app.register(cors, { origin: true }),
  helmet: app => app.register(helmet),
  'rate-limit': app => app.register(rateLimit, { global: false }),
  multipart: app => app.register(multipart),
  formbody: app => app.register(formbody),
  websocket: app => app.register(websocket),
  'under-pressure': (app, { healthy }) => app.register(underPressure, {
    maxEventLoopDelay: 3_600_000,
    healthCheck: async () => healthy(),
    healthCheckInterval: 50
  }),
  metrics: (app, { registry }) => app.register(fastifyMetrics, {
    endpoint: '/metrics',
    defaultMetrics: { enabled: false, register: registry },
    routeMetrics: { overrides: { histogram: { registers: [registry] }, summary: { registers: [registry] } } }
  }),
  otel: app => app.register(new FastifyOtelInstrumentation().plugin())
} satisfies Record<string, (app: FastifyInstance, setup: Setup) => PromiseLike<unknown>>

export type Part = keyof typeof plugins

export const others = Object.keys(plugins).filter(part => part !== 'mirror') as Part[]

export interface App { app: FastifyInstance, url: string, port: number, registry: Registry }

/** A listening app with these plugins, in this order. */
export async function startApp (
  t: Test, parts: readonly Part[], routes: (app: FastifyInstance) => unknown, setup: Partial<Setup> = {}
): Promise<App> {
  const { registry = new Registry(), healthy = () => true, plugin } = setup
  const app = Fastify({ forceCloseConnections: true }) as FastifyInstance
  t.teardown(() => app.close())
  for (const part of parts) await plugins[part](app, { plugin, registry, healthy })
  await routes(app)
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  return { app, url, port: Number(new URL(url).port), registry }
}

/** Runs a test with the mirror before and after the others. */
export function inBothOrders (t: Test, what: string, parts: readonly Part[], run: (t: Test, order: Part[]) => Promise<void>): void {
  for (const order of [['mirror', ...parts], [...parts, 'mirror']] as Part[][]) {
    t.test(`${what}: ${order.join(', ')}`, t => run(t, order))
  }
}

export interface Asked {
  method?: string
  headers?: http.OutgoingHttpHeaders
  body?: string | Buffer
}

/** An answer as it came: header lines in order, as they were written. */
export interface Came {
  status: number
  reason: string
  headers: Array<[name: string, value: string]>
  body: Buffer
}

/** Asks over a connection of its own. */
export async function ask (url: string, { method = 'GET', headers = {}, body }: Asked = {}): Promise<Came> {
  const request = http.request(url, { method, headers, agent: false })
  request.end(body)
  const [response] = await once(request, 'response') as [http.IncomingMessage]
  const { rawHeaders } = response
  const lines = rawHeaders.flatMap((name, i): Array<[string, string]> => i % 2 === 0 ? [[name, rawHeaders[i + 1]]] : [])
  return {
    status: response.statusCode as number,
    reason: response.statusMessage as string,
    headers: lines,
    body: await buffer(response)
  }
}

export function headerOf ({ headers }: Came, wanted: string): string | undefined {
  return headers.find(([name]) => name.toLowerCase() === wanted)?.[1]
}

/** What does not depend on the moment at which it came. */
export function timeless (came: Came): Came {
  const moments = ['date', 'x-ratelimit-reset', 'retry-after']
  return { ...came, headers: came.headers.map(([name, value]) => [name, moments.includes(name.toLowerCase()) ? '(now)' : value]) }
}

/** What came of the next copy of a mirror that has one backend. */
export async function fateOf (app: FastifyInstance, id: string, send: () => Promise<unknown>): Promise<string> {
  const fates = () => {
    const { matched, mismatched, notCompared, failure } = app.mirrors.get(id)?.backends[0] as BackendSnapshot
    return { matched, mismatched, ...notCompared, ...failure } as Record<string, number>
  }
  const before = fates()
  await send()
  let fate: string | undefined
  await until('the copy has ended', () => {
    const after = fates()
    fate = Object.keys(after).find(name => after[name] > before[name])
    return fate
  })
  return fate as string
}

/** The kinds of mismatches that are stored, in words. */
export function mismatchesOf (app: FastifyInstance, id: string): string[] {
  return kindsOf(app.mirrors.mismatches(id))
}
