import { setImmediate as nextTurn } from 'node:timers/promises'
import type { PlaceIndex } from '../mismatches/places'
import { showPlace } from '../mismatches/show'
import type { NamedBackend } from '../mismatches/show'
import { joined } from './joined'
import { MAX_BYTES } from './numbers'
import type { Page } from './numbers'

/**
 * So many of the places behind the one called `after`, and not too many for an answer: the examples of each are masked,
 * and made JSON, in a turn of the event loop. `backends`: the mirror's.
 */
export async function placePage (
  index: PlaceIndex, backends: readonly NamedBackend[], most: number, after: string | undefined
): Promise<Page> {
  const { places } = index
  // An `after` that is not there begins the list anew.
  const from = after === undefined ? 0 : places.findIndex(({ place }) => place.id === after) + 1
  const shown: Buffer[] = []
  let bytes = 0
  let to = from
  for (; to < places.length && to - from < most; to++) {
    await nextTurn()
    const place = Buffer.from(JSON.stringify(showPlace(places[to], backends)))
    bytes += place.length + 1
    if (bytes > MAX_BYTES && to > from) break
    shown.push(place)
  }
  return { body: placeList(index, shown), last: to < places.length ? places[to - 1].place.id : null }
}

/** The head of the list and its places, each as JSON. */
export function placeList ({ places, ...rest }: PlaceIndex, shown: readonly Buffer[]): Buffer {
  const head = JSON.stringify({ ...rest, total: places.length }).slice(0, -1)
  return joined(`${head},"places":[`, shown, ']}')
}
