import { setImmediate as nextTurn } from 'node:timers/promises'
import type { MirrorSnapshot, Mirrors } from '../../types/index'
import { redactSnapshot } from '../metrics/snapshot'
import type { Named } from '../mirror/registry'
import { joined } from './joined'

/**
 * Milliseconds for which all who ask share what was read: to sort latencies for each of them would take clients' time.
 */
export const SHARED = 1000
/** Bytes of an answer's list, so that with what stands around it there are at most 2 MB. */
export const MAX_BYTES = 1_900_000

/** How the numbers of one mirror are told. */
export interface Telling {
  /** The name that it is told by. */
  name: string
  id: string
  show (snapshot: MirrorSnapshot): object
}

/** Some of the mirrors, as JSON. */
export interface Page {
  body: Buffer
  /** The last of them, where there are more. */
  last: string | null
}

interface Told {
  /** `"name":{...}` */
  entry: Buffer
  /** Where the snapshot begins in it. */
  begins: number
  at: number
}

/** All of it, for those who may see all. */
export function tellAll (named: readonly Named[]): Telling[] {
  return named.map(({ id }) => ({ name: id, id, show: snapshot => snapshot }))
}

/**
 * For those who have not shown who they are: what has a name by default would tell routes and hosts, and is called by
 * its position.
 */
export function tellRedacted (named: readonly Named[]): Telling[] {
  const given = new Set(named.filter(({ given }) => given).map(({ id }) => id))
  return named.map(({ id, given: own, backends }, index) => {
    const name = own ? id : positionName(index, given)
    return { name, id, show: snapshot => redactSnapshot({ ...snapshot, id: name }, backends) }
  })
}

/** `#1`, or with more of the signs where a user has called another one so. */
function positionName (index: number, taken: ReadonlySet<string>): string {
  let name = `#${index + 1}`
  while (taken.has(name)) name = `#${name}`
  return name
}

/** The numbers of mirrors as JSON, read at most once a second, and of one mirror in a turn of the event loop. */
export class Numbers {
  readonly #mirrors: Mirrors
  readonly #tellings: () => Telling[]
  /** Mirrors are only added before the first request. */
  #byName: Map<string, Telling> | null = null
  readonly #told = new Map<string, Told>()
  #all: Promise<Told[]> = Promise.resolve([])
  #allAt = -Infinity

  constructor (mirrors: Mirrors, tellings: () => Telling[]) {
    this.#mirrors = mirrors
    this.#tellings = tellings
  }

  /** `null`: there is no such mirror. */
  one (name: string): Buffer | null {
    const telling = this.#names().get(name)
    if (telling === undefined) return null
    const known = this.#told.get(name)
    const { entry, begins } = known !== undefined && performance.now() - known.at <= SHARED
      ? known
      : this.#tell(telling)
    return entry.subarray(begins)
  }

  /** Numbers by name: those after `after`, `limit` at most, and not too many for an answer. */
  async page (limit: number, after: string | undefined): Promise<Page> {
    const now = performance.now()
    if (now - this.#allAt > SHARED) {
      this.#allAt = now
      this.#all = this.#tellEach()
    }
    const all = await this.#all
    const names = [...this.#names().keys()]
    // Nothing comes after a name that is not there.
    const from = after === undefined ? 0 : this.#names().has(after) ? names.indexOf(after) + 1 : names.length
    let to = from
    for (let bytes = 0; to < all.length && to - from < limit; to++) {
      bytes += all[to].entry.length + 1
      if (bytes > MAX_BYTES && to > from) break
    }
    const entries = all.slice(from, to).map(({ entry }) => entry)
    return { body: joined('{', entries, '}'), last: to < all.length ? names[to - 1] : null }
  }

  /** The next to ask sees what was changed. */
  forget (): void {
    this.#allAt = -Infinity
    this.#told.clear()
  }

  #names (): Map<string, Telling> {
    this.#byName ??= new Map(this.#tellings().map(telling => [telling.name, telling]))
    return this.#byName
  }

  async #tellEach (): Promise<Told[]> {
    const all: Told[] = []
    for (const telling of this.#names().values()) {
      all.push(this.#tell(telling))
      await nextTurn()
    }
    return all
  }

  #tell ({ name, id, show }: Telling): Told {
    const key = `${JSON.stringify(name)}:`
    const entry = Buffer.from(key + JSON.stringify(show(this.#mirrors.get(id) as MirrorSnapshot)))
    const told = { entry, begins: Buffer.byteLength(key), at: performance.now() }
    this.#told.set(name, told)
    return told
  }
}
