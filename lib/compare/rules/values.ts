import { MAX_VALUE } from './formats'
import type { Standing } from './standing'
import type { Tape } from '../tape'

/** Characters of a string in JSON with its escapes, past which it is only equal to itself. */
const MAX_SOURCE = MAX_VALUE * 6

/**
 * Whether two values that differ match all the same, by the rules that hold where they stand; not for two objects, nor
 * for two arrays.
 */
export function matches (at: Standing, a: Tape, nodeA: number, b: Tape, nodeB: number): boolean {
  const [typeA, typeB] = [typeOf(a.kind(nodeA)), typeOf(b.kind(nodeB))]
  const { value } = at
  if (at.free || value?.name === 'presence') return true
  if (at.optional && (typeA === 'n' || typeB === 'n')) return true
  if (typeA !== typeB) return false
  if (value === null) return typeA === '"' && hasSameLinks(at, a.string(nodeA), b.string(nodeB))
  if (value.name === 'type') return true
  if (typeA === '0') return value.alike(a.source(nodeA), b.source(nodeB))
  if (typeA !== '"' || Math.max(lengthOf(a, nodeA), lengthOf(b, nodeB)) > MAX_SOURCE) return false
  return value.alike(a.string(nodeA), b.string(nodeB))
}

/**
 * What a value has in common with all that match it by the rules where it stands, and may have with others; `null`: it
 * is compared as it is.
 */
export function standsFor (at: Standing, tape: Tape, node: number): string | null {
  const type = typeOf(tape.kind(node))
  const { value } = at
  if (value?.name === 'presence' || (at.free && !'{['.includes(type))) return 'any'
  if (value?.name === 'type') return `type ${type}`
  const isText = type === '"' && lengthOf(tape, node) <= MAX_SOURCE
  if (value !== null) {
    const text = isText ? tape.string(node) : type === '0' ? tape.source(node) : null
    return text !== null && value.alike(text, text) ? value.name : null
  }
  return isText && at.table.origins !== null ? at.table.origins.plain(tape.string(node)) : null
}

function hasSameLinks ({ table: { origins } }: Standing, a: string, b: string): boolean {
  return origins !== null && origins.areAlike(a, b)
}

/** Whether a value may be there on one side alone, where `side` has it; `null` in JSON is the same as none. */
export function mayLack (at: Standing, side: 'primary' | 'shadow', inObject: boolean): boolean {
  return at.optional || (at.mayBeAdded && side === 'shadow' && inObject)
}

function lengthOf (tape: Tape, node: number): number {
  return tape.ends[node] - tape.starts[node]
}

/** One for each type of JSON, by the first character of a value. */
export function typeOf (kind: string): string {
  if (kind === 'f') return 't'
  return kind === '-' || (kind >= '0' && kind <= '9') ? '0' : kind
}
