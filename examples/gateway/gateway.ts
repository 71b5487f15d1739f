import httpProxy from '@fastify/http-proxy'
import Fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import mirror from '../../lib'
import { AdminListener } from './admin-listener'
import type { GatewayConfig, Route } from './config'
import { rotation } from './rotation'
import { Shutdown } from './shutdown'

export interface Gateway {
  app: FastifyInstance
  /** `null`: none is wanted. */
  admin: AdminListener | null
  shutdown: Shutdown
}

/** Why a route of the configuration is refused. */
export class RouteError extends Error {
  readonly route: number
  /** It is about the route's mirror. */
  readonly ofMirror: boolean

  constructor (route: number, { code = '', message }: Error & { code?: string }) {
    super(code === '' ? message : `${code}: ${message}`)
    this.route = route
    this.ofMirror = code.startsWith('FST_MIRROR_')
  }
}

/** A gateway that does not listen yet. Throws a `RouteError`. */
export async function createGateway (config: GatewayConfig): Promise<Gateway> {
  const app = Fastify({ logger: true })
  const admin = config.admin.enabled ? new AdminListener(app, config.admin) : null

  // First, and awaited: it must see the routes that follow.
  await app.register(mirror, { admin: admin?.options ?? false })
  const shutdown = new Shutdown(app)
  for (const [index, route] of config.routes.entries()) {
    try {
      await app.register(httpProxy, proxyOptions(route))
    } catch (error) {
      throw new RouteError(index, error as Error)
    }
  }
  await app.ready()
  return { app, admin, shutdown }
}

function proxyOptions ({ id, path, path_prefix: withAllBelow, strip_prefix: strip, backends, mirror }: Route) {
  return {
    prefix: path === '/' ? '' : path,
    rewritePrefix: strip ? '/' : path,
    routes: withAllBelow ? ['/', '/*'] : [path === '/' ? '/' : ''],
    upstream: '',
    replyOptions: { getUpstream: rotation(backends) },
    // The numbers of a mirror go by the name of its route.
    config: mirror === undefined ? {} : { mirror: { id, ...mirror } }
  }
}
