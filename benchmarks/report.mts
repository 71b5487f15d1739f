import type { Judged, Results } from './limits.mjs'
import { holds, judge } from './limits.mjs'
import type { MemoryTable } from './memory.mjs'
import type { MicroRow } from './micro.mjs'
import type { Row, Table } from './rounds.mjs'
import type { Spread } from './stats.mjs'
import type { TroubleRow } from './trouble.mjs'

const MIB = 1024 * 1024

/** All that was found, as Markdown. */
export function report (results: Results, machine: string, command: string, skipped: readonly string[]): string {
  const judged = judge(results)
  return [
    machine,
    `Taken with \`${command}\`.`,
    ...skipped.map(line => `Left out: ${line}.`),
    ...judged.length === 0 ? [] : ['### Limits', limits(judged)],
    ...results.tables.flatMap(table => [`### ${table.title}`, rounds(table)]),
    ...results.trouble.length === 0
      ? []
      : ['### What the primary\'s clients notice of a shadow', trouble(results.trouble)],
    ...results.memory.flatMap(table => [`### ${table.title}`, memory(table)]),
    ...results.micro.length === 0 ? [] : ['### Hot functions', micro(results.micro)]
  ].join('\n\n') + '\n'
}

function limits (judged: Judged[]): string {
  return markdown(['', 'limit', 'to aim for', 'found (quartiles)', 'control', ''], judged.map(one => {
    const { what, bound, limit, aim, found, control, unit, reserve } = one
    const show = (value: number) => unit === 'MiB' ? `${value.toFixed(1)} MiB` : value.toFixed(2)
    const noise = control !== null && !holds(one, control) ? ', and so does the control' : ''
    const verdict = (holds(one, found) ? 'pass' : `FAIL${noise}`) + (reserve === undefined ? '' : `; ${reserve}`)
    return [
      what,
      `${bound === 'most' ? '≤' : '≥'} ${show(limit)}`,
      aim === undefined ? '' : show(aim),
      around(found, show),
      control === null ? '' : around(control, show),
      verdict
    ]
  }))
}

function rounds ({ rows }: Table): string {
  const ratio = (value: number) => value.toFixed(2)
  return markdown(
    [
      '', 'requests/s', 'to base', 'p50 ms', 'p99 ms', 'to base', 'loop µs', 'to base', 'main CPU µs', 'to base',
      'CPU µs', 'to base', 'peak RSS MiB', 'copied', 'compared'
    ],
    rows.map(({ contender, base, at, ratio: to, compared, lost }: Row) => {
      const isBase = contender === base
      const against = (spread: Spread) => isBase ? '' : around(spread, ratio)
      return [
        contender + (at.errors > 0 ? ` (${at.errors} errors)` : ''),
        at.throughput.toFixed(0), against(to.throughput),
        at.p50.toFixed(2),
        at.p99.toFixed(2), against(to.p99),
        fixed(at.loop, 1), against(to.loop),
        fixed(at.main, 1), against(to.main),
        fixed(at.cpu, 1), against(to.cpu),
        (at.peak / MIB).toFixed(0),
        percent(at.copies),
        percent(compared) + (lost === '' ? '' : ` (${lost})`)
      ]
    })
  )
}

function trouble (rows: TroubleRow[]): string {
  const ratio = (value: number) => value.toFixed(2)
  return markdown(['shadow', '', 'requests/s', 'to base', 'p99 ms', 'to base', 'copied'], rows.map(row => {
    const isBase = row.contender === row.base
    return [
      row.shadow,
      row.contender,
      row.throughput.toFixed(0), isBase ? '' : around(row.throughputRatio, ratio),
      row.p99.toFixed(2), isBase ? '' : around(row.p99Ratio, ratio),
      percent(row.copies)
    ]
  }))
}

function memory ({ rows, unit }: MemoryTable): string {
  const mib = (bytes: number) => (bytes / MIB).toFixed(1)
  return markdown(['', 'peak RSS MiB', 'above', 'MiB more', unit, 'copies'], rows.map((
    { contender, base, peak, over, rate, outcome }
  ) => [
    contender, mib(peak), contender === base ? '' : base, contender === base ? '' : around(over, mib), rate.toFixed(0),
    outcome
  ]))
}

function micro (rows: MicroRow[]): string {
  return markdown(['', '', 'ns a call, p50', 'p99', ''], rows.map(({ part, name, p50, p99, bytes }) => [
    part, name, fixed(p50, 0), fixed(p99, 0), bytes === undefined ? '' : `${(bytes / p50).toFixed(2)} GB/s`
  ]))
}

/** A median, with the quartiles where they show. */
function around ({ median, q1, q3 }: Spread, show: (value: number) => string): string {
  if (Number.isNaN(median)) return ''
  const [low, high] = [show(q1), show(q3)]
  return low === high ? show(median) : `${show(median)} (${low}–${high})`
}

function fixed (value: number, digits: number): string {
  return Number.isNaN(value) ? '' : value.toFixed(digits)
}

function percent (share: number): string {
  return Number.isNaN(share) || share === 0 ? '' : `${(share * 100).toFixed(0)} %`
}

function markdown (head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`
  return [line(head), `|${head.map(() => '---|').join('')}`, ...rows.map(line)].join('\n')
}
