import type { SoakResult } from './soak'
import type { Trend } from './trend'

const KiB = 1024
const MiB = 1024 * KiB

/** What a run found, as lines of text. */
export function report (result: SoakResult): string {
  const { options, minutes, warmUp, traffic, shadows, trends, atRest, held, totals, logged, faults } = result
  const seconds = minutes * 60
  const copies = counts(totals, /^fastify_mirror_outcomes_total\{.*outcome="(\w+)"/)
  const comparisons = counts(totals, /^fastify_mirror_comparisons_total\{.*result="(\w+)"/)
  const lines = [
    `${options.mode}, ${minutes.toFixed(1)} minutes, ${options.clients} clients, seed ${options.seed}`,
    '',
    `traffic         ${traffic.requests} requests, ${(traffic.requests / seconds).toFixed(0)} a second, ${(traffic.bytes / MiB / seconds).toFixed(1)} MiB/s up and down; ${traffic.left} left by the client`,
    `wrong answers   ${traffic.wrong}`,
    `rss             ${trend(trends.rss)}, from minute ${warmUp.toFixed(1)} on`,
    `heapUsed        ${trend(trends.heapUsed)}`,
    `external        ${trend(trends.external)}`,
    `at rest         rss ${both(atRest.map(({ rss }) => rss))}, heapUsed ${both(atRest.map(({ heapUsed }) => heapUsed))}, external ${both(atRest.map(({ external }) => external))}, before and after, in MiB`,
    `held            ${held.map(({ active, descriptors }) => `${text(active)}, ${descriptors} descriptors`).join(' before; ')} after`,
    `shadows         ${shadows.requests} copies received, ${shadows.outages} outages, ${sum(shadows.faults)} faults of ${Object.keys(shadows.faults).length} kinds`
  ]
  if (options.mode !== 'no mirror') {
    lines.push(
      `mirrors         ${sum(counts(totals, /^fastify_mirror_(seen)_total/))} seen, ${sum(counts(totals, /^fastify_mirror_(mirrored)_total/))} mirrored; switched and read ${result.operatorDeeds} times`,
      `not sent        ${text(counts(totals, /^fastify_mirror_unsent_total\{.*reason="(\w+)"/))}`,
      `dropped         ${text(counts(totals, /^fastify_mirror_dropped_total\{.*reason="(\w+)"/))}`,
      `copies          ${text(copies)}`,
      `compared        ${text(comparisons)}; not: ${text(counts(totals, /^fastify_mirror_not_compared_total\{.*reason="(\w+)"/))}`,
      `logged          ${text(logged)}`
    )
  }
  return [...lines, '', ...faults.length === 0 ? ['Nothing went wrong.'] : faults.map(fault => `WRONG: ${fault}`), ''].join('\n')
}

/** Values of one label, over all mirrors and backends. */
function counts (totals: Record<string, number>, pattern: RegExp): Record<string, number> {
  const found: Record<string, number> = {}
  for (const [name, value] of Object.entries(totals)) {
    const label = pattern.exec(name)?.[1]
    if (label !== undefined && value > 0) found[label] = (found[label] ?? 0) + value
  }
  return found
}

function trend ({ slope, interval: [low, high], r2, mean }: Trend): string {
  const line = Number.isNaN(slope)
    ? 'too short for a trend'
    : `${(slope / KiB).toFixed(0)} KiB/min (95 %: ${(low / KiB).toFixed(0)} to ${(high / KiB).toFixed(0)}), r² ${r2.toFixed(2)}`
  return `${line}, on average ${(mean / MiB).toFixed(0)} MiB`
}

function both (values: number[]): string {
  return values.map(value => (value / MiB).toFixed(1)).join(' and ')
}

function text (record: Record<string, number>): string {
  return Object.entries(record).map(([name, count]) => `${name} ${count}`).join(', ')
}

function sum (record: Record<string, number>): number {
  return Object.values(record).reduce((total, count) => total + count, 0)
}
