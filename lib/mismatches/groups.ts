import { hash } from 'node:crypto'
import { Group } from './group'
import { Shapes } from './shape'
import type { MismatchCount, MismatchGroup, MismatchList, MismatchShape, OtherMismatches } from '../../types/index'
import type { Shown } from './group'
import type { Kind } from './shape'

type StatusPair = Omit<OtherMismatches, keyof MismatchCount>

/** Status pairs with a group of `other` mismatches; those of further pairs are counted in one, without statuses. */
const MAX_OTHERS = 64
/** Of the groups that may be stored, those that keys of one object may make. */
const SHARE_OF_ONE_OBJECT = 1 / 4
const FEWEST_KEYS = 8
/** Characters of all examples: as many as are read without keeping clients waiting. */
const MAX_EXAMPLES = 1024 * 1024

/** What is stored, the latest first, and not made yet: as that takes time, it is to be done for a few at a time. */
export interface MismatchIndex extends Pick<MismatchList, 'limit' | 'limited' | 'spared'> {
  groups: Array<Group<MismatchShape>>
  others: Array<Group<StatusPair>>
}

/**
 * Counts mismatches by kind. Nothing that is stored is ever thrown out, so that what is frequent cannot push out what is
 * rare: when there are as many groups as the limit, new kinds are counted together.
 */
export class MismatchGroups {
  readonly #limit: number
  readonly #shapes: Shapes
  // Nothing is taken out of them but all at once: maps that are changed without end keep their old tables alive.
  #groups = new Map<string, Group<MismatchShape>>()
  #others = new Map<string, Group<StatusPair>>()
  #turns = 0
  #spared = 0
  /** Characters of examples. */
  #held = 0

  constructor (limit: number) {
    this.#limit = limit
    this.#shapes = new Shapes(Math.max(FEWEST_KEYS, Math.floor(limit * SHARE_OF_ONE_OBJECT)))
  }

  /** Counts a mismatch, and returns the id of its group. `time`: milliseconds since the epoch. */
  add (kind: Kind, time: number, example: Shown): string {
    const what = this.#shapes.of(kind)
    const id = idOf([what.backend, what.primaryStatus, what.mirrorStatus, what.headers, what.pointers, what.body])
    if (this.#groups.has(id) || this.#groups.size < this.#limit) return this.#count(this.#groups, id, what, time, example)
    return this.#addOther(kind, time, example)
  }

  /** Counts a mismatch that there is no time to look at. */
  spare (kind: StatusPair, time: number): void {
    this.#spared++
    this.#addOther(kind, time, null)
  }

  #addOther ({ backend, primaryStatus, mirrorStatus }: StatusPair, time: number, example: Shown | null): string {
    // No hash: it is made for each mismatch that there is no time for.
    const pair = `${primaryStatus} ${mirrorStatus} ${backend}`
    if (this.#others.has(pair) || this.#others.size < MAX_OTHERS) {
      return this.#count(this.#others, pair, { backend, primaryStatus, mirrorStatus }, time, example)
    }
    return this.#count(this.#others, backend, { backend, primaryStatus: null, mirrorStatus: null }, time, example)
  }

  #count<What extends MismatchShape | StatusPair> (
    groups: Map<string, Group<What>>, key: string, what: What, time: number, example: Shown | null
  ): string {
    let group = groups.get(key)
    if (group === undefined) {
      const id = 'pointers' in what ? key : idOf(what.primaryStatus === null ? [what.backend, 'other'] : [...Object.values(what), 'other'])
      group = new Group(id, what, time)
      groups.set(key, group)
    }
    group.count++
    group.last = time
    group.turn = ++this.#turns
    if (example !== null) this.#keep(group, example)
    return group.id
  }

  /** Where there is no room for it, the group keeps the example that it has. */
  #keep (group: Group<unknown>, example: Shown): void {
    const held = this.#held + example.size - (group.example?.size ?? 0)
    if (held > MAX_EXAMPLES) return
    this.#held = held
    group.example = example
  }

  index (): MismatchIndex {
    return {
      limit: this.#limit,
      limited: this.#others.size > 0,
      spared: this.#spared,
      groups: latestFirst(this.#groups),
      others: latestFirst(this.#others)
    }
  }

  list (): MismatchList {
    const { groups, others, ...rest } = this.index()
    return { ...rest, groups: groups.map(group => group.show()), others: others.map(other => other.show()) }
  }

  get (id: string): MismatchGroup | OtherMismatches | undefined {
    const group = this.#groups.get(id)
    if (group !== undefined) return group.show()
    for (const other of this.#others.values()) if (other.id === id) return other.show()
    return undefined
  }

  clear (): void {
    this.#shapes.clear()
    this.#groups = new Map()
    this.#others = new Map()
    this.#spared = this.#held = 0
  }
}

function idOf (key: readonly unknown[]): string {
  return hash('sha256', JSON.stringify(key)).slice(0, 12)
}

function latestFirst<What> (groups: Map<string, Group<What>>): Array<Group<What>> {
  return [...groups.values()].sort((a, b) => b.turn - a.turn)
}
