/**
 * Names of one object's fields, of headers or of statuses, past which all further ones are one: they are data rather
 * than names.
 */
const MAX_NAMES = 100
/** Names on the way to one place: what lies deeper is one. */
const MAX_DEPTH = 16
const DEEPER = '/**'
const SLASH = 47

type Node = Map<string, Node | null>

/**
 * The names of one endpoint's places, as a tree. An object at whose hundred keys there are places already is taken to
 * be keyed by data: all its other keys are `*` from then on, so that it cannot make places without end. What is there
 * keeps its name.
 */
export class Names {
  readonly #root: Node = new Map()

  /** The name of a place here. It is not remembered. */
  fold (where: string): string {
    const names = namesOf(where)
    let node: Node | null | undefined = this.#root
    let changed = false
    for (let i = 0; i < names.length && node; i++) {
      let child: Node | null | undefined = node.get(names[i])
      if (child === undefined && node.size >= MAX_NAMES) {
        names[i] = names[i].startsWith('/') ? '/*' : '*'
        changed = true
        child = node.get(names[i])
      }
      node = child
    }
    return changed || names.length === MAX_DEPTH ? names.join('') : where
  }

  /** A place is called so from now on. @returns how many names were new */
  keep (where: string): number {
    let added = 0
    let node = this.#root
    const names = namesOf(where)
    for (let i = 0; i < names.length; i++) {
      const child = node.get(names[i])
      if (child === undefined) added++
      if (i + 1 === names.length) {
        if (child === undefined) node.set(names[i], null)
        break
      }
      const next: Node = child ?? new Map()
      if (child !== next) node.set(names[i], next)
      node = next
    }
    return added
  }
}

/**
 * `/items/*`: `/items` and `/*`; `header:etag`: `header:` and `etag`; `status 200→500`: `status ` and `200→500`. Joined
 * they are what they were.
 */
function namesOf (where: string): string[] {
  const names: string[] = []
  if (where.charCodeAt(0) !== SLASH) {
    const end = where.startsWith('header:') ? 7 : where.startsWith('status ') ? 7 : where.length
    names.push(where.slice(0, end))
    if (end < where.length) names.push(where.slice(end))
    return names
  }
  for (let from = 0; from !== -1;) {
    const to = where.indexOf('/', from + 1)
    if (names.length === MAX_DEPTH - 1 && to !== -1) {
      names.push(DEEPER)
      break
    }
    names.push(to === -1 ? where.slice(from) : where.slice(from, to))
    from = to
  }
  return names
}
