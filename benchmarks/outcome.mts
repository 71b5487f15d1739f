import type { BackendSnapshot } from '../types/index.js'

/**
 * What became of copies other than being compared, over all these backends, as far as it is not zero; empty: nothing.
 */
export function lostOf (backends: BackendSnapshot[]): string {
  const counts = new Map<string, number>()
  for (const { dropped, failure, notCompared } of backends) {
    for (const [group, reasons] of Object.entries({ dropped, failed: failure, 'not compared': notCompared })) {
      for (const [reason, count] of Object.entries(reasons)) {
        const what = `${group}: ${reason}`
        counts.set(what, (counts.get(what) ?? 0) + (count as number))
      }
    }
  }
  return [...counts].filter(([, count]) => count > 0).map(([what, count]) => `${count} ${what}`).join(', ')
}

/** Everything in a backend's books that is not zero. */
export function outcomeOf (backend: BackendSnapshot): string {
  const { matched, mismatched, inFlight } = backend
  const counts = Object.entries({ matched, mismatched, 'in flight': inFlight }).filter(([, count]) => count > 0)
  return [...counts.map(([what, count]) => `${count} ${what}`), lostOf([backend])].filter(text => text !== '').join(
    ', '
  )
}
