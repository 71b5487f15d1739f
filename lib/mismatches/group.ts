import type { Mismatch, MismatchCount } from '../../types/index'

/** A mismatch that is shown when somebody asks for it. */
export interface Shown {
  /** Characters. */
  readonly size: number
  read (): Mismatch
}

/** Mismatches of one kind, as they are counted. `What`: the kind. */
export class Group<What> {
  readonly id: string
  readonly #what: What
  readonly #first: number
  count = 0
  last: number
  /** Among all groups, by their last mismatches. */
  turn = 0
  /** `null`: there was no room for one, or no time. */
  example: Shown | null = null

  constructor (id: string, what: What, first: number) {
    this.id = id
    this.#what = what
    this.#first = this.last = first
  }

  /** Without the example, which takes time to mask. To be read at once: it is the store's own. */
  summary (): What & Omit<MismatchCount, 'example'> {
    const { id, count, last } = this
    return { id, ...this.#what, count, first: new Date(this.#first).toISOString(), last: new Date(last).toISOString() }
  }

  /**
   * A copy, which later mismatches do not change. What is in it, and is stored, is frozen from now on: whoever sees it can not
   * change it. The example is masked when somebody looks at it.
   */
  show (): What & MismatchCount {
    const { example } = this
    const group = this.summary()
    Object.values(group).forEach(freeze)
    return Object.defineProperty(group, 'example', {
      get: () => example === null ? null : freeze(example.read()),
      enumerable: true,
      configurable: true
    }) as What & MismatchCount
  }
}

/** All of plain data. What is frozen has been frozen here, to its ends. */
function freeze<T> (value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  Object.values(Object.freeze(value)).forEach(freeze)
  return value
}
