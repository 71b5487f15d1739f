import { AnswerComparer, HashComparer } from '../compare/answers'
import type { Comparer, DiffOptions } from '../compare/answers'
import { RepeatComparer } from '../compare/repeats'
import type { Guard } from '../guard'
import { Share } from './budget'
import type { Budget } from './budget'
import { Deadlines } from './deadlines'
import type { Expiring } from './deadlines'
import { Connections } from './http/connections'
import type { Pacer } from './http/pacer'
import type { LoopClock } from './loop-clock'
import type { TargetOptions } from './types'

/** The part that all copies to one backend share. */
export class Target {
  readonly maxBacklogBytes: number
  /** Deadlines of copies. */
  readonly deadlines: Deadlines<Expiring>
  /** Deadlines of bodies that the client stopped to send. */
  readonly stalls: Deadlines<Expiring>
  readonly clock: LoopClock
  readonly budget: Budget
  readonly share: Share
  readonly guard: Guard
  comparer: Comparer
  /** Of answers of one version. */
  repeatComparer: RepeatComparer
  /** Bytes of an answer that are kept for the comparer. */
  readonly maxCapture: number
  readonly connections: Connections

  constructor (options: TargetOptions, pacer: Pacer, budget: Budget, guard: Guard, clock: LoopClock) {
    this.maxBacklogBytes = options.maxBacklogBytes
    this.clock = clock
    this.deadlines = new Deadlines(options.timeout, clock, guard)
    this.stalls = new Deadlines(options.bodyTimeout, clock, guard)
    this.budget = budget
    this.share = new Share(budget)
    this.guard = guard
    const { diff, maxCoded } = options
    this.comparer = diff === null ? new HashComparer(maxCoded, budget, guard) : new AnswerComparer(diff, budget, guard)
    this.repeatComparer = new RepeatComparer(this.comparer)
    this.maxCapture = diff?.maxBodyCapture ?? maxCoded
    this.connections = new Connections(options.origin, options.connect, pacer, guard, budget.blocks?.onread)
  }

  /** Answers are compared so from now on. */
  setDiff (diff: DiffOptions): void {
    this.comparer = new AnswerComparer(diff, this.budget, this.guard)
    this.repeatComparer = new RepeatComparer(this.comparer)
  }

  /** Ends every copy that has a connection, and all connections. */
  async close (error: Error): Promise<void> {
    const closed = this.connections.close(error)
    this.deadlines.close()
    this.stalls.close()
    await closed
  }
}
