import type { Difference } from '../compare/answers'
import type { DifferencePlaces } from '../compare/places'
import type { Redactor } from '../compare/redact'
import type { Endpoint } from '../endpoints/table'
import type { MismatchList, PlaceKind, PlaceOrder } from '../../types/index'
import type { Explainer } from './explainer'
import type { ExampleMemory } from './memory'
import type { MismatchInput } from './mismatch'
import { Names } from './names'
import { Place } from './place'
import { Sample } from './sample'

/** Name of places that are not told apart. */
export const OTHER = '(other places)'

/** Places that one endpoint may have, however many others have. */
const FEW = 100
/** Names of all places, for each of which there is room. */
const NAMES_OF_ONE = 8

/** The places of one endpoint. */
class EndpointPlaces {
  readonly names = new Names()
  // Entries are taken out all at once only: maps that are changed without end keep their old tables alive.
  readonly byKey = new Map<string, Place>()
  other: Place | null = null
  /** Comparisons of the endpoint that the counts are not of, as they were before. */
  readonly before: number

  constructor (before: number) {
    this.before = before
  }
}

export interface ListedPlace {
  place: Place
  /** Share of its endpoint's comparisons, 0 to 1. */
  share: number
  /** `null`: no rules were changed. */
  explainer: Explainer | null
}

/**
 * What is known of a mirror's places, in an order, and not masked yet: as that takes time, it is to be done for a few
 * at a time.
 */
export interface PlaceIndex extends Pick<MismatchList, 'limit' | 'limited' | 'withoutExample' | 'unsorted'> {
  places: ListedPlace[]
}

/**
 * Counts the mismatches of one period by place. Nothing that is stored is ever thrown out, so that what is frequent
 * cannot push out what is rare: when there are as many places as the limit, those that are new are counted together,
 * by endpoint.
 */
export class Places {
  readonly #mirror: { readonly id: string }
  readonly #limit: number
  readonly #backends: number
  readonly #memory: ExampleMemory
  #byEndpoint = new Map<Endpoint, EndpointPlaces>()
  /** Comparisons by endpoint when the counts began anew. */
  #before = new Map<Endpoint, number>()
  #stored = 0
  #names = 0
  #turn = 0
  #limited = false
  #withoutExample = 0
  #unsorted = 0
  #closed = false
  /** Says which places a change of rules explains; `null`: there was none. */
  explainer: Explainer | null = null

  constructor (mirror: { readonly id: string }, limit: number, backends: number, memory: ExampleMemory) {
    this.#mirror = mirror
    this.#limit = limit
    this.#backends = backends
    this.#memory = memory
  }

  /**
   * Counts a mismatch once in each of its places. Returns the place of each key, and behind them that of what is not
   * told apart, if there is more. `time`: milliseconds since the epoch.
   */
  count (endpoint: Endpoint, backend: number, { keys, more }: DifferencePlaces, time: number): Place[] {
    const turn = ++this.#turn
    const own = this.#of(endpoint)
    const counted: Place[] = []
    for (const key of keys) {
      const place = own.byKey.get(key) ?? this.#find(own, endpoint, key, time)
      counted.push(place)
      if (place.turn !== turn) place.add(backend, time, turn)
    }
    if (more) {
      const other = this.#other(own, endpoint, time)
      counted.push(other)
      if (other.turn !== turn) other.add(backend, time, turn)
    }
    return counted
  }

  /** Counts a mismatch that there is no time to look at. */
  countUnsorted (endpoint: Endpoint, backend: number, time: number): void {
    this.#unsorted++
    this.#other(this.#of(endpoint), endpoint, time).add(backend, time, ++this.#turn)
  }

  /** Counts a mismatch for which there was no time for an example. */
  spareExample (): void {
    this.#withoutExample++
  }

  /**
   * Keeps a mismatch as an example of each of its places, as far as there is memory. `counted`: what `count` returned.
   */
  keep (counted: readonly Place[], input: MismatchInput, difference: Difference, redactor: Redactor): void {
    if (this.#closed) return
    // Each with the first key that it was counted for.
    const found = new Map<Place, number>()
    for (const [index, place] of counted.entries()) if (!found.has(place)) found.set(place, index)
    const sample = new Sample(input, [...found.keys()], redactor)
    for (const [place, index] of found) place.keep(sample.exampleAt(index, difference), found.size, this.#memory)
  }

  #of (endpoint: Endpoint): EndpointPlaces {
    let own = this.#byEndpoint.get(endpoint)
    if (own === undefined) this.#byEndpoint.set(endpoint, own = new EndpointPlaces(this.#before.get(endpoint) ?? 0))
    return own
  }

  #find (own: EndpointPlaces, endpoint: Endpoint, key: string, time: number): Place {
    const space = key.indexOf(' ')
    const where = own.names.fold(key.slice(space + 1))
    const folded = key.slice(0, space + 1) + where
    const known = own.byKey.get(folded)
    if (known !== undefined) return known
    if (!this.#hasRoom(own)) return this.#other(own, endpoint, time)
    const place = new Place(this.#mirror, endpoint, where, key.slice(0, space) as PlaceKind, time, this.#stored++)
    this.#names += own.names.keep(where)
    own.byKey.set(folded, place)
    return place
  }

  /**
   * One endpoint may have as many places as it leaves free: so one of which nothing is known does not leave the others
   * without any.
   */
  #hasRoom ({ byKey }: EndpointPlaces): boolean {
    const free = this.#limit - this.#stored
    return free > 0 && (byKey.size < FEW || byKey.size < free) && this.#names < this.#limit * NAMES_OF_ONE
  }

  #other (own: EndpointPlaces, endpoint: Endpoint, time: number): Place {
    this.#limited = true
    own.other ??= new Place(this.#mirror, endpoint, OTHER, null, time, Number.MAX_SAFE_INTEGER)
    return own.other
  }

  /** Comparisons of an endpoint since the counts began. */
  #comparisonsOf (endpoint: Endpoint, { before }: EndpointPlaces): number {
    // A mismatch may be told of before it is counted.
    return Math.max(1, this.#comparedAt(endpoint) - before)
  }

  #comparedAt (endpoint: Endpoint): number {
    let compared = 0
    for (let backend = 0; backend < this.#backends; backend++) compared += endpoint.of(backend).compared
    return compared
  }

  /** `endpoint`: the name of the only one to be listed. */
  index (order: PlaceOrder, endpoint?: string): PlaceIndex {
    const places: ListedPlace[] = []
    const { explainer } = this
    for (const [of, own] of this.#byEndpoint) {
      if (endpoint !== undefined && of.name !== endpoint) continue
      const compared = this.#comparisonsOf(of, own)
      const listed = own.other === null ? own.byKey.values() : [...own.byKey.values(), own.other]
      for (const place of listed) places.push({ place, share: Math.min(1, place.count / compared), explainer })
    }
    return {
      limit: this.#limit,
      limited: this.#limited,
      withoutExample: this.#withoutExample,
      unsorted: this.#unsorted,
      places: places.sort(ORDERS[order])
    }
  }

  find (id: string): Place | undefined {
    for (const { byKey, other } of this.#byEndpoint.values()) {
      if (other?.id === id) return other
      for (const place of byKey.values()) if (place.id === id) return place
    }
    return undefined
  }

  /** Forgets all. */
  clear (): void {
    this.#letGo()
    for (const endpoint of this.#byEndpoint.keys()) this.#before.set(endpoint, this.#comparedAt(endpoint))
    this.#byEndpoint = new Map()
    this.#stored = this.#names = this.#withoutExample = this.#unsorted = 0
    this.#limited = false
  }

  /** The period is over: what still comes is counted, without examples. */
  close (): void {
    this.#closed = true
    this.#letGo()
  }

  #letGo (): void {
    for (const { byKey, other } of this.#byEndpoint.values()) {
      other?.letGo(this.#memory)
      for (const place of byKey.values()) place.letGo(this.#memory)
    }
  }
}

const isStatus = ({ place }: ListedPlace): boolean => place.where.startsWith('status ')
const isOther = ({ place }: ListedPlace): boolean => place.kind === null
const otherLast = (a: ListedPlace, b: ListedPlace): number => Number(isOther(a)) - Number(isOther(b))
const byCount = (a: ListedPlace, b: ListedPlace): number => b.place.count - a.place.count || a.place.nth - b.place.nth
const byNews = (a: ListedPlace, b: ListedPlace): number => b.place.first - a.place.first || b.place.nth - a.place.nth

/** `(other places)` is neither rare nor new. */
const ORDERS: Readonly<Record<PlaceOrder, (a: ListedPlace, b: ListedPlace) => number>> = {
  rarest: (a, b) => otherLast(a, b) || a.share - b.share || a.place.count - b.place.count || byNews(a, b),
  frequent: byCount,
  newest: (a, b) => otherLast(a, b) || byNews(a, b),
  status: (a, b) => Number(isStatus(b)) - Number(isStatus(a)) || byCount(a, b)
}
