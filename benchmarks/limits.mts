import type { MemoryTable } from './memory.mjs'
import type { MicroRow } from './micro.mjs'
import type { Row, Table } from './rounds.mjs'
import type { Spread } from './stats.mjs'
import type { TroubleRow } from './trouble.mjs'

export interface Results {
  tables: Table[]
  trouble: TroubleRow[]
  memory: MemoryTable[]
  micro: MicroRow[]
}

/** One figure, and what it must not pass. */
export interface Judged {
  what: string
  /** `least`: it must reach the limit instead. */
  bound: 'most' | 'least'
  limit: number
  /** What is hoped for. */
  aim?: number
  found: Spread
  /** The same of a second base, which should be 1: the noise. */
  control: Spread | null
  unit: '×' | 'MiB'
  /** Why the figure says less than it should. */
  reserve?: string
}

/** Whether a figure is within its limit. */
export function holds ({ bound, limit }: Judged, { median }: Spread): boolean {
  return bound === 'most' ? median <= limit : median >= limit
}

const MIB = 1024 * 1024
const alone = (value: number): Spread => ({ median: value, q1: value, q3: value })

/** Every limit whose figures were taken in this run. */
export function judge ({ tables, trouble, memory, micro }: Results): Judged[] {
  return [...judgeCost(tables), ...judgeTrouble(trouble), ...judgeMemory(memory), ...judgeDigest(micro)]
}

function judgeCost (tables: Table[]): Judged[] {
  // The saturated one: the other shows what is left of it at half the load.
  const table = tables.find(({ scenario }) => scenario === 'small')
  const row = (name: string): Row | undefined => table?.rows.find(({ contender }) => contender === name)
  const control = row('control')
  const floor = row('floor')
  const judged: Judged[] = []
  const add = (name: string, measure: 'loop' | 'cpu', what: string, limit: number | undefined, aim?: number) => {
    const found = row(name)?.ratio[measure]
    if (found === undefined || limit === undefined) return
    judged.push({ what, bound: 'most', limit, aim, found, control: control?.ratio[measure] ?? null, unit: '×' })
  }
  const above = (measure: 'loop' | 'cpu', more: number) =>
    floor === undefined ? undefined : floor.ratio[measure].median + more
  add('no mirror', 'loop', 'loop time, route without mirror', 1.01)
  add('0 %', 'loop', 'loop time, 0 %', 1.02)
  add('inline', 'loop', 'loop time, 100 %, inline: the floor + 0.05', above('loop', 0.05), 1.2)
  add('inline compare', 'loop', 'loop time, 100 %, inline, compare: the floor + 0.12', above('loop', 0.12), 1.3)
  add('thread compare', 'loop', 'loop time, 100 %, thread, compare', 1.08, 1.05)
  add('inline compare', 'cpu', 'CPU, 100 %, inline, compare: the floor + 0.15', above('cpu', 0.15))
  add('thread compare', 'cpu', 'CPU, 100 %, thread, compare: the floor + 0.15', above('cpu', 0.15))
  return judged
}

function judgeTrouble (rows: TroubleRow[]): Judged[] {
  const judged: Judged[] = []
  for (const { contender, shadow, p99Ratio, throughputRatio } of rows) {
    if (shadow === 'fast' || !contender.endsWith('compare')) continue
    const control = rows.find(other => other.contender === 'control' && other.shadow === shadow)
    judged.push({
      what: `p99, ${shadow} shadow, ${contender}`,
      bound: 'most',
      limit: 1.1,
      found: p99Ratio,
      control: control?.p99Ratio ?? null,
      unit: '×'
    }, {
      what: `throughput, ${shadow} shadow, ${contender}`,
      bound: 'least',
      limit: 0.97,
      found: throughputRatio,
      control: control?.throughputRatio ?? null,
      unit: '×'
    })
  }
  return judged
}

function judgeMemory (tables: MemoryTable[]): Judged[] {
  const inMiB = ({ median, q1, q3 }: Spread): Spread => ({ median: median / MIB, q1: q1 / MIB, q3: q3 / MIB })
  return tables.flatMap(({ name, title, rows }) => {
    const control = rows.find(({ contender }) => contender === 'control')
    return rows.filter(
      ({ contender }) => contender.endsWith('compare')
    ).map(({ contender, base, over, outcome }): Judged => ({
      what: `RSS above ${base === 'base' ? 'the base' : 'an idle worker'}: ${title}, ${contender}`,
      bound: 'most',
      limit: 32,
      found: inMiB(over),
      control: control === undefined ? null : inMiB(control.over),
      unit: 'MiB',
      reserve: name !== 'hung' && !/^\d+ matched$/.test(outcome) ? 'not all compared' : undefined
    }))
  })
}

function judgeDigest (rows: MicroRow[]): Judged[] {
  const [reference, own] = rows.filter(({ bytes }) => bytes !== undefined)
  if (own === undefined) return []
  return [{
    what: 'rate of hashing 1 MiB, to node:crypto',
    bound: 'least',
    limit: 0.9,
    found: alone(reference.p50 / own.p50),
    control: null,
    unit: '×'
  }]
}
