import { createMismatch } from './mismatch'
import { snapshotWithin } from './snapshot'
import { cut } from '../compare/cut'
import { firstHeaders } from '../compare/headers'
import type { Difference } from '../compare/answers'
import type { BodyDifference, HeaderDifference, JsonDifference, Mismatch, PlaceKind } from '../../types/index'
import type { Redactor } from '../compare/redact'
import type { ExampleMemory } from './memory'
import type { MismatchInput } from './mismatch'

/**
 * Bytes of an example, with what its place has for itself; of the objects that it is made of; of a line of headers, or
 * of a difference.
 */
const MAX_SIZE = 4096
const OVERHEAD = 256
const OVERHEAD_OF_ONE = 16
const A_PLACE = 8
const MAX_OWN = 1200
/** Part of the room for differences at other places. */
const SHARE_OF_OTHERS = 0.3
/** Characters of a value that is too much. */
const SHORT_VALUE = 40

/** A place at which a mismatch counts. */
export interface CountingPlace {
  readonly id: string
  /** `null`: of all that is not told apart. */
  readonly kind: PlaceKind | null
  readonly count: number
}

/** The difference at one place. */
export type OwnDifference = HeaderDifference | JsonDifference

/** A mismatch as one of its places keeps it. */
export interface Example {
  readonly sample: Sample
  /** `null`: the sample says it all. */
  readonly own: OwnDifference | null
  /** Bytes that the place has for itself. */
  readonly bytes: number
}

/**
 * A mismatch as all of its places keep it: in bounded size, as it came. It is masked when somebody reads it: most are
 * replaced by a later one before anybody does. Nobody gets what came.
 */
export class Sample {
  /** Bytes, about. */
  readonly size: number
  /** All that it counts at. */
  readonly places: readonly CountingPlace[]
  readonly #redactor: Redactor
  readonly #input: MismatchInput
  #holders = 0

  constructor (input: MismatchInput, places: readonly CountingPlace[], redactor: Redactor) {
    const room = MAX_SIZE - OVERHEAD - places.length * A_PLACE - MAX_OWN
    const [headers, ofHeaders] = fitting(input.headers, bytesOfHeader, room * SHARE_OF_OTHERS)
    const [body, ofBody] = fittingBody(input.body, room * SHARE_OF_OTHERS - ofHeaders)
    const { request, bytes } = snapshotWithin(input.request, room - ofHeaders - ofBody, redactor)
    const { backend, time, primaryStatus, shadowStatus, primaryHash, shadowHash } = input
    this.#input = { backend, time, request, primaryStatus, shadowStatus, primaryHash, shadowHash, headers, body }
    this.#redactor = redactor
    this.places = places
    this.size = OVERHEAD + places.length * A_PLACE + ofHeaders + ofBody + bytes
  }

  /** `false`: there is no memory for it. */
  hold (memory: ExampleMemory): boolean {
    if (this.#holders === 0 && !memory.take(this.size)) return false
    this.#holders++
    return true
  }

  letGo (memory: ExampleMemory): void {
    if (--this.#holders === 0) memory.free(this.size)
  }

  /** What each of the places keeps. `difference`: what came, of which the sample has the first part. */
  exampleAt (index: number, { headers, body, places }: Pick<Difference, 'headers' | 'body' | 'places'>): Example {
    // Nothing is known of those past the limit.
    const first = index < places.keys.length ? places.firsts[index] : -1
    if (first === -1) return { sample: this, own: null, bytes: 0 }
    if (places.keys[index].includes(' header:')) {
      if (first < this.#input.headers.length) return { sample: this, own: this.#input.headers[first], bytes: 0 }
      return this.#ownExample(shortHeader(headers[first]), bytesOfHeader)
    }
    const [all, some] = [body, this.#input.body] as Array<BodyDifference & { kind: 'json' }>
    if (first < some.differences.length) return { sample: this, own: some.differences[first], bytes: 0 }
    return this.#ownExample(shortDifference(all.differences[first]), bytesOfDifference)
  }

  #ownExample<Own extends OwnDifference> (own: Own, bytesOf: (own: Own) => number): Example {
    return { sample: this, own, bytes: bytesOf(own) }
  }

  /** The mismatch without secrets. `own`: the difference at the place that it is shown for, which comes first. */
  read (own: OwnDifference | null): Mismatch {
    const input = this.#input
    if (own === null) return createMismatch(input, this.#redactor)
    if ('name' in own) {
      const headers = [own, ...input.headers.filter(({ name }) => name !== own.name)]
      return createMismatch({ ...input, headers }, this.#redactor)
    }
    const body = input.body as BodyDifference & { kind: 'json' }
    const differences = [own, ...body.differences.filter(one => one !== own)]
    return createMismatch({ ...input, body: { ...body, differences } }, this.#redactor)
  }
}

/** The first of a list that fit, and their bytes. */
function fitting<Item> (list: readonly Item[], bytesOf: (item: Item) => number, most: number): [Item[], number] {
  let bytes = 0
  let count = 0
  for (; count < list.length; count++) {
    const more = bytesOf(list[count])
    if (bytes + more > most) break
    bytes += more
  }
  return [list.slice(0, count), bytes]
}

function fittingBody (body: BodyDifference | null, most: number): [BodyDifference | null, number] {
  if (body?.kind !== 'json') return [body, 0]
  const [differences, bytes] = fitting(body.differences, bytesOfDifference, most)
  const truncated = body.truncated || differences.length < body.differences.length
  return [{ ...body, differences, truncated }, bytes]
}

function bytesOf (text: string): number {
  return /[^\0-\xff]/.test(text) ? text.length * 2 : text.length
}

function bytesOfHeader ({ name, primary, shadow }: HeaderDifference): number {
  let bytes = OVERHEAD_OF_ONE + bytesOf(name)
  for (const value of primary) bytes += OVERHEAD_OF_ONE + bytesOf(value)
  for (const value of shadow) bytes += OVERHEAD_OF_ONE + bytesOf(value)
  return bytes
}

function bytesOfDifference ({ pointer, primary = '', shadow = '' }: JsonDifference): number {
  return OVERHEAD_OF_ONE + bytesOf(pointer) + bytesOf(primary) + bytesOf(shadow)
}

function shortHeader (header: HeaderDifference): HeaderDifference {
  if (bytesOfHeader(header) <= MAX_OWN) return header
  const [{ name, primary, shadow }] = firstHeaders([header])
  return { name, primary: primary.slice(0, 1), shadow: shadow.slice(0, 1) }
}

function shortDifference (difference: JsonDifference): JsonDifference {
  if (bytesOfDifference(difference) <= MAX_OWN) return difference
  const short = { ...difference }
  if (short.primary !== undefined) short.primary = cut(short.primary, SHORT_VALUE)
  if (short.shadow !== undefined) short.shadow = cut(short.shadow, SHORT_VALUE)
  return short
}
