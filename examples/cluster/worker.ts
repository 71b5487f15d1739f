import httpProxy from '@fastify/http-proxy'
import Fastify from 'fastify'
import cluster from 'node:cluster'
import type { Worker } from 'node:cluster'
import { register } from 'prom-client'
import mirror from '../../lib'
import { Shutdown } from '../gateway/shutdown'
import type { Settings } from './arguments'

/** One of the processes that serve the port in turn. */
export async function runWorker ({ upstream, shadow, port }: Settings): Promise<void> {
  const worker = cluster.worker as Worker
  const app = Fastify({ logger: { name: `worker ${worker.id}` } })

  await app.register(mirror, { prometheus: { register } })
  const shutdown = new Shutdown(app)
  app.addHook('onSend', async (_, reply) => { reply.header('x-worker', worker.id) })
  app.addHook('onClose', async () => worker.disconnect())

  await app.register(httpProxy, {
    upstream,
    prefix: '/api',
    rewritePrefix: '/api',
    config: {
      mirror: {
        id: 'api',
        percentage: 50,
        // The same user is mirrored by all workers or by none.
        sampleBy: 'x-user-id',
        backends: [{ name: 'shadow', url: shadow }],
        compare: { enabled: true }
      }
    }
  })
  await app.listen({ host: '127.0.0.1', port })
  shutdown.atSignals([app.server])
}
