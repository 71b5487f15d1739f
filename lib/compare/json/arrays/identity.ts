import { canonicalNumber } from '../../decimal'
import { keyAt } from '../keys'
import type { Steps } from '../../../steps'
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
  const idsA = yield * idsOf(a, name)
  const idsB = idsA === null ? null : yield * idsOf(b, name)
  if (idsA === null || idsB === null) return null
  // The usual case needs no more.
  if (areAlike(idsA, idsB) && new Set(idsA).size === idsA.length) return inPlace(idsA.length)
  const numbers = new Map<string, number>()
  const labels = { a: new Int32Array(idsA.length), b: new Int32Array(idsB.length) }
  for (let at = 0; at < idsA.length; at++) {
    if (at % OBJECTS_A_STEP === OBJECTS_A_STEP - 1) yield
    const id = plainly(idsA[at])
    if (numbers.has(id)) return null
    labels.a[at] = numbers.size
    numbers.set(id, labels.a[at])
  }
  const seen = new Uint8Array(idsA.length + idsB.length)
  for (let at = 0; at < idsB.length; at++) {
    if (at % OBJECTS_A_STEP === OBJECTS_A_STEP - 1) yield
    const id = plainly(idsB[at])
    const label = numbers.get(id) ?? numbers.size
    if (seen[label]++ > 0) return null
    labels.b[at] = label
    numbers.set(id, label)
  }
  return { ...labels, count: numbers.size }
}

function areAlike (a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((id, at) => id === b[at])
}

function inPlace (count: number): Labels {
  const labels = Int32Array.from({ length: count }, (_, at) => at)
  return { a: labels, b: labels, count }
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

/** Each item's id as it is written; `null`: one has none. */
function * idsOf (part: Part, name: string): Steps<string[] | null> {
  const ids: string[] = []
  for (let at = 0; at < part.nodes.length; at++) {
    if (at % OBJECTS_A_STEP === OBJECTS_A_STEP - 1) yield
    const id = idOf(part, at, name)
    if (id === null) return null
    ids.push(id)
  }
  return ids
}

function idOf ({ tape, nodes, index, at: array }: Part, at: number, name: string): string | null {
  const node = nodes[at]
  if (tape.kind(node) !== '{') return null
  const place = array.below(String(index + at)).below(name)
  // What may be another text on each side is no id.
  if (place.free || place.value !== null) return null
  const end = tape.nexts[node]
  for (let key = node + 1, members = 0; key < end && members < MAX_MEMBERS; key = tape.nexts[key + 1], members++) {
    if (keyAt(tape, key).slice(1, -1) !== name) continue
    const id = tape.source(key + 1)
    return id.length <= LONGEST && (id[0] === '"' || isNumber(id)) ? id : null
  }
  return null
}

function isNumber (source: string): boolean {
  return source[0] === '-' || (source[0] >= '0' && source[0] <= '9')
}

/** The same for all ways to write one. Of a number not its digits alone: they would be hashed as an index. */
function plainly (id: string): string {
  if (id[0] !== '"') return `n${canonicalNumber(id)}`
  return id.includes('\\') ? `"${JSON.parse(id) as string}"` : id
}
