import { hash } from 'node:crypto'
import { Shapes } from './shape'
import type {
  Mismatch, MismatchCount, MismatchGroup, MismatchList, MismatchShape, OtherMismatches
} from '../../types/index'

type StatusPair = Omit<OtherMismatches, keyof MismatchCount>

/** Status pairs with a group of `other` mismatches; those of further pairs are counted in one, without statuses. */
const MAX_OTHERS = 64
/** Of the groups that may be stored, those that keys of one object may make. */
const SHARE_OF_ONE_OBJECT = 1 / 4
const FEWEST_KEYS = 8

/**
 * Counts mismatches by kind. Nothing that is stored is ever thrown out, so that what is frequent cannot push out what is
 * rare: when there are as many groups as the limit, new kinds are counted together.
 */
export class MismatchGroups {
  readonly #limit: number
  readonly #shapes: Shapes
  // Both in the order of their last mismatches.
  readonly #groups = new Map<string, MismatchGroup>()
  readonly #others = new Map<string, OtherMismatches>()

  constructor (limit: number) {
    this.#limit = limit
    this.#shapes = new Shapes(Math.max(FEWEST_KEYS, Math.floor(limit * SHARE_OF_ONE_OBJECT)))
  }

  /** Counts a mismatch, and returns the id of its group. */
  add (mismatch: Mismatch): string {
    const shape = this.#shapes.of(mismatch)
    const id = idOf([
      shape.backend, shape.primaryStatus, shape.mirrorStatus, shape.headers, shape.pointers, shape.body
    ])
    if (this.#groups.has(id) || this.#groups.size < this.#limit) return count<MismatchShape>(this.#groups, id, shape, mismatch)
    const { backend, primaryStatus, mirrorStatus } = mismatch
    const pair = idOf([backend, primaryStatus, mirrorStatus, 'other'])
    if (this.#others.has(pair) || this.#others.size < MAX_OTHERS) {
      return count<StatusPair>(this.#others, pair, { backend, primaryStatus, mirrorStatus }, mismatch)
    }
    const rest = { backend, primaryStatus: null, mirrorStatus: null }
    return count<StatusPair>(this.#others, idOf([backend, 'other']), rest, mismatch)
  }

  list (): MismatchList {
    return {
      limit: this.#limit,
      limited: this.#others.size > 0,
      groups: latestFirst(this.#groups),
      others: latestFirst(this.#others)
    }
  }

  get (id: string): MismatchGroup | OtherMismatches | undefined {
    const group = this.#groups.get(id) ?? this.#others.get(id)
    return group === undefined ? undefined : shown(group)
  }

  clear (): void {
    this.#shapes.clear()
    this.#groups.clear()
    this.#others.clear()
  }
}

function idOf (key: readonly unknown[]): string {
  return hash('sha256', JSON.stringify(key)).slice(0, 12)
}

function count<Kind> (
  groups: Map<string, Kind & MismatchCount>, id: string, kind: Kind, mismatch: Mismatch
): string {
  const { time } = mismatch
  const known = groups.get(id)
  const group = known ?? { id, ...kind, count: 0, first: time, last: time, example: mismatch }
  group.count++
  group.last = time
  group.example = mismatch
  groups.delete(id)
  groups.set(id, group)
  return id
}

function latestFirst<Group extends object> (groups: Map<string, Group>): Group[] {
  return [...groups.values()].reverse().map(shown)
}

/**
 * A copy, which later mismatches do not change. What is in it, and is stored, is frozen from now on: whoever sees it can not
 * change it.
 */
function shown<Group extends object> (group: Group): Group {
  const copy = { ...group }
  Object.values(copy).forEach(freeze)
  return copy
}

/** All of plain data. What is frozen has been frozen here, to its ends. */
function freeze (value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return
  Object.values(Object.freeze(value)).forEach(freeze)
}
