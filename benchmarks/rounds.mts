import { contender } from './contenders.mjs'
import type { Effort } from './effort.mjs'
import { lostOf } from './outcome.mjs'
import type { Load } from './load.mjs'
import type { Running, Sample, Site, Timing } from './site.mjs'
import { median, spread } from './stats.mjs'
import type { Spread } from './stats.mjs'

export interface Scenario {
  /** For `--only`. */
  name: string
  title: string
  load: Omit<Load, 'port' | 'rate'>
  /** Also at a fixed rate: this share of what the first base takes at most. */
  share?: number
  /** Each group's first is the base of the others. */
  groups: string[][]
  rounds: number
}

type Measure = 'throughput' | 'p50' | 'p99' | 'loop' | 'main' | 'cpu'

/** What was found about one contender. */
export interface Row {
  contender: string
  base: string
  /** Medians. */
  at: Sample
  /** To the base beside it, sample by sample. */
  ratio: Record<Measure, Spread>
  /** Of the copies, the share that was compared; NaN: not known. */
  compared: number
  /** What became of the others. */
  lost: string
}

export interface Table {
  scenario: string
  title: string
  rows: Row[]
}

/** A sample, and the base's that was taken beside it. */
interface Pair {
  sample: Sample
  base: Sample
}

/** Runs a scenario in interleaved rounds. All gateways live from the first round to the last; one at a time is under load. */
export async function runRounds (site: Site, scenario: Scenario, effort: Effort, say: (text: string) => void): Promise<Table[]> {
  const groups: Running[][] = []
  const { load } = scenario
  const rounds = Math.min(scenario.rounds, effort.rounds)
  try {
    for (const names of scenario.groups) {
      const group: Running[] = []
      groups.push(group)
      for (const name of names) group.push(await site.start(contender(name), 'fast', load))
    }
    const all = groups.flat()
    for (const running of all) await site.warmUp(running, { ...load, rate: 0 }, effort.warmUp)

    const phases = [{ title: scenario.title + ', saturated', rate: 0, pairs: new Map<Running, Pair[]>() }]
    if (scenario.share !== undefined) {
      const { throughput } = await site.measure(all[0], { ...load, rate: 0 }, effort)
      const rate = Math.round(throughput * scenario.share / 100) * 100
      phases.push({ title: `${scenario.title}, at ${rate} requests/s`, rate, pairs: new Map() })
    }
    for (let round = 0; round < rounds; round++) {
      say(`${scenario.name}: round ${round + 1} of ${rounds}`)
      for (const { rate, pairs } of phases) {
        for (const group of groups) await runRound(site, group, round, { ...load, rate }, effort, pairs)
      }
    }
    const tables: Table[] = []
    for (const { title, pairs } of phases) {
      const rows: Row[] = []
      for (const group of groups) for (const running of group) rows.push(await rowOf(running, group[0], pairs.get(running) ?? []))
      tables.push({ scenario: scenario.name, title, rows })
    }
    return tables
  } finally {
    await Promise.all(groups.flat().map(running => running.stop()))
  }
}

/** Base, one, another, base, one, another, ... base: each has a base right beside it. Who begins changes from round to round. */
async function runRound (
  site: Site, group: Running[], round: number, load: Omit<Load, 'port'>, timing: Timing, pairs: Map<Running, Pair[]>
): Promise<void> {
  const [base, ...rest] = group
  const others = rest.map((_, index) => rest[(index + round) % rest.length])
  const add = (running: Running, pair: Pair) => pairs.set(running, [...pairs.get(running) ?? [], pair])
  const measure = (running: Running) => site.measure(running, load, timing)
  let last = await measure(base)
  for (let i = 0; i < others.length; i += 2) {
    const before = last
    const first = await measure(others[i])
    const second = i + 1 < others.length ? await measure(others[i + 1]) : null
    last = await measure(base)
    add(base, { sample: before, base: before })
    add(others[i], { sample: first, base: second === null ? last : before })
    if (second !== null) add(others[i + 1], { sample: second, base: last })
  }
}

async function rowOf (running: Running, base: Running, pairs: Pair[]): Promise<Row> {
  const of = (key: keyof Sample) => median(pairs.map(({ sample }) => sample[key]))
  const ratio = (key: Measure) => spread(pairs.map(({ sample, base }) => sample[key] / base[key]))
  const books = await running.books()
  const backend = books?.backends[0]
  return {
    contender: running.contender.name,
    base: base.contender.name,
    at: {
      throughput: of('throughput'),
      p50: of('p50'),
      p99: of('p99'),
      loop: of('loop'),
      main: of('main'),
      cpu: of('cpu'),
      copies: of('copies'),
      errors: of('errors'),
      peak: of('peak')
    },
    ratio: {
      throughput: ratio('throughput'),
      p50: ratio('p50'),
      p99: ratio('p99'),
      loop: ratio('loop'),
      main: ratio('main'),
      cpu: ratio('cpu')
    },
    compared: backend === undefined ? NaN : backend.compared / backend.offered,
    lost: backend === undefined || backend.compared === 0 ? '' : lostOf(backend)
  }
}
