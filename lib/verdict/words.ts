/** Numbers as a verdict says them. */

export function percent (rate: number, digits = 3): string {
  return `${Number((rate * 100).toPrecision(digits))} %`
}

/** Percent with as many digits as it takes to be on the right side of `limit` to the eye, too. */
export function percentBeside (rate: number, limit: number): string {
  if (rate === limit) return percent(rate)
  for (let digits = 3; digits < 15; digits++) {
    const text = percent(rate, digits)
    if (text !== percent(limit, digits)) return text
  }
  return percent(rate, 15)
}

const UNITS: ReadonlyArray<readonly [ms: number, name: string]> = [
  [86_400_000, 'd'], [3_600_000, 'h'], [60_000, 'min'], [1000, 's'], [1, 'ms']
]

/** Milliseconds as people say them, in one unit of which there are at least two: `12 min`, `90 s`. */
export function span (ms: number): string {
  const [unit, name] = UNITS.find(([unit]) => ms >= 2 * unit) ?? [1, 'ms']
  return `${Math.round(ms / unit)} ${name}`
}

export function times (count: number, one: string): string {
  return `${count} ${one}${count === 1 ? '' : 's'}`
}
