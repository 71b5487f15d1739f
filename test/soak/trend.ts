/** Where a value goes with time. What can not be told of so few samples is NaN. */
export interface Trend {
  /** Of the line, in units a minute. */
  slope: number
  /** Where the slope lies with 95 % confidence. */
  interval: [low: number, high: number]
  /** The share of the variance that the line explains. */
  r2: number
  /** Of the samples. */
  mean: number
}

export interface Sample { minutes: number, value: number }

/** Windows without which no line is drawn. */
const FEWEST = 4
/** Seconds over which samples are averaged: requests come and go within them. */
const WINDOW = 10

/**
 * A line through samples, by least squares. Neighbours have much in common (what one collection left is there in the next sample, too), so
 * that their number says more than they know: it is reduced by the correlation of what the line leaves over.
 * @see https://en.wikipedia.org/wiki/Effective_sample_size
 */
export function trendOf (samples: readonly Sample[]): Trend {
  const points = windows(samples)
  const n = points.length
  if (n < FEWEST) return { slope: NaN, interval: [NaN, NaN], r2: NaN, mean: mean(samples.map(({ value }) => value)) }
  const x = mean(points.map(({ minutes }) => minutes))
  const y = mean(points.map(({ value }) => value))
  const sxx = sum(points.map(({ minutes }) => (minutes - x) ** 2))
  const syy = sum(points.map(({ value }) => (value - y) ** 2))
  const slope = sum(points.map(({ minutes, value }) => (minutes - x) * (value - y))) / sxx
  const rest = points.map(({ minutes, value }) => value - y - slope * (minutes - x))
  const left = sum(rest.map(one => one ** 2))
  const correlation = left === 0 ? 0 : Math.max(0, sum(rest.slice(1).map((one, i) => one * rest[i])) / left)
  const degrees = Math.max(1, n * (1 - correlation) / (1 + correlation) - 2)
  // Student's t at 97.5 %, to within a few percent from five degrees of freedom on.
  const margin = (1.96 + 2.5 / degrees) * Math.sqrt(left / degrees / sxx)
  return { slope, interval: [slope - margin, slope + margin], r2: syy === 0 ? 0 : 1 - left / syy, mean: y }
}

function windows (samples: readonly Sample[]): Sample[] {
  const byWindow = new Map<number, Sample[]>()
  for (const sample of samples) {
    const window = Math.floor(sample.minutes * 60 / WINDOW)
    byWindow.set(window, [...byWindow.get(window) ?? [], sample])
  }
  return [...byWindow.values()].map(window => ({
    minutes: mean(window.map(({ minutes }) => minutes)),
    value: mean(window.map(({ value }) => value))
  }))
}

function sum (values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

function mean (values: readonly number[]): number {
  return sum(values) / values.length
}
