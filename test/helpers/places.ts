import type { Difference } from '../../lib/compare/answers'
import { placesOf } from '../../lib/compare/places'
import { foldPointer } from '../../lib/compare/pointer'
import { createRedactor } from '../../lib/compare/redact'
import type { Redactor } from '../../lib/compare/redact'
import { Endpoint } from '../../lib/endpoints/table'
import { ExampleMemory } from '../../lib/mismatches/memory'
import type { MismatchedRequest, MismatchInput } from '../../lib/mismatches/mismatch'
import { Places } from '../../lib/mismatches/places'
import { showPlace } from '../../lib/mismatches/show'
import type { MismatchList, MismatchQuery, PlaceExample } from '../../types/index'

/** Memory without end, in which it is known what is held. */
export function memoryOf (limit = Infinity) {
  const budget = {
    used: 0,
    limit,
    take (bytes: number) {
      budget.used += bytes
      return true
    },
    free (bytes: number) { budget.used -= bytes }
  }
  return budget
}

/** When a mismatch comes, unless it is said. */
export const START = Date.UTC(2024, 0, 1)

/** A mismatch of nothing but the bodies' hashes, and what is changed of it. */
export function input (changes: Partial<Omit<MismatchInput, 'request'>> = {}, request: Partial<MismatchedRequest> = {}): MismatchInput {
  return {
    backend: 'shadow',
    time: START,
    primaryStatus: 200,
    shadowStatus: 200,
    primaryHash: 'a'.repeat(64),
    shadowHash: 'b'.repeat(64),
    headers: [],
    body: null,
    ...changes,
    request: { method: 'GET', path: '/', sentPath: '/', headers: [], body: Buffer.alloc(0), complete: true, ...request }
  }
}

/** A difference with its places, as the comparers tell it. */
export function differenceOf (found: Omit<MismatchInput, 'request' | 'time' | 'backend'>): Difference {
  const { primaryStatus, shadowStatus, primaryHash, shadowHash, headers, body } = found
  const json = { keys: [] as string[], firsts: [] as number[], more: false }
  if (body?.kind === 'json') {
    for (const [index, { pointer, change }] of body.differences.entries()) {
      const key = `${change} ${foldPointer(pointer)}`
      if (!json.keys.includes(key)) json.firsts[json.keys.push(key) - 1] = index
    }
  }
  const places = placesOf(primaryStatus, shadowStatus, headers, false, body, body?.kind === 'json' ? json : undefined)
  return { primaryStatus, shadowStatus, primaryHash, shadowHash, differs: ['body'], headers: [...headers], body, places }
}

/** Places of one mirror with one backend, to which mismatches of any endpoint are given. */
export class TestPlaces extends Places {
  readonly #redactor: Redactor
  readonly endpoints = new Map<string, Endpoint>()

  constructor (limit: number, { redactor = createRedactor([]), budget = memoryOf(), id = 'm' } = {}) {
    super({ id }, limit, 1, new ExampleMemory(budget))
    this.#redactor = redactor
  }

  endpoint (name: string): Endpoint {
    let endpoint = this.endpoints.get(name)
    if (endpoint === undefined) this.endpoints.set(name, endpoint = new Endpoint(name))
    return endpoint
  }

  /** @returns the ids of its places */
  put (input: MismatchInput, name = 'GET /'): string[] {
    const difference = differenceOf(input)
    const counted = this.count(this.endpoint(name), 0, difference.places, input.time)
    this.keep(counted, input, difference, this.#redactor)
    return [...new Set(counted)].map(({ id }) => id)
  }

  list ({ sort = 'rarest', endpoint }: MismatchQuery = {}): MismatchList {
    const { places, ...rest } = this.index(sort, endpoint)
    return { ...rest, total: places.length, places: places.map(listed => showPlace(listed, [{ name: 'shadow' }])) }
  }
}

/** What there is where nothing differs. */
export const NO_PLACES: MismatchList = {
  limit: 2000, limited: false, withoutExample: 0, unsorted: 0, total: 0, places: []
}

/** Each kind of mismatch of which there is an example, in words. */
export function kindsOf (list: MismatchList | undefined): string[] {
  return [...new Set(list?.places.flatMap(({ examples }) => examples).map(wordsOf))]
}

function wordsOf ({ primaryStatus, shadowStatus, headers, body }: PlaceExample): string {
  const ofBody = body === null ? [] : [body.kind === 'hash' ? `hash: ${body.reason}` : body.kind]
  return [`${primaryStatus}/${shadowStatus}`, ...headers.map(({ name }) => name).sort(), ...ofBody].join(' ')
}
