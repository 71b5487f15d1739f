import type { DiffOptions } from '../compare/answers'
import { Gate } from '../engine/gate'
import type { Engine, FailureReason } from '../engine/types'
import { Allowance } from '../noise/allowance'
import type { ConnectOptions, MirrorConfig, NoiseConfig, NoiseSource } from '../options/config'
import type { CompareRule, RepeatDropReason } from '../../types/index'
import type { Backend } from './backend'
import { diffOptions, targetOptions } from './target-options'

/** Whom requests are asked once more of: admission, and how many. */
export interface RepeatSource {
  readonly name: string
  /** The engine's handle. */
  readonly target: unknown
  readonly allowance: Allowance
  /** Why none may go out now, or `null`. */
  refusal (now: number): RepeatDropReason | null
  /** One goes out. Returns what `leave` must be told. */
  enter (): number
  leave (opening: number, failure: FailureReason | null): void
}

/**
 * A shadow that is asked once more what it was asked. Copies come first: half of their places are left to them, and
 * what becomes of a repeat the breaker does not hear, as it would change what becomes of copies, and the verdict.
 */
class ShadowSource implements RepeatSource {
  readonly allowance: Allowance
  readonly #backend: Backend

  constructor (backend: Backend, percentage: number) {
    this.#backend = backend
    this.allowance = new Allowance(percentage)
  }

  get name (): string {
    return this.#backend.name
  }

  get target (): unknown {
    return this.#backend.target
  }

  refusal (): RepeatDropReason | null {
    return this.#backend.enabled ? this.#backend.gate.refusalAside() : 'disabled'
  }

  enter (): number {
    this.#backend.gate.enterAside()
    return 0
  }

  leave (): void {
    this.#backend.gate.leaveAside()
  }
}

/** Another instance of the primary's version: it is sent repeats alone, by limits and a breaker of its own. */
export class Reference implements RepeatSource {
  readonly config: NoiseSource
  readonly target: unknown
  readonly allowance: Allowance
  readonly #gate: Gate
  readonly #engine: Engine
  readonly #diff: DiffOptions

  constructor (config: NoiseSource, mirror: MirrorConfig, percentage: number, engine: Engine) {
    this.config = config
    this.#engine = engine
    this.#diff = diffOptions(mirror) as DiffOptions
    this.target = engine.addTarget(targetOptions(config, mirror))
    this.allowance = new Allowance(percentage)
    this.#gate = new Gate(mirror.maxInFlight, mirror.breaker)
  }

  get name (): string {
    return this.config.name
  }

  refusal (now: number): RepeatDropReason | null {
    return this.#gate.refusal(false, now) as 'inFlight' | 'breaker' | null
  }

  enter (): number {
    return this.#gate.enter()
  }

  leave (opening: number, failure: FailureReason | null): void {
    this.#gate.leave(opening, failure)
  }

  /** Another version may have come. */
  reset (): void {
    this.#gate.forgive()
    this.reconnect()
  }

  /** What is compared from now on is compared by other rules. */
  setRules (rules: readonly CompareRule[]): void {
    this.#engine.setDiff(this.target, { ...this.#diff, rules })
  }

  /** From now on repeats go over new connections. `connect`: their options, where they are others than before. */
  reconnect (connect?: ConnectOptions): void {
    this.#engine.retire(this.target, connect)
  }
}

/** Whom a mirror asks once more, and how often. */
export class Repeats {
  readonly config: NoiseConfig
  /** Another instance of the primary's version; `null`: each shadow is asked itself. */
  readonly reference: Reference | null
  readonly #shadows: readonly ShadowSource[]

  constructor (config: NoiseConfig, mirror: MirrorConfig, backends: readonly Backend[], engine: Engine) {
    const { from, percentage } = config
    this.config = config
    this.reference = from === 'shadow' ? null : new Reference(from, mirror, percentage, engine)
    this.#shadows = from === 'shadow' ? backends.map(backend => new ShadowSource(backend, percentage)) : []
  }

  /** Of a copy that goes out to this backend: whom to ask once more. It earns a part of a repeat. */
  ofCopy (backend: number): RepeatSource {
    const source = this.#shadows[backend]
    source.allowance.earn(1)
    return source
  }

  reset (): void {
    this.reference?.reset()
  }
}
