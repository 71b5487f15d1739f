import { hash } from 'node:crypto'
import type { Endpoint } from '../endpoints/table'
import type { ExampleUse, PlaceExample, PlaceKind } from '../../types/index'
import type { ExampleMemory } from './memory'
import type { CountingPlace, Example, OwnDifference } from './sample'

interface ShownExample {
  example: Example
  uses: ExampleUse[]
  rarest: CountingPlace
}

const USES: readonly ExampleUse[] = ['first', 'latest', 'most different']

/** Where the answers of one endpoint differ, in one way, and how often they do. */
export class Place implements CountingPlace {
  readonly endpoint: Endpoint
  readonly where: string
  /** `null`: of all that is not told apart. */
  readonly kind: PlaceKind | null
  count = 0
  /** Counts by the backend's position among its mirror's. */
  readonly counts: number[] = []
  /** Among all places, which was new first. */
  readonly nth: number
  readonly first: number
  last: number
  /** The last mismatch that was counted here: one counts once. */
  turn = 0
  readonly #mirror: { readonly id: string }
  #id: string | null = null
  #most = 0
  /** Examples in the order of their uses. One may be in several. */
  readonly #examples: [Example | null, Example | null, Example | null] = [null, null, null]

  constructor (
    mirror: { readonly id: string }, endpoint: Endpoint, where: string, kind: PlaceKind | null, time: number,
    nth: number
  ) {
    this.#mirror = mirror
    this.endpoint = endpoint
    this.where = where
    this.kind = kind
    this.first = this.last = time
    this.nth = nth
  }

  /** The same in every process. It is made when somebody asks for it, who has to wait until the mirror has its id. */
  get id (): string {
    const { endpoint, where, kind } = this
    this.#id ??= hash('sha256', JSON.stringify([this.#mirror.id, endpoint.name, where, kind])).slice(0, 12)
    return this.#id
  }

  add (backend: number, time: number, turn: number): void {
    this.turn = turn
    this.count++
    this.counts[backend] = (this.counts[backend] ?? 0) + 1
    this.last = time
  }

  /** `size`: at how many places the mismatch counts. Where there is no memory, none is kept. */
  keep (example: Example, size: number, memory: ExampleMemory): void {
    if (this.#examples[0] === null) this.#put(0, example, memory)
    this.#put(1, example, memory)
    if (size <= this.#most) return
    this.#most = size
    this.#put(2, example, memory)
  }

  #put (use: number, example: Example, memory: ExampleMemory): void {
    this.#drop(use, memory)
    // Its own part is counted as often as it is used: it is short.
    if (!example.sample.hold(memory)) return
    if (memory.take(example.bytes)) this.#examples[use] = example
    else example.sample.letGo(memory)
  }

  #drop (use: number, memory: ExampleMemory): void {
    const example = this.#examples[use]
    if (example === null) return
    this.#examples[use] = null
    memory.free(example.bytes)
    example.sample.letGo(memory)
  }

  /** What differs here in each example that there is; `null`: it has no value of its own. */
  get differences (): Array<OwnDifference | null> {
    return this.#examples.flatMap(example => example === null ? [] : [example.own])
  }

  /** Lets go of its examples, and keeps none from now on. */
  letGo (memory: ExampleMemory): void {
    for (let use = 0; use < USES.length; use++) this.#drop(use, memory)
  }

  /** Its examples, masked now. Those of which this is the rarest place come first. */
  get examples (): PlaceExample[] {
    return this.#shown().map(readExample)
  }

  /** The one that is shown first; `null`: there was no time or no memory for one. */
  get example (): PlaceExample | null {
    const [shown] = this.#shown()
    return shown === undefined ? null : readExample(shown)
  }

  #shown (): ShownExample[] {
    const shown: ShownExample[] = []
    for (const [index, example] of this.#examples.entries()) {
      if (example === null) continue
      const known = shown.find(one => one.example.sample === example.sample)
      if (known !== undefined) known.uses.push(USES[index])
      else shown.push({ example, uses: [USES[index]], rarest: rarestOf(example.sample.places) })
    }
    return shown.sort((a, b) => Number(b.rarest === this) - Number(a.rarest === this))
  }
}

function readExample ({ example: { sample, own }, uses, rarest }: ShownExample): PlaceExample {
  return { uses, rarest: rarest.id, ...sample.read(own) }
}

/** The order of places at which one mismatch counts, which are of one endpoint. What is not told apart comes last. */
export function rarestFirst (a: CountingPlace, b: CountingPlace): number {
  return Number(a.kind === null) - Number(b.kind === null) || a.count - b.count
}

function rarestOf (places: readonly CountingPlace[]): CountingPlace {
  return places.reduce((rarest, place) => rarestFirst(place, rarest) < 0 ? place : rarest)
}
