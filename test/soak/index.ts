import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { report } from './report'
import { soak } from './soak'

const HELP = `npm run soak -- [options]

  --minutes <n>       of traffic; default 10
  --thread            the mirrors' work runs on a worker thread
  --no-mirror         the same gateway without the plugin, to compare with
  --seed <n>          of all random choices; default: the clock's
  --clients <n>       at the same time; default 32
  --json <file>       all figures
  --snapshots <dir>   heap snapshots of the gateway, from the end of the warm-up and of the traffic
`

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    thread: { type: 'boolean', default: false },
    'no-mirror': { type: 'boolean', default: false },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    clients: { type: 'string', default: '32' },
    json: { type: 'string' },
    snapshots: { type: 'string' },
    help: { type: 'boolean', default: false }
  }
})

function number (name: 'minutes' | 'seed' | 'clients', least: number): number {
  const value = Number(values[name])
  if (!(value >= least)) throw new Error(`--${name} must be a number, ${least} or more, got "${values[name]}"`)
  return value
}

async function main (): Promise<void> {
  const result = await soak({
    mode: values['no-mirror'] ? 'no mirror' : values.thread ? 'thread' : 'inline',
    minutes: number('minutes', 0.1),
    seed: number('seed', 0),
    clients: number('clients', 1),
    snapshots: values.snapshots ?? null
  }, text => process.stderr.write(`${text}\n`))
  if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(result, null, 2))
  process.stdout.write(report(result))
  if (result.faults.length > 0) process.exitCode = 1
}

if (values.help) {
  process.stdout.write(HELP)
} else {
  process.stderr.write(`seed ${values.seed}\n`)
  main().catch(error => {
    console.error(error)
    process.exitCode = 1
  })
}
