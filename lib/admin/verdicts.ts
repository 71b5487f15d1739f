import { setImmediate as nextTurn } from 'node:timers/promises'
import type { MirrorVerdict, MirrorsVerdict } from '../../types/index'
import type { Mirror } from '../mirror/mirror'
import type { Period } from '../mirror/period'
import { worst } from '../verdict/judge'
import type { Steps } from '../steps'
import { SHARED } from './numbers'

interface Told {
  period: Period
  at: number
  verdict: Promise<MirrorVerdict>
}

/**
 * The verdicts on mirrors, made at most once a second in one period, and on one backend in a turn of the event loop.
 */
export class Verdicts {
  readonly mirrors: () => ReadonlyMap<string, Mirror>
  readonly #told = new Map<Mirror, Told>()

  constructor (mirrors: () => ReadonlyMap<string, Mirror>) {
    this.mirrors = mirrors
  }

  /** `age`: milliseconds that it may be old. */
  of (mirror: Mirror, age = SHARED): Promise<MirrorVerdict> {
    const at = performance.now()
    const known = this.#told.get(mirror)
    if (known !== undefined && known.period === mirror.period && at - known.at <= age) return known.verdict
    const verdict = inTurns(mirror.verdictSteps())
    this.#told.set(mirror, { period: mirror.period, at, verdict })
    return verdict
  }

  async ofAll (age?: number): Promise<MirrorsVerdict> {
    const mirrors: MirrorVerdict[] = []
    for (const mirror of this.mirrors().values()) mirrors.push(await this.of(mirror, age))
    return { verdict: worst(mirrors.map(({ verdict }) => verdict)), mirrors }
  }

  /** The next to ask sees what was changed. */
  forget (): void {
    this.#told.clear()
  }
}

export async function inTurns<Result> (steps: Steps<Result>): Promise<Result> {
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
    await nextTurn()
  }
}
