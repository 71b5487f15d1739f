import { setImmediate as nextTurn } from 'node:timers/promises'
import type {
  BackendSnapshot, BreakerState, EndpointList, EndpointSnapshot, LatencySummary, MirrorSnapshot, MirrorVerdict,
  MismatchList, PlaceExample, PlaceSummary,
  VerdictWord
} from '../../types/index'
import type { Mirror } from '../mirror/mirror'
import { summaryOf } from '../mismatches/show'
import type { MismatchFilter } from '../options/mismatch-query'
import { joined } from './joined'
import { SHARED } from './numbers'
import { placeList } from './place-page'
import type { EndpointLists } from './endpoint-page'
import type { Verdicts } from './verdicts'

/** Everything that the page shows but the examples of mismatches. */
export interface PageState {
  /** Id of this process: numbers of another one are not comparable. */
  instance: string
  /** Path under which the admin routes lie in this app. */
  prefix: string
  /** Now, ISO 8601. */
  time: string
  /** `false`: all mirrors are stopped. */
  enabled: boolean
  mirrors: PageRow[]
  /** Mirrors that there was no room for. */
  more: number
  /** The one that was asked for; `null`: none. */
  mirror: PageMirror | null
}

/** A line of the list. */
export interface PageRow extends Pick<MirrorSnapshot, 'id' | 'enabled' | 'percentage' | 'seen'> {
  since: string
  verdict: VerdictWord
  backends: PageBackend[]
}

export interface PageBackend extends Pick<BackendSnapshot, 'name' | 'total' | 'compared' | 'mismatched'> {
  breaker: BreakerState
  failed: number
  primary: PagePercentiles
  shadow: PagePercentiles
}

export type PagePercentiles = Pick<LatencySummary, 'p50' | 'p95'>

export interface PageMirror {
  snapshot: MirrorSnapshot
  verdict: MirrorVerdict
  endpoints: PageEndpoints
  places: PagePlaces
}

export interface PageEndpoints extends EndpointList {
  /** Number of the endpoints. There may not be room for all. */
  total: number
}

/** The places that come first in the order that was asked for. */
export interface PagePlaces extends Omit<MismatchList, 'places'> {
  places: PlaceSummary[]
}

/** The examples of an opened place. None: there was no time or no memory for them. */
export interface PagePlaceExamples {
  examples: PageExample[]
}

export interface PageExample extends PlaceExample {
  curl: { shadow: string, primary: string }
}

/** Which places are asked for. */
export type PlaceFilter = Pick<MismatchFilter, 'sort' | 'endpoint'>

/** Places that are shown of one mirror: a store may hold thousands. */
const MAX_PLACES = 200
/**
 * Bytes of the rows, of the places and of the endpoints. A mirror of a hundred backends takes as much again, and all is
 * less than 2 MB.
 */
const MAX_ROWS_BYTES = 600_000
const MAX_PLACES_BYTES = 400_000
const MAX_ENDPOINTS_BYTES = 200_000

/** The rows that an answer has room for. */
export interface Rows {
  /** JSON of each. */
  rows: Buffer[]
  /** Number of those that are left out. */
  more: number
}

interface Row {
  json: Buffer
  rank: number
}

/** Which rows have room first: those that somebody ought to look at. */
const RANKS: readonly VerdictWord[] = ['not ready', 'not enough data', 'ready']

/**
 * The rows of all mirrors. Percentiles are sorted for them, which is shared by all who look, and done between the
 * requests of clients.
 */
export class PageRows {
  readonly #verdicts: Verdicts
  readonly #most: number
  #rows: Promise<Rows> = Promise.resolve({ rows: [], more: 0 })
  #madeAt = -Infinity

  constructor (verdicts: Verdicts, most = MAX_ROWS_BYTES) {
    this.#verdicts = verdicts
    this.#most = most
  }

  read (): Promise<Rows> {
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

  async #make (): Promise<Rows> {
    const rows: Row[] = []
    for (const mirror of this.#verdicts.mirrors().values()) {
      const verdict = await this.#verdicts.of(mirror)
      const row = rowOf(mirror.snapshot(), verdict)
      rows.push({
        json: Buffer.from(JSON.stringify(row)), rank: row.enabled ? RANKS.indexOf(row.verdict) : RANKS.length
      })
      await nextTurn()
    }
    const shown = fitting(rows, this.#most)
    return { rows: shown.map(({ json }) => json), more: rows.length - shown.length }
  }
}

/** The rows for which there is room, in the order of all. */
function fitting (rows: readonly Row[], most: number): Row[] {
  let bytes = 0
  const byRank = [...rows].sort((a, b) => a.rank - b.rank)
  const chosen = new Set(byRank.filter(({ json }) => (bytes += json.length + 1) <= most))
  return rows.filter(row => chosen.has(row))
}

function rowOf (
  { id, enabled, percentage, seen, backends }: MirrorSnapshot, { verdict, since }: MirrorVerdict
): PageRow {
  return { id, enabled, percentage, seen, since, verdict, backends: backends.map(backendOf) }
}

function backendOf ({ name, total, compared, mismatched, breaker, failure, latency }: BackendSnapshot): PageBackend {
  const failed = Object.values(failure).reduce((sum, count) => sum + count, 0)
  return { name, total, compared, mismatched, breaker, failed, primary: latency.primary, shadow: latency.shadow }
}

/** A mirror in full, as JSON. */
export async function pageMirror (
  mirror: Mirror, filter: PlaceFilter, verdicts: Verdicts, lists: EndpointLists
): Promise<Buffer> {
  const verdict = Buffer.from(JSON.stringify(await verdicts.of(mirror)))
  await nextTurn()
  const endpoints = pageEndpoints(await lists.of(mirror))
  await nextTurn()
  const snapshot = JSON.stringify(mirror.snapshot())
  return joined(
    `{"snapshot":${snapshot},"verdict":`, [verdict], ',"endpoints":', [endpoints], ',"places":',
    [pagePlaces(mirror, filter)], '}'
  )
}

/** The endpoints that need a look most come first. There is room for two hundred of one backend. */
function pageEndpoints ({ limit, limited, endpoints }: EndpointList): Buffer {
  const byRank = endpoints.map(endpoint => ({ endpoint, rank: rankOf(endpoint) })).sort((a, b) => a.rank - b.rank)
  const shown: Buffer[] = []
  let bytes = 0
  for (const { endpoint } of byRank) {
    const json = Buffer.from(JSON.stringify(endpoint))
    bytes += json.length + 1
    if (bytes > MAX_ENDPOINTS_BYTES) break
    shown.push(json)
  }
  return joined(`{"limit":${limit},"limited":${limited},"total":${endpoints.length},"endpoints":[`, shown, ']}')
}

/** `(pending)` has no verdict, and comes first. */
function rankOf ({ backends }: EndpointSnapshot): number {
  return Math.min(...backends.map(({ verdict }) => RANKS.indexOf(verdict as VerdictWord)))
}

function pagePlaces ({ period, backends }: Mirror, { sort, endpoint }: PlaceFilter): Buffer {
  const index = period.places.index(sort, endpoint)
  const shown: Buffer[] = []
  let bytes = 0
  for (const listed of index.places.slice(0, MAX_PLACES)) {
    const json = Buffer.from(JSON.stringify(summaryOf(listed, backends)))
    bytes += json.length + 1
    if (bytes > MAX_PLACES_BYTES) break
    shown.push(json)
  }
  return placeList(index, shown)
}

/** The examples of one place; `null`: there is no such place. `base`: where the primary's side is reached. */
export function pageExamples (mirror: Mirror | undefined, place: string, base: string): PagePlaceExamples | null {
  const found = mirror?.period.places.find(place)
  if (mirror === undefined || found === undefined) return null
  const curl = (example: PlaceExample, side: 'shadow' | 'primary') =>
    mirror.curlOf(example, side, side === 'primary' ? base : undefined) as string
  return {
    examples: found.examples.map(
      example => ({ ...example, curl: { shadow: curl(example, 'shadow'), primary: curl(example, 'primary') } })
    )
  }
}
