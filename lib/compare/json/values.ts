import { canonicalNumber } from '../decimal'
import type { Tape } from '../tape'

/** Values up to this many characters are first compared as text, which is quick and most often enough. */
const MAX_SHORTCUT = 1024

/** In place of a node: that side has none. */
export const NONE = -1

/** Whether two values are the same, containers apart: strings without regard to escapes, numbers by exact value. */
export function equalScalars (a: Tape, nodeA: number, b: Tape, nodeB: number): boolean {
  const textA = a.source(nodeA)
  const textB = b.source(nodeB)
  if (textA === textB) return true
  if (isNumber(textA) && isNumber(textB)) return canonicalNumber(textA) === canonicalNumber(textB)
  if (textA[0] !== '"' || textB[0] !== '"') return false
  return (textA.includes('\\') || textB.includes('\\')) && a.string(nodeA) === b.string(nodeB)
}

/** Whether two values are written alike. A long one counts as written in another way. */
export function sameText (a: Tape, nodeA: number, b: Tape, nodeB: number): boolean {
  const length = a.ends[nodeA] - a.starts[nodeA]
  return length <= MAX_SHORTCUT && length === b.ends[nodeB] - b.starts[nodeB] && a.source(nodeA) === b.source(nodeB)
}

function isNumber (source: string): boolean {
  return source[0] === '-' || (source[0] >= '0' && source[0] <= '9')
}
