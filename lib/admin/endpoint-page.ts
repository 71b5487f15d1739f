import { setImmediate as nextTurn } from 'node:timers/promises'
import type { EndpointList } from '../../types/index'
import type { Mirror } from '../mirror/mirror'
import type { Period } from '../mirror/period'
import { joined } from './joined'
import { MAX_BYTES, SHARED } from './numbers'
import type { Page } from './numbers'
import { inTurns } from './verdicts'

/**
 * Endpoints that become JSON in one turn of the event loop, so that they are told of as of one moment where they are
 * not very many.
 */
const EACH_TURN = 10

interface Told {
  period: Period
  at: number
  list: Promise<EndpointList>
}

/** The endpoints of mirrors, read at most once a second in one period, and in parts where they are many. */
export class EndpointLists {
  readonly #told = new Map<Mirror, Told>()

  of (mirror: Mirror): Promise<EndpointList> {
    const at = performance.now()
    // They are large: what nobody asks for any more is not kept.
    for (const [each, told] of this.#told) if (at - told.at > SHARED) this.#told.delete(each)
    const known = this.#told.get(mirror)
    if (known !== undefined && known.period === mirror.period) return known.list
    const list = inTurns(mirror.endpointSteps())
    this.#told.set(mirror, { period: mirror.period, at, list })
    return list
  }

  /** The next to ask sees what was changed. */
  forget (): void {
    this.#told.clear()
  }
}

/** A page of the endpoints behind the one called `after`: `most` of them, and not too many for an answer. */
export async function endpointPage (
  { limit, limited, endpoints }: EndpointList, most: number, after: string | undefined
): Promise<Page> {
  // An `after` that is not there begins the list anew.
  const from = endpoints.findIndex(({ name }) => name === after) + 1
  const shown: Buffer[] = []
  let bytes = 0
  let to = from
  for (; to < endpoints.length && to - from < most; to++) {
    if (to % EACH_TURN === 0) await nextTurn()
    const endpoint = Buffer.from(JSON.stringify(endpoints[to]))
    bytes += endpoint.length + 1
    if (bytes > MAX_BYTES && to > from) break
    shown.push(endpoint)
  }
  const body = joined(`{"limit":${limit},"limited":${limited},"endpoints":[`, shown, ']}')
  return { body, last: to < endpoints.length ? endpoints[to - 1].name : null }
}
