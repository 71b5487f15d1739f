import httpProxy from '@fastify/http-proxy'
import Fastify from 'fastify'
import mirror from '../../lib'
import type { FastifyMirrorOptions } from '../../types'

/** A gateway in front of `primary` that mirrors all to `candidate`, and learns its noise from `twin`. */
export async function startGateway (
  primary: string, candidate: string, twin: string, maxEndpointMismatchRate: number
) {
  const app = Fastify({ forceCloseConnections: true })
  const options: FastifyMirrorOptions = {
    defaults: {
      id: 'api',
      backends: [{ name: 'v2', url: candidate }],
      compare: { enabled: true, detailedDiff: true },
      noise: { from: { url: twin }, percentage: 10 },
      verdict: { maxSlowdown: 30, maxEndpointMismatchRate }
    }
  }
  await app.register(mirror, options)
  await app.register(httpProxy, { upstream: primary, prefix: '/', config: { mirror: {} } })
  await app.listen({ port: 0, host: '127.0.0.1' })
  return app
}
