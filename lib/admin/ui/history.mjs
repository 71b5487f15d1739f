// Remembers what the page has seen while it was open: the app itself keeps no history.

/** Milliseconds that are kept: what the pictures show. */
export const KEPT = 10 * 60_000
/** Two answers further apart than this have a gap between them: the page was hidden, or had lost contact. */
export const GAP = 15_000

/**
 * Values over time, the latest last.
 * @template Value
 */
export class History {
  /** @type {Array<{ time: number, value: Value }>} */
  #points = []

  /** @param {number} time @param {Value} value */
  add (time, value) {
    this.#points.push({ time, value })
    // Seldom, as it moves them all.
    const old = this.#points.findIndex(point => point.time >= time - KEPT)
    if (old > 50) this.#points.splice(0, old)
  }

  /** @param {number} since */
  after (since) {
    return this.#points.filter(({ time }) => time >= since)
  }

  get last () {
    return this.#points.at(-1)
  }

  /** The latest that is at least so much older than the last one; else the first. @param {number} age */
  ago (age) {
    const last = this.last
    return last && (this.#points.findLast(({ time }) => time <= last.time - age) ?? this.#points[0])
  }
}

/**
 * What a counter gained a second, over the last `window` milliseconds; `null`: not known yet.
 * @param {History<number> | undefined} history
 */
export function gain (history, window = 10_000) {
  const last = history?.last
  const first = history?.ago(window)
  if (last === undefined || first === undefined || last.time === first.time) return null
  return (last.value - first.value) / (last.time - first.time) * 1000
}

/**
 * Histories by name, made when first asked for.
 * @template Value
 */
export class Histories {
  /** @type {Map<string, History<Value>>} */
  #byKey = new Map()

  /** @param {...string} key @returns {History<Value>} */
  of (...key) {
    const name = JSON.stringify(key)
    let history = this.#byKey.get(name)
    if (history === undefined) this.#byKey.set(name, history = new History())
    return history
  }
}
