import { contender } from './contenders.mjs'
import type { Contender } from './contenders.mjs'
import type { Effort } from './effort.mjs'
import { steady } from './scenarios.mjs'
import { outcomeOf } from './outcome.mjs'
import { untilIdle } from './site.mjs'
import type { Running, Site } from './site.mjs'
import { median, spread } from './stats.mjs'
import type { Spread } from './stats.mjs'

/** The most memory that a gateway held. */
export interface MemoryRow {
  contender: string
  /** What it is read against: for a thread, a gateway whose thread has nothing to do. */
  base: string
  /** Median, in bytes. */
  peak: number
  /** Above the base's, sample by sample. */
  over: Spread
  /** MiB/s, or requests/s; the median. */
  rate: number
  /** What became of the copies. */
  outcome: string
}

export interface MemoryTable {
  name: 'up' | 'down' | 'hung'
  title: string
  unit: string
  rows: MemoryRow[]
}

const MIB = 1024 * 1024
/** Bytes that go through a gateway before its memory is looked at. */
const WARM_UP = 32 * MIB
/** Bytes a second, about a gigabit: a copy whose shadow and thread share a processor with the client can keep up. */
const PACE = 128 * MIB

const names = ['base', 'control', 'inline compare', 'thread 0 %', 'thread compare']
const bases: Record<string, string> = { 'thread compare': 'thread 0 %' }

interface Taken { peak: number, rate: number, outcome: string }

/** One large request or answer, streamed through a new gateway. */
export function runStream (
  site: Site, direction: 'up' | 'down', { streams: { bytes, rounds } }: Effort, say: (text: string) => void
): Promise<MemoryTable> {
  const title =
    `${bytes / MIB} MiB ${direction === 'up' ? 'of request body' : 'of answer'}, streamed at ${PACE / MIB} MiB/s at most`
  return table(direction, title, 'MiB/s', rounds, say, async contender => {
    const running = await site.start(patient(contender), 'fast', { method: 'GET', path: '/', length: 0 })
    try {
      // A thread that still starts would be behind.
      await site.transfer(running, 'down', 1, PACE)
      await untilIdle(running)
      await site.transfer(running, direction, WARM_UP, PACE)
      await untilIdle(running)
      await running.forgetPeak()
      const seconds = await site.transfer(running, direction, bytes, PACE)
      await untilIdle(running)
      return { peak: await running.peak(), rate: bytes / MIB / seconds, outcome: await outcome(running) }
    } finally {
      await running.stop()
    }
  })
}

/** A shadow that never answers, at full load. */
export function runHung (
  site: Site, { hung: { rounds, sample }, rest }: Effort, say: (text: string) => void
): Promise<MemoryTable> {
  return table('hung', `Hung shadow, full load for ${sample} s`, 'requests/s', rounds, say, async contender => {
    const running = await site.start(contender, 'hung', steady)
    try {
      const { throughput, peak } = await site.measure(running, steady, { runIn: 0, sample, rest })
      return { peak, rate: throughput, outcome: await outcome(running) }
    } finally {
      await running.stop()
    }
  })
}

async function table (
  name: MemoryTable['name'], title: string, unit: string, rounds: number, say: (text: string) => void,
  take: (contender: Contender) => Promise<Taken>
): Promise<MemoryTable> {
  const taken = new Map<string, Taken[]>(names.map(name => [name, []]))
  for (let round = 0; round < rounds; round++) {
    for (const name of names) {
      say(`${title}: round ${round + 1} of ${rounds}, ${name}`)
      taken.get(name)?.push(await take(contender(name)))
    }
  }
  const rows = names.map(name => {
    const own = taken.get(name) as Taken[]
    const base = bases[name] ?? 'base'
    const others = taken.get(base) as Taken[]
    return {
      contender: name,
      base,
      peak: median(own.map(({ peak }) => peak)),
      over: spread(own.map(({ peak }, round) => peak - others[round].peak)),
      rate: median(own.map(({ rate }) => rate)),
      outcome: own[own.length - 1].outcome
    }
  })
  return { name, title, unit, rows }
}

/** So that it is compared, however busy the machine is. */
function patient (contender: Contender): Contender {
  return contender.mirror === undefined
    ? contender
    : { ...contender, mirror: { ...contender.mirror, timeout: 120_000 } }
}

async function outcome (running: Running): Promise<string> {
  const backend = (await running.books())?.backends[0]
  return backend === undefined ? '' : outcomeOf(backend)
}
