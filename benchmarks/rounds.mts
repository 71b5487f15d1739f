import { contender } from './contenders.mjs'
import type { Effort } from './effort.mjs'
import type { BackendSnapshot } from '../types/index.js'
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

/** What was found about one contender, round by round. */
interface Found {
  contender: string
  base: string
  pairs: Pair[]
  books: BackendSnapshot[]
}

interface Phase {
  title: string
  /** Requests a second; 0: as many as there can be. */
  rate: number
  found: Map<string, Found>
}

/**
 * Runs a scenario in interleaved rounds, each with processes of its own: what V8 makes of the same code differs more from one process
 * to another than from one second to the next. One gateway at a time is under load.
 */
export async function runRounds (site: Site, scenario: Scenario, effort: Effort, say: (text: string) => void): Promise<Table[]> {
  const { title, load, share } = scenario
  const rounds = Math.min(scenario.rounds, effort.rounds)
  const phases: Phase[] = [{ title: `${title}, saturated`, rate: 0, found: new Map() }]
  for (let round = 0; round < rounds; round++) {
    say(`${scenario.name}: round ${round + 1} of ${rounds}`)
    const groups: Running[][] = []
    try {
      for (const names of scenario.groups) {
        const group: Running[] = []
        groups.push(group)
        for (const name of names) group.push(await site.start(contender(name), 'fast', load))
      }
      for (const running of groups.flat()) await site.warmUp(running, load, effort.warmUp, true)
      if (share !== undefined && round === 0) {
        const { throughput } = await site.measure(groups[0][0], { ...load, rate: 0 }, effort)
        const rate = Math.round(throughput * share / 100) * 100
        phases.push({ title: `${title}, at ${rate} requests/s`, rate, found: new Map() })
      }
      for (const { rate, found } of phases) {
        for (const group of groups) await runRound(site, group, round, { ...load, rate }, effort, found)
      }
      for (const running of groups.flat()) {
        const backend = (await running.books())?.backends[0]
        if (backend !== undefined) for (const { found } of phases) found.get(running.contender.name)?.books.push(backend)
      }
    } finally {
      await Promise.all(groups.flat().map(running => running.stop()))
    }
  }
  return phases.map(({ title, found }) => ({ scenario: scenario.name, title, rows: [...found.values()].map(rowOf) }))
}

/** Base, one, another, base, one, another, ... base: each has a base right beside it. Who begins changes from round to round. */
async function runRound (
  site: Site, group: Running[], round: number, load: Omit<Load, 'port'>, timing: Timing, all: Map<string, Found>
): Promise<void> {
  const [base, ...rest] = group
  const of = ({ contender: { name } }: Running): Found => {
    const found = all.get(name) ?? { contender: name, base: base.contender.name, pairs: [], books: [] }
    all.set(name, found)
    return found
  }
  // In the table's order, whoever begins.
  group.forEach(of)
  const others = rest.map((_, index) => rest[(index + round) % rest.length])
  const measure = (running: Running) => site.measure(running, load, timing)
  let last = await measure(base)
  for (let i = 0; i < others.length; i += 2) {
    const before = last
    const first = await measure(others[i])
    const second = i + 1 < others.length ? await measure(others[i + 1]) : null
    last = await measure(base)
    of(base).pairs.push({ sample: before, base: before })
    of(others[i]).pairs.push({ sample: first, base: second === null ? last : before })
    if (second !== null) of(others[i + 1]).pairs.push({ sample: second, base: last })
  }
}

function rowOf ({ contender, base, pairs, books }: Found): Row {
  const of = (key: keyof Sample) => median(pairs.map(({ sample }) => sample[key]))
  const ratio = (key: Measure) => spread(pairs.map(({ sample, base }) => sample[key] / base[key]))
  const sum = (key: 'compared' | 'offered') => books.reduce((total, backend) => total + backend[key], 0)
  return {
    contender,
    base,
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
    compared: books.length === 0 ? NaN : sum('compared') / sum('offered'),
    lost: sum('compared') === 0 ? '' : lostOf(books)
  }
}
