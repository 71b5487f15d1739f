/** A place in the tree of ignored fields. */
export interface IgnoredNode {
  /** The field at this place is ignored, with all that it holds. */
  ignored: boolean
  readonly named: Map<string, IgnoredNode>
  any: IgnoredNode | null
}

/** Where a walk through a document stands in the tree: every place that its path so far fits; empty: none. */
export type IgnoredPlaces = readonly IgnoredNode[]

const NOWHERE: IgnoredPlaces = []

/**
 * Compiles `ignoreJsonFields`: JSON pointers (they begin with a slash, or are empty: the whole document) and dotted paths,
 * in which `*` stands for any one key or index. In pointers `~2` is a literal `*`, `~3` a literal `[`. Throws nothing.
 */
export function compileIgnored (fields: readonly string[]): IgnoredPlaces {
  if (fields.length === 0) return NOWHERE
  const root = createNode()
  for (const field of fields) {
    let node = root
    const isPointer = field === '' || field[0] === '/'
    for (const given of isPointer ? field.split('/').slice(1) : field.split('.')) {
      if (given === '*') {
        node = node.any ??= createNode()
      } else {
        const segment = isPointer ? given.replace(/~([0-3])/g, (_, escaped: string) => '~/*['[Number(escaped)]) : given
        let next = node.named.get(segment)
        if (next === undefined) node.named.set(segment, next = createNode())
        node = next
      }
    }
    node.ignored = true
  }
  return [root]
}

/** The places one key or index further on. */
export function descend (places: IgnoredPlaces, segment: string): IgnoredPlaces {
  if (places.length === 0) return NOWHERE
  const found: IgnoredNode[] = []
  for (const { named, any } of places) {
    const next = named.get(segment)
    if (next !== undefined) found.push(next)
    if (any !== null) found.push(any)
  }
  return found
}

/** Whether an index is named one further on: then an array there has places rather than items. */
export function namesIndex (places: IgnoredPlaces): boolean {
  return places.some(({ named }) => [...named.keys()].some(key => /^\d+$/.test(key)))
}

export function isIgnored (places: IgnoredPlaces): boolean {
  return places.some((node) => node.ignored)
}

function createNode (): IgnoredNode {
  return { ignored: false, named: new Map(), any: null }
}
