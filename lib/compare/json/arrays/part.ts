import type { Standing } from '../../rules/standing'
import type { Tape } from '../../tape'
import type { Fingerprints } from './fingerprint'

/** One side's items of an array, as far as they have to be brought together with the other side's. */
export interface Part {
  readonly tape: Tape
  /** Of the document, and made when they are first asked for. */
  readonly fingerprints: () => Fingerprints
  readonly nodes: readonly number[]
  /** Of the array, among the rules. */
  readonly at: Standing
  /** Of the first of them, in the whole array. */
  readonly index: number
  /** Items of the whole array. */
  readonly whole: number
}

/** What is one for items that belong together, for each item of either side: from 0. */
export interface Labels {
  readonly a: Int32Array
  readonly b: Int32Array
  /** How many different ones there are. */
  readonly count: number
}

/** Items between two places where the work can be put off. */
export const ITEMS_A_STEP = 512
