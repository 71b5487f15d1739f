import { contender } from './contenders.mjs'
import type { Effort } from './effort.mjs'
import { steady } from './scenarios.mjs'
import type { Sample, Shadow, Site, Timing } from './site.mjs'
import { median, spread } from './stats.mjs'
import type { Spread } from './stats.mjs'

/** What the primary's clients notice of a shadow, or its memory does. */
export interface TroubleRow {
  contender: string
  base: string
  shadow: Shadow
  /** Medians. */
  throughput: number
  p99: number
  copies: number
  /** To the base of the same round. */
  throughputRatio: Spread
  p99Ratio: Spread
}

/** The base stands between the two that are read against it. */
const groups = [
  { base: 'base', order: ['inline compare', 'base', 'thread compare', 'control'] },
  { base: 'nginx', order: ['nginx mirror', 'nginx', 'nginx control'] }
]

const shadows: Shadow[] = ['fast', 'slow', 'hung', 'refusing']

/**
 * Every sample is one of a new process, whose shadow was well before it got into trouble: what a shadow did to the
 * process before must not be seen.
 */
export async function runTrouble (
  site: Site, effort: Effort, nginx: boolean, say: (text: string) => void
): Promise<TroubleRow[]> {
  const { rounds, runIn, sample } = effort.trouble
  const timing: Timing = { runIn, sample, rest: effort.rest }
  const rows: TroubleRow[] = []
  for (const shadow of shadows) {
    for (const { base, order } of nginx ? groups : groups.slice(0, 1)) {
      const samples = new Map<string, Sample[]>(order.map(name => [name, []]))
      for (let round = 0; round < rounds; round++) {
        say(`${shadow} shadow: round ${round + 1} of ${rounds}, ${base}`)
        for (const name of order) samples.get(name)?.push(await sampleOf(site, name, shadow, timing, effort.warmUp))
      }
      const bases = samples.get(base) as Sample[]
      for (const name of [base, ...order.filter(name => name !== base)]) {
        const own = samples.get(name) as Sample[]
        const ratio = (key: 'throughput' | 'p99') => spread(own.map((sample, round) => sample[key] / bases[round][key]))
        rows.push({
          contender: name,
          base,
          shadow,
          throughput: median(own.map(sample => sample.throughput)),
          p99: median(own.map(sample => sample.p99)),
          copies: median(own.map(sample => sample.copies)),
          throughputRatio: ratio('throughput'),
          p99Ratio: ratio('p99')
        })
      }
    }
  }
  return rows
}

async function sampleOf (
  site: Site, name: string, shadow: Shadow, timing: Timing, warmUp: Effort['warmUp']
): Promise<Sample> {
  const running = await site.start(contender(name), 'own', steady)
  try {
    await site.warmUp(running, steady, warmUp, true)
    await site.turn(running, shadow)
    return await site.measure(running, steady, timing)
  } finally {
    await running.stop()
  }
}
