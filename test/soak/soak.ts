import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { imbalances } from '../helpers/books'
import { samplesOf } from '../helpers/exposition'
import { Child } from './calls'
import { Clients } from './clients'
import type { Traffic } from './clients'
import type { GatewayCalls, Held, Memory } from './gateway'
import type { Mode } from './mirrors'
import { Operator } from './operator'
import { startPrimary } from './primary'
import type { Primary } from './primary'
import type { ShadowReport, Shadows } from './shadows'
import { trendOf } from './trend'
import type { Sample, Trend } from './trend'

export interface SoakOptions {
  mode: Mode
  minutes: number
  seed: number
  clients: number
  /** Where heap snapshots go, of the end of the warm-up and of the end; `null`: none are made. */
  snapshots: string | null
}

export interface SoakResult {
  options: SoakOptions
  /** Minutes of traffic. */
  minutes: number
  /** Before memory is looked at. */
  warmUp: number
  traffic: Traffic
  operatorDeeds: number
  shadows: ShadowReport
  /** Of bytes a minute. */
  trends: Record<keyof Memory, Trend>
  /** At rest, before and after the traffic. */
  atRest: [begin: Memory, end: Memory]
  held: [begin: Held, end: Held]
  /** Everything that was counted for Prometheus, by name and labels. */
  totals: Record<string, number>
  /** Warnings of the log, and how often they came. */
  logged: Record<string, number>
  mismatches: number
  samples: Array<Memory & { minutes: number }>
  /** What went wrong. Empty: nothing. */
  faults: string[]
}

/**
 * Growth that is taken for a leak, in bytes a minute, in runs that are long enough to tell, where even the low end of what is known of it is
 * above. Of heaps without garbage: with 20,000 requests a minute one small object (26 bytes) that each of them leaves behind; what is kept by
 * design, as places of mismatches, comes to less. RSS knows of native memory, too, but rises for minutes with the pages that V8 keeps for
 * later, without the plugin by up to 2 MiB a minute: there it is 100 bytes.
 */
export const LEAKS = { heapUsed: 512 * 1024, rss: 2 * 1024 * 1024 }
export const ENOUGH_MINUTES = 5
/**
 * For glibc: gives back what is free. Else, as it never does what it could reuse, RSS would rise with every burst.
 * @see https://www.gnu.org/software/libc/manual/html_node/Memory-Allocation-Tunables.html
 */
const ALLOCATOR = { MALLOC_ARENA_MAX: '1', MALLOC_TRIM_THRESHOLD_: '131072', MALLOC_MMAP_THRESHOLD_: '131072' }
/** Seconds between two looks at memory, each of which costs a full garbage collection. */
const PERIOD = 5
/** What a gateway at rest may hold: its port, and what this process speaks to it by. */
const LASTING: ReadonlySet<string> = new Set(['PipeWrap', 'TCPServerWrap', 'MessagePort'])
/** Milliseconds for what takes its time where others use the machine. */
const PATIENCE = 60_000

/** Everything at once, for so many minutes, and then nothing may be left of it. */
export async function soak (options: SoakOptions, say: (text: string) => void): Promise<SoakResult> {
  const { mode, minutes, seed } = options
  const primary = await startPrimary()
  const shadows = new Child<Shadows>(join(__dirname, 'shadows.ts'))
  const gateway = new Child<GatewayCalls>(join(__dirname, 'gateway.ts'), {
    nodeOptions: ['--require', join(__dirname, 'collect.ts'), '--trace-warnings'],
    env: ALLOCATOR
  })
  const faults: string[] = []
  try {
    const urls = await shadows.call('start', seed)
    const url = await gateway.call('start', { mode, primary: primary.url, shadows: urls })
    const before = await rest(url, gateway, shadows, primary)
    const memoryBefore = await gateway.call('memory')

    const clients = new Clients(url, seed + 1000)
    const operator = mode === 'no mirror' ? null : new Operator(url, seed + 2000)
    const watch = new Watch(gateway, options, say)
    const begin = performance.now()
    watch.start()
    operator?.start()
    await clients.run(options.clients, minutes * 60_000)
    const took = (performance.now() - begin) / 60_000
    await watch.stop()
    await operator?.stop()
    faults.push(...operator?.faults ?? [])

    await settle(gateway, faults)
    await shadows.call('calm')
    await shadows.call('hangUp')
    primary.hangUp()
    const after = await release(gateway, before, faults)
    const memoryAfter = await gateway.call('memory')
    if (options.snapshots !== null) await gateway.call('snapshot', join(options.snapshots, 'end.heapsnapshot'))
    const totals = samplesOf(await gateway.call('exposition'))
    await balance(gateway, totals, faults)

    const { logged, mismatches } = await gateway.call('heard')
    const report = await shadows.call('report')
    // Exceptions, rejections and warnings are there, those while it closes among them.
    await end(gateway, faults)
    faults.push(...clients.traffic.faults)
    if (clients.traffic.wrong > 0) faults.push(`${clients.traffic.wrong} answers were wrong`)
    if (gateway.stderr !== '') faults.push(`the gateway wrote: ${gateway.stderr}`)
    if (shadows.stderr !== '') faults.push(`the shadows wrote: ${shadows.stderr}`)
    if (primary.marked > 0) faults.push(`${primary.marked} requests reached the primary with the mark of copies`)
    if (report.unmarked > 0) faults.push(`${report.unmarked} copies had no mark`)
    const trends = watch.trends()
    for (const name of ['heapUsed', 'rss'] as const) {
      const { slope, interval } = trends[name]
      if (minutes >= ENOUGH_MINUTES && interval[0] > LEAKS[name]) faults.push(`${name} of the gateway grew by ${Math.round(slope / 1024)} KiB a minute`)
    }
    return {
      options,
      minutes: took,
      warmUp: watch.warmUp,
      traffic: clients.traffic,
      operatorDeeds: operator?.deeds ?? 0,
      shadows: report,
      trends,
      atRest: [memoryBefore, memoryAfter],
      held: [before, after],
      totals,
      logged,
      mismatches,
      samples: watch.samples,
      faults
    }
  } finally {
    await gateway.kill()
    await shadows.kill()
    primary.close()
  }
}

/** What the gateway holds once everything in it has been at work, the thread among it, and rests again. */
async function rest (url: string, gateway: Child<GatewayCalls>, shadows: Child<Shadows>, primary: Primary): Promise<Held> {
  await (await fetch(`${url}/api/status/0/0`, { headers: { connection: 'close' } })).arrayBuffer()
  await waitFor(async () => (await copiesUnderWay(gateway)).length === 0)
  await shadows.call('hangUp')
  primary.hangUp()
  let held = await gateway.call('held')
  await waitFor(async () => {
    held = await gateway.call('held')
    return Object.keys(held.active).every(kind => LASTING.has(kind))
  })
  return held
}

/** Waits until no copy is under way and nothing is held for one: timeouts see to that. */
async function settle (gateway: Child<GatewayCalls>, faults: string[]): Promise<void> {
  let open: string[] = []
  await waitFor(async () => {
    open = await copiesUnderWay(gateway)
    return open.length === 0
  })
  faults.push(...open.map(text => `after the traffic: ${text}`))
}

async function copiesUnderWay (gateway: Child<GatewayCalls>): Promise<string[]> {
  const open: string[] = []
  for (const { id, pending, backends } of Object.values(await gateway.call('books'))) {
    if (pending > 0) open.push(`${id}: ${pending} pending`)
    for (const { name, inFlight, comparing } of backends) {
      if (inFlight + comparing > 0) open.push(`${id}, ${name}: ${inFlight} in flight, ${comparing} comparing`)
    }
  }
  await gateway.call('clearMismatches')
  const buffered = samplesOf(await gateway.call('exposition')).fastify_mirror_buffered_bytes ?? 0
  return buffered > 0 ? [...open, `${buffered} bytes are held`] : open
}

/** Waits until the gateway holds no more than it did before the traffic. */
async function release (gateway: Child<GatewayCalls>, before: Held, faults: string[]): Promise<Held> {
  let held = before
  const excess = () => [
    ...Object.entries(held.active).filter(([kind, count]) => count > (before.active[kind] ?? 0)).map(([kind, count]) => `${count} ${kind}`),
    ...held.descriptors > before.descriptors ? [`${held.descriptors} descriptors instead of ${before.descriptors}`] : []
  ]
  await waitFor(async () => {
    held = await gateway.call('held')
    return excess().length === 0
  })
  faults.push(...excess().map(text => `left behind: ${text}`))
  return held
}

async function balance (gateway: Child<GatewayCalls>, totals: Record<string, number>, faults: string[]): Promise<void> {
  const asked = await gateway.call('asked')
  for (const mirror of Object.values(await gateway.call('books'))) {
    const { id } = mirror
    faults.push(...imbalances(mirror))
    const seen = totals[`fastify_mirror_seen_total{mirror="${id}"}`]
    if (seen !== asked[id]) faults.push(`${id} has seen ${seen} requests of ${asked[id]}`)
    const result = (name: string) => totals[`fastify_mirror_comparisons_total{mirror="${id}",backend="steady",result="${name}"}`]
    if (result('mismatched') > 0) faults.push(`${id}: ${result('mismatched')} answers of the shadow that answers alike were found to differ`)
    if (result('matched') === 0) faults.push(`${id}: nothing matched`)
  }
}

/** With its app closed, the gateway must end by itself. */
async function end (gateway: Child<GatewayCalls>, faults: string[]): Promise<void> {
  await gateway.call('stop')
  let code: number | string | undefined
  gateway.ended.then(ended => { code = ended })
  await waitFor(() => code !== undefined)
  if (code === undefined) faults.push('the gateway goes on though its app is closed')
  else if (code !== 0) faults.push(`the gateway ended with ${code}`)
}

/** What is wrong when the condition never holds is told by whoever waited. */
async function waitFor (condition: () => unknown): Promise<void> {
  const end = performance.now() + PATIENCE
  while (!await condition() && performance.now() < end) await delay(50)
}

/** Looks at the gateway's memory again and again. */
class Watch {
  readonly samples: Array<Memory & { minutes: number }> = []
  readonly warmUp: number
  readonly #gateway: Child<GatewayCalls>
  readonly #snapshots: string | null
  readonly #say: (text: string) => void
  readonly #ending = new AbortController()
  #done: Promise<void> | null = null

  constructor (gateway: Child<GatewayCalls>, { minutes, snapshots }: SoakOptions, say: (text: string) => void) {
    this.#gateway = gateway
    this.#snapshots = snapshots
    this.#say = say
    this.warmUp = Math.min(3, minutes * 0.3)
  }

  start (): void {
    this.#done = this.#look()
    // Told where it is awaited.
    this.#done.catch(() => {})
  }

  async stop (): Promise<void> {
    this.#ending.abort()
    await this.#done
  }

  async #look (): Promise<void> {
    const { signal } = this.#ending
    const begin = performance.now()
    let toSnap = this.#snapshots
    while (!signal.aborted) {
      const minutes = (performance.now() - begin) / 60_000
      if (toSnap !== null && minutes >= this.warmUp) {
        await this.#gateway.call('snapshot', join(toSnap, 'begin.heapsnapshot'))
        toSnap = null
      }
      const memory = await this.#gateway.call('memory')
      if (this.samples.length * PERIOD % 60 === 0) this.#say(`${minutes.toFixed(1)} min: ${inMiB(memory)}`)
      this.samples.push({ minutes, ...memory })
      await delay(PERIOD * 1000, undefined, { signal }).catch(() => {})
    }
  }

  trends (): Record<keyof Memory, Trend> {
    const samples = this.samples.filter(({ minutes }) => minutes >= this.warmUp)
    const of = (key: keyof Memory) => trendOf(samples.map(sample => ({ minutes: sample.minutes, value: sample[key] } satisfies Sample)))
    return { rss: of('rss'), heapUsed: of('heapUsed'), external: of('external') }
  }
}

function inMiB (memory: Memory): string {
  return Object.entries(memory).map(([name, bytes]) => `${name} ${Math.round(bytes / 1024 / 1024)} MiB`).join(', ')
}
