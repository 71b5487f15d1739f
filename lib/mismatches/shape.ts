import { foldPointer, fromPointer, looksLikeId, toPointer } from '../compare/pointer'
import type { Mismatch, MismatchShape } from '../../types/index'

/** Header names, and pointers, of one shape. */
const MAX_PARTS = 16
/** Keys of one object that differ at once, past which they are taken for data rather than names. */
const MAX_SIBLINGS = 8
/** Objects whose keys are remembered. */
const MAX_LEVELS = 200

const ANY = '*'

interface Place {
  /** A pointer ends here. */
  ends: boolean
  readonly children: Map<string, Place>
}

/**
 * Gives mismatches their shapes. Remembers the keys at which objects differed: an object at which more than `maxKeys` have
 * done so is keyed by data, and from then on all its keys are one, so that it cannot make shapes without end.
 */
export class Shapes {
  readonly #maxKeys: number
  /** By the folded pointer of the object; `null`: too many. */
  readonly #keys = new Map<string, Set<string> | null>()

  constructor (maxKeys: number) {
    this.#maxKeys = maxKeys
  }

  of (mismatch: Mismatch): MismatchShape {
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
    for (const pointer of pointers) {
      let place = root
      for (const segment of fromPointer(foldPointer(pointer))) place = child(place, segment)
      place.ends = true
    }
    const paths: string[][] = []
    this.#collect(root, [], paths)
    return shorten(paths)
  }

  #collect (place: Place, path: readonly string[], paths: string[][]): void {
    if (place.ends) paths.push([...path])
    const { children } = this.#isKeyedByData(place, path) ? merged(place) : place
    for (const [segment, next] of children) this.#collect(next, [...path, segment], paths)
  }

  #isKeyedByData ({ children }: Place, path: readonly string[]): boolean {
    if (children.size === 0) return false
    const pointer = toPointer(path)
    let known = this.#keys.get(pointer)
    if (known === null) return true
    if (known === undefined) {
      if (this.#keys.size === MAX_LEVELS) return children.size > MAX_SIBLINGS
      this.#keys.set(pointer, known = new Set())
    }
    for (const key of children.keys()) if (key !== ANY) known.add(key)
    if (known.size > this.#maxKeys) this.#keys.set(pointer, null)
    return children.size > MAX_SIBLINGS || known.size > this.#maxKeys
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

/** The place with its children made one. */
function merged (place: Place): Place {
  const result = createPlace()
  for (const next of place.children.values()) merge(child(result, ANY), next)
  return result
}

function merge (into: Place, from: Place): void {
  into.ends ||= from.ends
  for (const [segment, next] of from.children) merge(child(into, segment), next)
}

/** At most 16 pointers, sorted: where there are more, the deepest end one level higher, with `*`. */
function shorten (paths: string[][]): string[] {
  let pointers = new Set(paths.map(toPointer))
  while (pointers.size > MAX_PARTS) {
    const depth = Math.max(...paths.map((path) => path.length))
    paths = paths.map((path) => path.length < depth ? path : [...path.slice(0, depth - 2), ANY])
    pointers = new Set(paths.map(toPointer))
  }
  return [...pointers].sort()
}
