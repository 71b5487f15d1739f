import { setImmediate as nextTurn } from 'node:timers/promises'
import type {
  BackendSnapshot, BreakerState, LatencySummary, MirrorSnapshot, MirrorVerdict, Mirrors, Mismatch, MismatchCount, MismatchShape,
  VerdictWord
} from '../../types/index'

/** Everything that the page shows but the examples of mismatches. */
export interface PageState {
  /** Of this process since its start: numbers of another one are not comparable. */
  instance: string
  /** Path under which the admin routes lie in this app. */
  prefix: string
  /** Now, ISO 8601. */
  time: string
  /** `false`: all mirrors are stopped. */
  enabled: boolean
  mirrors: PageRow[]
  /** The one that was asked for; `null`: none. */
  mirror: PageMirror | null
}

/** One line of the list. */
export interface PageRow extends Pick<MirrorSnapshot, 'id' | 'enabled' | 'percentage' | 'seen'> {
  since: string
  verdict: VerdictWord
  backends: PageBackend[]
}

export interface PageBackend extends Pick<BackendSnapshot, 'name' | 'total' | 'compared' | 'mismatched'> {
  breaker: BreakerState
  failed: number
  primary: PagePercentiles
  mirror: PagePercentiles
}

export type PagePercentiles = Pick<LatencySummary, 'p50' | 'p95'>

export interface PageMirror {
  snapshot: MirrorSnapshot
  verdict: MirrorVerdict
  groups: PageGroups
}

export interface PageGroups {
  /** Kinds that are stored. */
  total: number
  limit: number
  limited: boolean
  spared: number
  /** The latest of them. */
  groups: PageGroup[]
}

export interface PageGroup extends Omit<MismatchShape, 'primaryStatus' | 'mirrorStatus'>, Omit<MismatchCount, 'example'> {
  /** `null`: of many. */
  primaryStatus: number | null
  mirrorStatus: number | null
}

/** What opening a group shows. */
export interface PageExample {
  example: Mismatch | null
  curl: { mirror: string, primary: string } | null
}

/** Groups that are shown of one mirror: a store may hold ten thousand. */
const MAX_GROUPS = 200
/** Milliseconds for which all who look share the rows. */
const SHARED = 1000

/** The rows of all mirrors. Percentiles are sorted for them, which is shared by all who look, and done between the requests of clients. */
export class PageRows {
  readonly #mirrors: Mirrors
  readonly #idsOf: () => string[]
  #ids: string[] | null = null
  #rows: Promise<PageRow[]> = Promise.resolve([])
  #madeAt = -Infinity

  constructor (mirrors: Mirrors, idsOf: () => string[]) {
    this.#mirrors = mirrors
    this.#idsOf = idsOf
  }

  read (): Promise<PageRow[]> {
    const now = performance.now()
    if (now - this.#madeAt > SHARED) {
      this.#madeAt = now
      this.#rows = this.#make()
    }
    return this.#rows
  }

  /** The next to look sees what was changed. */
  forget (): void {
    this.#madeAt = -Infinity
  }

  async #make (): Promise<PageRow[]> {
    // Routes, and so mirrors, are only added before the first request.
    this.#ids ??= this.#idsOf()
    const rows: PageRow[] = []
    for (const id of this.#ids) {
      rows.push(rowOf(this.#mirrors.get(id) as MirrorSnapshot, this.#mirrors.verdict(id) as MirrorVerdict))
      await nextTurn()
    }
    return rows
  }
}

function rowOf ({ id, enabled, percentage, seen, backends }: MirrorSnapshot, { verdict, since }: MirrorVerdict): PageRow {
  return { id, enabled, percentage, seen, since, verdict, backends: backends.map(backendOf) }
}

function backendOf ({ name, total, compared, mismatched, breaker, failure, latency }: BackendSnapshot): PageBackend {
  const failed = Object.values(failure).reduce((sum, count) => sum + count, 0)
  return { name, total, compared, mismatched, breaker, failed, primary: latency.primary, mirror: latency.mirror }
}

/** One mirror in full; `null`: there is none of that id. */
export function pageMirror (mirrors: Mirrors, id: string): PageMirror | null {
  const snapshot = mirrors.get(id)
  const verdict = mirrors.verdict(id)
  const list = mirrors.mismatches(id)
  if (snapshot === undefined || verdict === undefined || list === undefined) return null
  const others = list.others.map(other => ({ ...withoutExample(other), headers: [], pointers: [], body: 'other' }))
  return {
    snapshot,
    verdict,
    groups: {
      total: list.groups.length + others.length,
      limit: list.limit,
      limited: list.limited,
      spared: list.spared,
      groups: [...others, ...list.groups.slice(0, MAX_GROUPS).map(withoutExample)]
    }
  }
}

/** The example of one group. `base`: where the primary's side is reached. */
export function pageExample (mirrors: Mirrors, id: string, group: string, base: string): PageExample | null {
  const list = mirrors.mismatches(id)
  const found = list?.groups.find(one => one.id === group) ?? list?.others.find(one => one.id === group)
  if (found === undefined) return null
  if (found.example === null) return { example: null, curl: null }
  const curl = (side: 'mirror' | 'primary') => mirrors.curl(id, group, side, side === 'primary' ? base : undefined) as string
  return { example: found.example, curl: { mirror: curl('mirror'), primary: curl('primary') } }
}

/** To read an example takes time. */
function withoutExample<Group extends MismatchCount> (group: Group): Omit<Group, 'example'> {
  const copy: Partial<Group> = {}
  for (const key of Object.keys(group) as Array<keyof Group>) if (key !== 'example') copy[key] = group[key]
  return copy as Omit<Group, 'example'>
}
