import type { Test } from 'tap'
import httpProxy from '@fastify/http-proxy'
import Fastify from 'fastify'
import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import { Client } from 'undici'
import fastifyMirror from '../../lib'
import { withEndpoints } from './books'
import type { BackendSnapshot, EndpointList, FastifyMirrorOptions, MirrorOptions, MirrorSnapshot } from '../../types/index'

/** The ways in which the mirror's work is run. What concerns the engine is tested in each. */
export const modes: ReadonlyArray<{ mode: string, plugin: FastifyMirrorOptions }> = [
  { mode: 'inline', plugin: {} },
  { mode: 'thread', plugin: { thread: true } }
]

export interface GatewaySetup {
  plugin?: FastifyMirrorOptions
  server?: FastifyServerOptions
  /** Registers routes; the plugin is there already. */
  routes: (app: FastifyInstance) => void | Promise<void>
}

export interface LogLine { level: number, msg: string, [field: string]: unknown }

export interface Gateway {
  app: FastifyInstance
  url: string
  port: number
  /** Lines of level warn and above. */
  log: LogLine[]
  /** The numbers of a mirror, and for `booksClose` its endpoints; the only one when no id is given. */
  mirror (id?: string): MirrorSnapshot
  /** The numbers of the only backend of the only mirror. */
  backend (): BackendSnapshot
}

/** A listening app with the plugin registered first. */
export async function startGateway (t: Test, { plugin, server, routes }: GatewaySetup): Promise<Gateway> {
  const log: LogLine[] = []
  const stream = { write: (line: string) => { log.push(JSON.parse(line)) } }
  const app = Fastify({ logger: { level: 'warn', stream }, ...server }) as FastifyInstance
  t.teardown(() => app.close())
  await app.register(fastifyMirror, plugin ?? {})
  await routes(app)
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  return {
    app,
    url,
    port: Number(new URL(url).port),
    log,
    mirror: (id = Object.keys(app.mirrors.list())[0]) => {
      const snapshot = app.mirrors.get(id)
      // Of one that is not there there is nothing.
      return snapshot === undefined ? snapshot as never : withEndpoints(snapshot, app.mirrors.endpoints(id) as EndpointList)
    },
    backend: () => Object.values(app.mirrors.list())[0].backends[0]
  }
}

/** A gateway built on @fastify/http-proxy, everything under `/` proxied to `primary`. */
export function startProxy (
  t: Test, primary: string, mirror: MirrorOptions | false, plugin?: FastifyMirrorOptions
): Promise<Gateway> {
  return startGateway(t, {
    plugin,
    routes: async app => { await app.register(httpProxy, { upstream: primary, config: { mirror } }) }
  })
}

/** A client that holds one keep-alive connection, and nothing else, for all its requests. */
export function keepAlive (t: Test, url: string): Client {
  const client = new Client(url, { pipelining: 1, keepAliveTimeout: 60_000, keepAliveTimeoutThreshold: 0 })
  t.teardown(() => client.destroy())
  return client
}
