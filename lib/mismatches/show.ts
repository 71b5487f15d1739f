import type { MismatchPlace, PlaceSummary } from '../../types/index'
import type { ListedPlace } from './places'

/** A backend, as it is shown. */
export interface NamedBackend {
  readonly name: string
}

/** A place without its examples, which take time to mask. `backends`: the mirror's. */
export function summaryOf ({ place, share, explainer }: ListedPlace, backends: readonly NamedBackend[]): PlaceSummary {
  const { id, endpoint, where, kind, count, counts, first, last } = place
  const ofBackends =
    backends.map(({ name }, index) => ({ name, count: counts[index] ?? 0 })).filter(({ count }) => count > 0)
  const [since, latest] = [first, last].map(time => new Date(time).toISOString())
  const explained = explainer?.of(place) ?? null
  return {
    id, endpoint: endpoint.name, where, kind, count, share, first: since, last: latest, explained, backends: ofBackends
  }
}

/**
 * A copy, which later mismatches do not change, but for the examples: those are of the moment in which they are read,
 * and masked then.
 */
export function showPlace (listed: ListedPlace, backends: readonly NamedBackend[]): MismatchPlace {
  const examples = { get: () => listed.place.examples, enumerable: true, configurable: true }
  return Object.defineProperty(summaryOf(listed, backends), 'examples', examples) as MismatchPlace
}
