import { foldPointer, fromPointer, looksLikeId, toPointer } from '../compare/pointer'
import type { BodyDifference, HeaderDifference, MismatchShape } from '../../types/index'

/** Header names, and pointers, of one shape. */
const MAX_PARTS = 16
/** Keys of one object that differ at once, past which they are taken for data rather than names. */
const MAX_SIBLINGS = 8
/** Objects whose keys are remembered. */
const MAX_LEVELS = 200

/** Keys of all pointers of one mismatch that are looked at: what is deeper, or comes later, makes no kind. */
const MAX_KEYS = 256

const ANY = '*'

/** What mismatches are told apart by. */
export interface Kind {
  readonly backend: string
  readonly primaryStatus: number
  readonly mirrorStatus: number
  readonly headers: readonly HeaderDifference[]
  readonly body: BodyDifference | null
}

interface Place {
  /** A pointer ends here. */
  ends: boolean
  readonly children: Map<string, Place>
}

/**
 * Gives mismatches their shapes. Remembers the keys at which objects differed: an object that has done so at `maxKeys` keys
 * is taken to be keyed by data, and all its other keys are one from then on, so that it cannot make shapes without end.
 */
export class Shapes {
  readonly #maxKeys: number
  /** By the folded pointer of the object. */
  readonly #keys = new Map<string, Set<string>>()

  constructor (maxKeys: number) {
    this.#maxKeys = maxKeys
  }

  of (mismatch: Kind): MismatchShape {
    const { backend, primaryStatus, mirrorStatus, headers, body } = mismatch
    const names = headers.map(({ name }) => looksLikeId(name) ? ANY : name)
    return {
      backend,
      primaryStatus,
      mirrorStatus,
      headers: [...new Set(names)].sort().slice(0, MAX_PARTS),
      pointers: body?.kind === 'json' ? this.#pointers(body.differences.map(({ pointer }) => pointer)) : [],
      body: body === null ? null : body.kind === 'hash' ? `hash: ${body.reason}` : body.kind
    }
  }

  clear (): void {
    this.#keys.clear()
  }

  #pointers (pointers: readonly string[]): string[] {
    const root = createPlace()
    let keys = 0
    for (const pointer of pointers) {
      if (keys >= MAX_KEYS) break
      let place = root
      for (const segment of fromPointer(foldPointer(pointer, MAX_KEYS - keys))) {
        place = child(place, segment)
        keys++
      }
      place.ends = true
    }
    const paths: string[][] = []
    this.#collect(root, [], paths)
    return shorten(paths)
  }

  #collect (place: Place, path: readonly string[], paths: string[][]): void {
    if (place.ends) paths.push([...path])
    if (place.children.size === 0) return
    const names = place.children.size > MAX_SIBLINGS ? null : this.#namesAt(toPointer(path))
    for (const [segment, next] of folded(place, names, this.#maxKeys).children) {
      this.#collect(next, [...path, segment], paths)
    }
  }

  /** The keys that stay what they are. */
  #namesAt (pointer: string): Set<string> {
    let names = this.#keys.get(pointer)
    if (names === undefined) {
      names = new Set()
      if (this.#keys.size < MAX_LEVELS) this.#keys.set(pointer, names)
    }
    return names
  }
}

function createPlace (): Place {
  return { ends: false, children: new Map() }
}

function child (place: Place, segment: string): Place {
  let found = place.children.get(segment)
  if (found === undefined) place.children.set(segment, found = createPlace())
  return found
}

/** The place with all children made one that are not among the first so many names; `null`: no names. */
function folded ({ children }: Place, names: Set<string> | null, maxNames: number): Place {
  const result = createPlace()
  for (const [segment, next] of children) {
    const isName = names !== null && segment !== ANY && (names.has(segment) || names.size < maxNames)
    if (isName) names.add(segment)
    merge(child(result, isName ? segment : ANY), next)
  }
  return result
}

function merge (into: Place, from: Place): void {
  into.ends ||= from.ends
  for (const [segment, next] of from.children) merge(child(into, segment), next)
}

/** At most 16 pointers, sorted: where there are more, from the deepest level up all keys of one level become `*`. */
function shorten (paths: string[][]): string[] {
  let pointers = new Set(paths.map(toPointer))
  for (let depth = Math.max(0, ...paths.map((path) => path.length)); pointers.size > MAX_PARTS; depth--) {
    paths = paths.map((path) => path.length < depth ? path : [...path.slice(0, depth - 1), ANY])
    pointers = new Set(paths.map(toPointer))
  }
  return [...pointers].sort()
}
