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

/** Samples of each gateway of a pair, in turn. */
const TURNS = 2

/**
 * Runs a scenario in rounds. Each measures every contender beside a base, the two in turn and one at a time under load,
 * both in new processes: what V8 makes of the same code differs more from one process to another than from one second
 * to the next.
 */
export async function runRounds (
  site: Site, scenario: Scenario, effort: Effort, say: (text: string) => void
): Promise<Table[]> {
  const { title, load, share } = scenario
  const rounds = Math.min(scenario.rounds, effort.rounds)
  const phases: Phase[] = [{ title: `${title}, saturated`, rate: 0, found: new Map() }]
  for (let round = 0; round < rounds; round++) {
    for (const [base, ...others] of scenario.groups) {
      for (const name of others) {
        say(`${scenario.name}: round ${round + 1} of ${rounds}, ${name}`)
        const pair: Running[] = []
        try {
          for (const of of [base, name]) pair.push(await site.start(contender(of), 'fast', load))
          for (const running of pair) await site.warmUp(running, load, effort.warmUp, true)
          if (share !== undefined && phases.length === 1) {
            const { throughput } = await site.measure(pair[0], { ...load, rate: 0 }, effort)
            const rate = Math.round(throughput * share / 100) * 100
            phases.push({ title: `${title}, at ${rate} requests/s`, rate, found: new Map() })
          }
          for (const { rate, found } of phases) await runPair(site, pair, { ...load, rate }, effort, found)
          const backend = (await pair[1].books())?.backends[0]
          if (backend !== undefined) for (const { found } of phases) found.get(name)?.books.push(backend)
        } finally {
          await Promise.all(pair.map(running => running.stop()))
        }
      }
    }
  }
  return phases.map(({ title, found }) => ({ scenario: scenario.name, title, rows: [...found.values()].map(rowOf) }))
}

async function runPair (
  site: Site, [base, other]: Running[], load: Omit<Load, 'port'>, timing: Timing, all: Map<string, Found>
): Promise<void> {
  const of = ({ contender: { name } }: Running): Found => {
    const found = all.get(name) ?? { contender: name, base: base.contender.name, pairs: [], books: [] }
    all.set(name, found)
    return found
  }
  for (let turn = 0; turn < TURNS; turn++) {
    const beside = await site.measure(base, load, timing)
    of(base).pairs.push({ sample: beside, base: beside })
    of(other).pairs.push({ sample: await site.measure(other, load, timing), base: beside })
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
