import { setTimeout as delay } from 'node:timers/promises'
import { readSeconds, USAGE } from './arguments'
import { DIFFERENCES, startBackends } from './backends'
import { startGateway } from './gateway'
import { Screen } from './screen'
import { summaryOf, tableOf } from './table'
import type { Mirrors } from './table'
import { Traffic } from './traffic'

/** Milliseconds from one table to the next, in a terminal and elsewhere. */
const REFRESH = 250
const LINES = 5000

async function run (seconds: number): Promise<void> {
  const stop = new AbortController()
  // Heard twice when npm or tsx pass on what the terminal has sent already.
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => stop.abort())
  // Whoever reads what is printed may leave.
  process.stdout.on('error', () => stop.abort())

  const backends = await startBackends()
  const gateway = await startGateway(backends.primary, backends.candidate)
  const screen = new Screen(process.stdout, [
    `Gateway  ${gateway.url}  serves clients from v1, copies go to v2`,
    `Numbers  curl ${gateway.url}/mirrors`,
    'End      Ctrl-C',
    '',
    'What v2 does differently, on purpose:',
    ...DIFFERENCES
  ])
  const traffic = new Traffic(gateway.url)
  const startedAt = performance.now()
  const timer = seconds === Infinity ? undefined : setTimeout(() => stop.abort(), seconds * 1000)

  while (!stop.signal.aborted) {
    // Rejects when the signal comes.
    await delay(screen.refreshes ? REFRESH : LINES, undefined, { signal: stop.signal }).catch(() => {})
    if (!stop.signal.aborted) screen.show(await numbers())
  }
  clearTimeout(timer)
  await traffic.stop()
  await copiesEnded()
  screen.end([...await numbers(), '', 'Ended.'])

  await gateway.close()
  await backends.close()

  async function numbers (): Promise<string[]> {
    const now = await mirrors()
    const elapsed = Math.round((performance.now() - startedAt) / 1000)
    return [
      ...tableOf(now, screen.width, screen.colours),
      '',
      `After ${elapsed} s: ${traffic.answers} answers to clients, ${traffic.errors} errors; ${summaryOf(now)}`
    ]
  }

  async function mirrors (): Promise<Mirrors> {
    const response = await fetch(`${gateway.url}/mirrors`)
    return await response.json() as Mirrors
  }

  /** The last copies may be slower than the answers that clients got. */
  async function copiesEnded (): Promise<void> {
    for (let i = 0; i < 100; i++) {
      const backends = Object.values(await mirrors()).flatMap(mirror => mirror.backends)
      if (backends.every(({ inFlight, comparing }) => inFlight + comparing === 0)) return
      await delay(20)
    }
  }
}

try {
  const seconds = readSeconds(process.argv.slice(2))
  if (seconds === null) {
    console.log(USAGE)
  } else {
    run(seconds).catch(error => {
      console.error(error)
      process.exit(1)
    })
  }
} catch (error) {
  console.error(`${(error as Error).message}\n\n${USAGE}`)
  process.exitCode = 1
}
