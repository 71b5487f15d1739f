import { SHAPE, wider } from '../compare/shape'
import type { Shape } from '../compare/shape'
import type { Difference } from '../compare/answers'
import type { Memory } from '../compare/bodies'
import type { DifferencePlaces } from '../compare/places'
import type { Redactor } from '../compare/redact'
import type { Endpoint } from '../endpoints/table'
import { Names } from '../mismatches/names'
import { bytesOf, exampleOf } from './examples'
import { explains } from './rule'
import { Spot } from './spot'
import type { NoiseExample, Pairs } from './spot'

/** Repeats of an endpoint past which others come first. */
const ENOUGH = 60
/** Spots that one endpoint may have, however many others have. */
const FEW = 100

/** Of one endpoint. */
export class EndpointEvidence {
  readonly endpoint: Endpoint
  readonly names = new Names()
  readonly spots = new Map<string, Spot>()
  /** Pairs of one version that were compared. */
  repeats = 0
  /** Pairs of which one was a cache's. */
  cached = 0
  /** Mismatches of requests that can not be asked twice, and of others. */
  unrepeatable = 0
  repeatable = 0

  constructor (endpoint: Endpoint) {
    this.endpoint = endpoint
  }

  compared (backends: number): number {
    let compared = 0
    for (let backend = 0; backend < backends; backend++) compared += this.endpoint.of(backend).compared
    return compared
  }
}

/** Mismatches of one backend since something was proposed, and those of them that proposals explain. */
export interface Explained {
  mismatches: number
  explained: number
}

export interface ExplainedSummary extends Readonly<Explained> {
  /** When the first proposal was made. */
  readonly since: Date
  /** Those that explained something. */
  readonly proposals: number
}

/** What is known of the noise of one mirror in one period. */
export class Evidence {
  readonly #limit: number
  readonly #backends: number
  readonly #byEndpoint = new Map<Endpoint, EndpointEvidence>()
  readonly #memory: Memory
  readonly #redactor: Pick<Redactor, 'header'>
  /** Bytes of examples. */
  #held = 0
  #closed = false
  #stored = 0
  /** By backend. */
  readonly explained: readonly Explained[]
  /** Proposals that have explained a mismatch, and when the first proposal was made. */
  readonly explaining = new Set<Spot>()
  since: Date | null = null

  /** `limit`: spots that are stored at most. */
  constructor (limit: number, backends: number, memory: Memory, redactor: Pick<Redactor, 'header'>) {
    this.#limit = limit
    this.#memory = memory
    this.#redactor = redactor
    this.#backends = backends
    this.explained = Array.from({ length: backends }, () => ({ mismatches: 0, explained: 0 }))
  }

  /** Whether more repeats of an endpoint are needed than of others. */
  needs (endpoint: Endpoint): boolean {
    return (this.#byEndpoint.get(endpoint)?.repeats ?? 0) < ENOUGH
  }

  get all (): Iterable<EndpointEvidence> {
    return this.#byEndpoint.values()
  }

  /** Two answers of one version were compared. `null`: they match. */
  repeat (endpoint: Endpoint, difference: Difference | null): void {
    const own = this.#of(endpoint)
    own.repeats++
    if (difference === null) return
    const pairs = this.#pairs(own)
    for (const [where, { shape, index }] of this.#wheres(own, difference.places)) {
      const spot = this.#spot(own, where)
      if (spot === null) continue
      spot.addWithin(shape, pairs)
      if (spot.wantsExample) this.#keep(spot, exampleOf(difference, index, this.#redactor))
      if (spot.standing !== null) this.since ??= new Date()
    }
  }

  cached (endpoint: Endpoint): void {
    this.#of(endpoint).cached++
  }

  /** Answers of the two versions differ. `repeatable`: by its method the request may be asked twice. */
  mismatch (endpoint: Endpoint, backend: number, places: DifferencePlaces, repeatable: boolean): void {
    const own = this.#of(endpoint)
    if (repeatable) own.repeatable++
    else own.unrepeatable++
    const pairs = this.#pairs(own)
    const by: Spot[] = []
    let all = !places.more
    for (const [where, { shape }] of this.#wheres(own, places)) {
      const spot = this.#spot(own, where)
      spot?.addBetween(shape, pairs)
      if (spot?.standing && explains(spot.standing, shape)) by.push(spot)
      else all = false
    }
    if (this.since === null) return
    const counts = this.explained[backend]
    counts.mismatches++
    if (!all) return
    counts.explained++
    for (const spot of by) this.explaining.add(spot)
  }

  /** There was no time to look at a mismatch. */
  spare (backend: number): void {
    if (this.since !== null) this.explained[backend].mismatches++
  }

  /** Other rules are in force: what is concluded begins anew, and what is known stays. */
  restart (): void {
    this.since = null
    this.explaining.clear()
    for (const counts of this.explained) counts.mismatches = counts.explained = 0
    for (const { spots } of this.all) {
      for (const { standing } of spots.values()) if (standing !== null) this.since ??= new Date()
    }
  }

  /** The period is over: what still comes is counted, without examples. */
  close (): void {
    this.#closed = true
    this.#memory.free(this.#held)
    this.#held = 0
    for (const { spots } of this.all) for (const { examples } of spots.values()) examples.length = 0
  }

  /** What proposals explain of the mismatches of a backend; `null`: none has differed since there are some. */
  summary (backend: number): ExplainedSummary | null {
    const { since, explaining } = this
    const { mismatches, explained } = this.explained[backend]
    return since === null || mismatches === 0 ? null : { since, mismatches, explained, proposals: explaining.size }
  }

  #keep (spot: Spot, example: NoiseExample): void {
    const bytes = bytesOf(example)
    if (this.#closed || !this.#memory.take(bytes)) return
    this.#held += bytes
    spot.keep(example)
  }

  #of (endpoint: Endpoint): EndpointEvidence {
    let own = this.#byEndpoint.get(endpoint)
    if (own === undefined) this.#byEndpoint.set(endpoint, own = new EndpointEvidence(endpoint))
    return own
  }

  #pairs (own: EndpointEvidence): Pairs {
    return { within: own.repeats + own.cached, between: own.compared(this.#backends) }
  }

  /** By where it differs, in whatever way: what it looks like there, and the first of its keys. */
  #wheres (own: EndpointEvidence, { keys, shapes }: DifferencePlaces): Map<string, { shape: Shape, index: number }> {
    const found = new Map<string, { shape: Shape, index: number }>()
    for (const [index, key] of keys.entries()) {
      const space = key.indexOf(' ')
      const where = own.names.fold(key.slice(space + 1))
      const shape = shapes?.[index] ?? SHAPE.other
      const known = found.get(where)
      if (known === undefined) found.set(where, { shape, index })
      else known.shape = wider(known.shape, shape)
    }
    return found
  }

  /** `null`: there is no room for another one. */
  #spot (own: EndpointEvidence, where: string): Spot | null {
    const known = own.spots.get(where)
    if (known !== undefined) return known
    const free = this.#limit - this.#stored
    if (free <= 0 || (own.spots.size >= FEW && own.spots.size >= free)) return null
    const spot = new Spot(where)
    own.names.keep(where)
    own.spots.set(where, spot)
    this.#stored++
    return spot
  }
}
