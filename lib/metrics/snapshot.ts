import type {
  BackendSnapshot, BreakerState, MirrorRoute, MirrorSnapshot, RepeatSnapshot, RuleInForce
} from '../../types/index'
import type { BackendBooks, MirrorBooks } from './books'
import type { RepeatBooks } from './repeat-books'

/** The part of a mirror that its snapshot is made of. */
export interface MirrorState {
  readonly id: string
  readonly routes: readonly MirrorRoute[]
  readonly enabled: boolean
  readonly percentage: number
  /** A copy. */
  readonly rules: RuleInForce[]
  /** `null`: it asks nothing once more. */
  readonly repeats: object | null
  readonly books: MirrorBooks
  readonly backends: readonly BackendState[]
}

/** The part of a backend that its snapshot is made of. */
export interface BackendState {
  readonly name: string
  readonly url: string
  readonly enabled: boolean
  readonly percentage: number
  readonly breaker: BreakerState
  readonly books: BackendBooks
}

/** A snapshot that says nothing of URLs. */
export interface RedactedSnapshot extends Omit<MirrorSnapshot, 'routes' | 'rules' | 'backends'> {
  backends: Array<Omit<BackendSnapshot, 'url'>>
}

/** A mirror's numbers as they are now; later events do not change them. */
export function mirrorSnapshot (mirror: MirrorState): MirrorSnapshot {
  const { books } = mirror
  return {
    id: mirror.id,
    routes: mirror.routes.map(({ method, url }) => ({ method: [...method], url })),
    enabled: mirror.enabled,
    percentage: mirror.percentage,
    rules: mirror.rules,
    seen: books.seen,
    disabled: books.disabled,
    filtered: books.filtered,
    looped: books.looped,
    upgraded: books.upgraded,
    unsampled: books.unsampled,
    pending: books.pending,
    unhandled: books.unhandled,
    mirrored: books.mirrored,
    repeats: mirror.repeats !== null ? repeatSnapshot(books.repeats) : null,
    backends: mirror.backends.map(backendSnapshot)
  }
}

function repeatSnapshot ({ dropped, failure, notCompared, ...counts }: RepeatBooks): RepeatSnapshot {
  const { asked, total, inFlight, success, comparing, compared, matched, mismatched, cached } = counts
  return {
    asked,
    dropped: { ...dropped },
    total,
    inFlight,
    success,
    failure: { ...failure },
    comparing,
    compared,
    matched,
    mismatched,
    cached,
    notCompared: { ...notCompared }
  }
}

function backendSnapshot (backend: BackendState): BackendSnapshot {
  const { books } = backend
  return {
    name: backend.name,
    url: backend.url,
    enabled: backend.enabled,
    percentage: backend.percentage,
    offered: books.offered,
    disabled: books.disabled,
    unsampled: books.unsampled,
    dropped: { ...books.dropped },
    total: books.total,
    inFlight: books.inFlight,
    success: books.success,
    failure: { ...books.failure },
    status: { ...books.status },
    comparing: books.comparing,
    compared: books.compared,
    matched: books.matched,
    mismatched: books.mismatched,
    notCompared: { ...books.notCompared },
    mismatches: { ...books.mismatches },
    latency: {
      shadow: books.latency.shadow.summary(),
      primary: books.latency.primary.summary(),
      difference: books.latency.difference.summary()
    },
    breaker: backend.breaker
  }
}

/**
 * The snapshot for those who have not shown who they are: without routes, rules and URLs. A backend's default name is
 * its host, so one without a name of its own (`named`, in the order of the backends) is called by its position: `#1`.
 */
export function redactSnapshot (snapshot: MirrorSnapshot, named: readonly boolean[]): RedactedSnapshot {
  const { routes, rules, backends, ...numbers } = snapshot
  return {
    ...numbers,
    backends: backends.map(({ name, url, ...rest }, index) => (
      { name: named[index] ? name : `#${index + 1}`, ...rest }
    ))
  }
}
