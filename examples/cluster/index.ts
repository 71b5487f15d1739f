import cluster from 'node:cluster'
import { AggregatorRegistry } from 'prom-client'
import { readArguments, USAGE } from './arguments'
import { runPrimary } from './primary'
import { runWorker } from './worker'

try {
  const settings = readArguments(process.argv.slice(2))
  // In the primary it asks for the numbers, in a worker it answers with those of prom-client's `register`.
  const registry = new AggregatorRegistry()
  const running = cluster.isPrimary ? runPrimary(settings, registry) : runWorker(settings)
  running.catch(error => {
    console.error(error)
    process.exit(1)
  })
} catch (error) {
  console.error(`${(error as Error).message}\n\n${USAGE}`)
  process.exitCode = 1
}
