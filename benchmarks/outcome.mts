import type { BackendSnapshot } from '../types/index.js'

/** What became of copies other than being compared, as far as it is not zero; empty: nothing. */
export function lostOf ({ dropped, failure, notCompared }: BackendSnapshot): string {
  const groups = { dropped, failed: failure, 'not compared': notCompared }
  return Object.entries(groups)
    .flatMap(([group, reasons]) => Object.entries(reasons).map(([reason, count]) => [`${group}: ${reason}`, count as number] as const))
    .filter(([, count]) => count > 0)
    .map(([what, count]) => `${count} ${what}`)
    .join(', ')
}

/** Everything in a backend's books that is not zero. */
export function outcomeOf (backend: BackendSnapshot): string {
  const { matched, mismatched, inFlight } = backend
  const counts = Object.entries({ matched, mismatched, 'in flight': inFlight }).filter(([, count]) => count > 0)
  return [...counts.map(([what, count]) => `${count} ${what}`), lostOf(backend)].filter(text => text !== '').join(', ')
}
