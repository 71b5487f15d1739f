import { canonicalNumber } from '../../decimal'
import { keyAt } from '../keys'
import type { Steps } from '../../../steps'
import type { Tape } from '../../tape'
import type { Labels, Part } from './part'

/** Characters of what may tell one item from another, with its quotes. */
const LONGEST = 256
/** Members of an item that are looked at, and names that are tried. */
const MAX_MEMBERS = 64
const MAX_NAMES = 4
/** Items between two places where the work can be put off. */
const OBJECTS_A_STEP = 32

/** Names of what tells one thing from another for as long as it lives, the surest first. */
const IDS = ['id', '_id', 'uuid', 'guid']
/** `orderId`, `order_id`, `order-uuid`; not `paid`. */
const LIKE_ID = /[a-z\d](?:I[dD]|U[uU][iI][dD])$|[_-](?:id|uuid|guid)$/

/** Names of what does so as well, and may be changed in a thing that stays what it is. */
const NAMES = ['key', 'sku', 'code', 'slug', 'name']
/** Ranks of names: those of the first list, those like an id, those of the second. */
const LIKE = IDS.length
const FIRST_NAME = LIKE + 1

/**
 * Items are alike where they have the same id: objects all, each with another one, under a name as ids have. `null`:
 * there is no such name, or so few ids are on both sides that they say nothing, as where they are made anew for each
 * answer. Each loop turns once an item, and so many times a name.
 */
export function * byIdentity (a: Part, b: Part): Steps<Labels | null> {
  for (const name of candidates(a)) {
    const labels = yield * byMember(a, b, name)
    if (labels === null) continue
    const common = a.nodes.length + b.nodes.length - labels.count
    // Items that stand at both ends alike have the same id, too.
    const aside = rank(name) < FIRST_NAME ? a.whole - a.nodes.length : 0
    if ((common + aside) * 2 >= Math.min(a.nodes.length, b.nodes.length) + aside) return labels
  }
  return null
}

/** Items are alike where they have the same value at a member. `null`: not all have one of their own. */
export function * byMember (a: Part, b: Part, name: string): Steps<Labels | null> {
  const numbers = new Map<string, number>()
  const labels = { a: new Int32Array(a.nodes.length), b: new Int32Array(b.nodes.length) }
  for (const [part, of] of [[a, labels.a], [b, labels.b]] as const) {
    const seen = new Set<number>()
    for (let at = 0; at < part.nodes.length; at++) {
      if (at % OBJECTS_A_STEP === OBJECTS_A_STEP - 1) yield
      const id = idOf(part, at, name)
      if (id === null) return null
      let label = numbers.get(id)
      if (label === undefined) numbers.set(id, label = numbers.size)
      if (seen.has(label)) return null
      seen.add(label)
      of[at] = label
    }
  }
  return { ...labels, count: numbers.size }
}

/** Names of the first item's members that may be ids, the surest first. */
function candidates ({ tape, nodes }: Part): string[] {
  if (tape.kind(nodes[0]) !== '{') return []
  const found: string[] = []
  const end = tape.nexts[nodes[0]]
  for (let key = nodes[0] + 1, members = 0; key < end && members < MAX_MEMBERS; key = tape.nexts[key + 1], members++) {
    const name = keyAt(tape, key).slice(1, -1)
    if (rank(name) >= 0) found.push(name)
  }
  return found.sort((one, other) => rank(one) - rank(other)).slice(0, MAX_NAMES)
}

/** -1: it is no such name. */
function rank (name: string): number {
  const plain = name.toLowerCase()
  const id = IDS.indexOf(plain)
  if (id !== -1) return id
  if (LIKE_ID.test(name)) return LIKE
  const other = NAMES.indexOf(plain)
  return other === -1 ? -1 : FIRST_NAME + other
}

/** The item's id as text that is the same however it is written; `null`: it has none. */
function idOf ({ tape, nodes, index, at: array }: Part, at: number, name: string): string | null {
  const node = nodes[at]
  if (tape.kind(node) !== '{') return null
  const place = array.below(String(index + at)).below(name)
  // What may be another text on each side is no id.
  if (place.free || place.value !== null) return null
  const end = tape.nexts[node]
  for (let key = node + 1, members = 0; key < end && members < MAX_MEMBERS; key = tape.nexts[key + 1], members++) {
    if (keyAt(tape, key).slice(1, -1) === name) return textOf(tape, key + 1)
  }
  return null
}

function textOf (tape: Tape, node: number): string | null {
  const source = tape.source(node)
  if (source.length > LONGEST) return null
  if (source[0] === '"') return keyAt(tape, node)
  // Not by its digits alone: they would be hashed as an index.
  return source[0] === '-' || (source[0] >= '0' && source[0] <= '9') ? `n${canonicalNumber(source)}` : null
}
