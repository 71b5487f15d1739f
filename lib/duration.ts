const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000 }

/** A year, in milliseconds. */
export const MAX_DURATION = 366 * UNITS.d

const DURATION = /^(\d{1,15}(?:\.\d{1,6})?) ?(ms|s|m|min|h|d)$/

/** A duration such as `1h` in milliseconds; anything else, or a longer one than there may be, as it is. */
export function readDuration (value: unknown): unknown {
  const found = typeof value === 'string' ? DURATION.exec(value.trim()) : null
  if (found === null) return value
  const ms = Math.round(Number(found[1]) * UNITS[found[2]])
  return ms > MAX_DURATION ? value : ms
}
