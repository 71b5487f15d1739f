import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'

export const USAGE = `node --import tsx examples/cluster/index.ts --upstream URL --shadow URL

  --upstream URL       who answers clients
  --shadow URL         who gets copies
  --workers N          processes, by default one a processor
  --port N             where clients are served, by default 8080
  --metrics-port N     where Prometheus reads the totals, by default 9100`

export interface Settings {
  upstream: string
  shadow: string
  workers: number
  port: number
  metricsPort: number
}

/** Throws an error whose message is for people. */
export function readArguments (args: string[]): Settings {
  const { values } = parseArgs({
    args,
    options: {
      upstream: { type: 'string' },
      shadow: { type: 'string' },
      workers: { type: 'string', default: String(availableParallelism()) },
      port: { type: 'string', default: '8080' },
      'metrics-port': { type: 'string', default: '9100' }
    }
  })
  const { upstream, shadow } = values
  if (upstream === undefined || shadow === undefined) throw new Error('--upstream and --shadow are needed')
  return {
    upstream,
    shadow,
    workers: integer('workers', values.workers, 1, 1024),
    port: integer('port', values.port, 0, 65535),
    metricsPort: integer('metrics-port', values['metrics-port'], 0, 65535)
  }
}

function integer (name: string, text: string, min: number, max: number): number {
  const value = Number(text)
  if (text !== '' && Number.isInteger(value) && value >= min && value <= max) return value
  throw new Error(`--${name} must be a whole number from ${min} to ${max}, got "${text}"`)
}
