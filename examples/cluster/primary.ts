import Fastify from 'fastify'
import cluster from 'node:cluster'
import type { AggregatorRegistry, RegistryContentType } from 'prom-client'
import type { Settings } from './arguments'

/** Keeps the workers running, and tells Prometheus what all of them count, as one. */
export async function runPrimary (
  { workers, metricsPort }: Settings, registry: AggregatorRegistry<RegistryContentType>
): Promise<void> {
  const app = Fastify({ logger: { name: 'metrics' } })
  app.get('/metrics', async (_, reply) => reply.type(registry.contentType).send(await registry.clusterMetrics()))

  const serving = new Set<number>()
  let closing = false

  function close (code: number): void {
    if (closing) return
    closing = true
    process.exitCode = code
    for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGTERM')
    app.close()
  }

  cluster.on('listening', ({ id }) => serving.add(id))
  cluster.on('exit', ({ id }) => {
    if (closing) return
    // One that never served has a fault that the next would have, too.
    if (serving.delete(id)) cluster.fork()
    else close(1)
  })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => close(0))

  for (let i = 0; i < workers; i++) cluster.fork()
  await app.listen({ host: '127.0.0.1', port: metricsPort })
}
