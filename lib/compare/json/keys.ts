import type { Steps } from '../../steps'
import type { Tape } from '../tape'

/** Keys between two places where the work can be put off. */
const KEYS_A_STEP = 128

/**
 * A key in quotes, without escapes. The quotes keep digits from being hashed as an index, which can be made to collide.
 */
export function keyAt (tape: Tape, node: number): string {
  const source = tape.source(node)
  return source.includes('\\') ? `"${tape.string(node)}"` : source
}

/** An object's keys with their places; `null` where one is repeated. */
export function * keysOf (tape: Tape, first: number, end: number): Steps<Map<string, number> | null> {
  const keys = new Map<string, number>()
  let pause = KEYS_A_STEP
  for (let node = first; node < end; node = tape.nexts[node + 1]) {
    if (--pause === 0) {
      pause = KEYS_A_STEP
      yield
    }
    const key = keyAt(tape, node)
    if (keys.has(key)) return null
    keys.set(key, node)
  }
  return keys
}
