import type { Standing } from '../rules/standing'
import type { SecretMembers } from '../secrets/pairs'
import type { Tape } from '../tape'
import type { Plan } from './arrays/align'

/** Two containers whose children are being compared. */
export interface Level {
  /** Among the rules. */
  readonly at: Standing
  /** The first child of each; of an object, the first key; 0: that side has no such container. */
  readonly firstA: number
  readonly firstB: number
  /** The next child of each, and where they end. */
  a: number
  readonly endA: number
  b: number
  readonly endB: number
  /** Whether they are arrays. */
  readonly array: boolean
  /** The key or index of the child that is being compared; of an item that stands elsewhere, the primary's. */
  segment: string
  /** Of arrays, once it is known: how their items belong together, and the pair that is being compared. */
  plan: Plan | null
  pair: number
  /** Of an object that differs: which members are secret because another one says so, on either side. */
  secrets: [SecretMembers, SecretMembers] | null
  /** Once the keys are out of step: the shadow's keys with their places. Those that were met are taken out. */
  unmet: Map<string, number> | null
  /** Those that are left once all of the primary's keys were met. */
  added: Iterator<[string, number]> | null
}

/** Of two containers of one type: arrays, or else objects. */
export function levelOf (
  tapeA: Tape, a: number, tapeB: Tape, b: number, array: boolean, at: Standing
): Level {
  return {
    at,
    firstA: a + 1,
    firstB: b + 1,
    a: a + 1,
    endA: tapeA.nexts[a],
    b: b + 1,
    endB: tapeB.nexts[b],
    array,
    segment: '',
    plan: null,
    pair: -1,
    secrets: null,
    unmet: null,
    added: null
  }
}

/** Of a container that one side alone has. */
export function levelOfOne (tape: Tape, node: number, side: 'a' | 'b', at: Standing): Level {
  const level = levelOf(tape, node, tape, node, tape.kind(node) === '[', at)
  if (side === 'a') return { ...level, firstB: 0, b: 0, endB: 0 }
  return { ...level, firstA: 0, a: 0, endA: 0 }
}
