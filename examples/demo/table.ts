import { styleText } from 'node:util'
import type { BackendSnapshot, MirrorSnapshot } from '../../types/index'

/** What `GET /mirrors` answers. */
export type Mirrors = Record<string, MirrorSnapshot>

interface Column {
  head: string
  /** Stands over this column's end, and over those before it that have none. */
  group?: string
  cell: (mirror: MirrorSnapshot, backend: BackendSnapshot) => string
  left?: boolean
  /** Of a count that had better be 0. */
  colour?: 'yellow' | 'red'
}

const columns: Column[] = [
  { head: 'mirror', cell: mirror => mirror.id, left: true },
  { head: 'backend', cell: (_, backend) => backend.name, left: true },
  { head: 'seen', cell: mirror => String(mirror.seen) },
  { head: 'mirrored', cell: mirror => String(mirror.mirrored) },
  { head: 'matched', cell: (_, backend) => String(backend.matched) },
  { head: 'mismatched', cell: (_, backend) => String(backend.mismatched), colour: 'yellow' },
  { head: 'failed', cell: (_, backend) => String(sum(backend.failure)), colour: 'red' },
  { head: 'p50', cell: (_, { latency }) => ms(latency.primary.p50) },
  { head: 'p95', cell: (_, { latency }) => ms(latency.primary.p95), group: 'primary ms' },
  { head: 'p50', cell: (_, { latency }) => ms(latency.shadow.p50) },
  { head: 'p95', cell: (_, { latency }) => ms(latency.shadow.p95), group: 'shadow ms' }
]

/** Two lines of headings, and one for each backend of each mirror. `width`: columns of the terminal. */
export function tableOf (mirrors: Mirrors, width: number, colours: boolean): string[] {
  const rows: string[][] = []
  for (const mirror of Object.values(mirrors)) {
    for (const backend of mirror.backends) rows.push(columns.map(({ cell }) => cell(mirror, backend)))
  }
  const widths = columns.map(({ head }, i) => Math.max(head.length, ...rows.map(cells => cells[i].length)))
  const gap = sumOf(widths) + 2 * (widths.length - 1) <= width ? 2 : 1

  return [
    bold(groups()),
    bold(line(columns.map(({ head }) => head))),
    ...rows.map(cells => line(cells, true))
  ]

  function groups (): string {
    let text = ''
    let end = -gap
    for (const [i, { group }] of columns.entries()) {
      end += widths[i] + gap
      if (group !== undefined) text += group.padStart(end - text.length)
    }
    return text
  }

  function line (cells: string[], alarming = false): string {
    return cells.map((cell, i) => {
      const { left, colour } = columns[i]
      const text = left ? cell.padEnd(widths[i]) : cell.padStart(widths[i])
      return alarming && colours && colour !== undefined && cell !== '0' ? styleText(colour, text) : text
    }).join(' '.repeat(gap))
  }

  function bold (text: string): string {
    return colours ? styleText('bold', text) : text
  }
}

/** What matters most, in a sentence. */
export function summaryOf (mirrors: Mirrors): string {
  const backends = Object.values(mirrors).flatMap(mirror => mirror.backends)
  const compared = sumOf(backends.map(backend => backend.compared))
  const mismatched = sumOf(backends.map(backend => backend.mismatched))
  return `v2 answered ${mismatched} of ${compared} differently.`
}

function sum (counts: Record<string, number>): number {
  return sumOf(Object.values(counts))
}

function sumOf (numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

function ms (value: number | null): string {
  return (value === null ? '-' : value.toFixed(1)).padStart(5)
}
