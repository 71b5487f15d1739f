import type { ComparedAnswer } from './answer'
import type { Comparer, Comparison } from './answers'
import { valueOf } from './headers'

/**
 * Compares two answers of one version. What a cache gave once more says nothing of what the version makes anew: such a
 * pair is told as `cached`, whether it differs or not. What was made at one moment under one validator may come from a
 * cache: only what differs in such a pair says something.
 */
export class RepeatComparer implements Pick<Comparer, 'compare'> {
  readonly #comparer: Pick<Comparer, 'compare'>

  /** `comparer`: of what is told of the others. */
  constructor (comparer: Pick<Comparer, 'compare'>) {
    this.#comparer = comparer
  }

  compare (
    first: ComparedAnswer, second: ComparedAnswer, endpoint: string, tell: (comparison: Comparison) => void
  ): void {
    if (isCached(first) || isCached(second)) {
      tell('cached')
    } else {
      const same = isSame(first, second)
      this.#comparer.compare(first, second, endpoint, outcome => tell(same && outcome === null ? 'cached' : outcome))
    }
  }
}

/** A cache says so: RFC 9111, section 5.1; `X-Cache: HIT`, as many of them write; a 304 is its own answer kept. */
function isCached ({ status, headers }: ComparedAnswer): boolean {
  return status === 304 || valueOf(headers, 'age') !== undefined || /\bhit\b/i.test(valueOf(headers, 'x-cache') ?? '')
}

/** Made at one moment, under one validator. */
function isSame (first: ComparedAnswer, second: ComparedAnswer): boolean {
  return isShared(first, second, 'etag') && isShared(first, second, 'date')
}

function isShared ({ headers }: ComparedAnswer, second: ComparedAnswer, name: string): boolean {
  const value = valueOf(headers, name)
  return value !== undefined && value === valueOf(second.headers, name)
}
