import type { CompareRule, NoiseList } from '../../types/index'
import type { Evidence } from '../noise/evidence'
import { mayBeAccepted, proposalsOf, ruleOf, showProposal } from '../noise/proposals'
import type { Proposal, ProposalContext } from '../noise/proposals'
import type { NoiseConfig } from '../options/config'

/** Milliseconds between two looks for rules that need no person: what is accepted together begins one period. */
const PACE_MS = 60_000

/** What is proposed of one mirror, and what was decided. */
export class Noise {
  readonly #config: NoiseConfig
  readonly #mirror: { readonly id: string }
  readonly #backends: number
  readonly #clock: () => number
  #lookedAt: number
  /** Ids of what is not to be proposed again. */
  readonly #dismissed = new Set<string>()

  /** `mirror`: its id may change until the app is ready. `clock`: in milliseconds. */
  constructor (
    config: NoiseConfig, mirror: { readonly id: string }, backends: number,
    clock: () => number = () => performance.now()
  ) {
    this.#config = config
    this.#mirror = mirror
    this.#backends = backends
    this.#clock = clock
    this.#lookedAt = clock()
  }

  get #context (): ProposalContext {
    return { mirror: this.#mirror.id, backends: this.#backends, ofShadow: this.#config.from === 'shadow' }
  }

  #idOf ({ spot, own }: Proposal): string {
    return spot.idOf(this.#mirror.id, own.endpoint.name)
  }

  /** What is neither dismissed nor in force already. */
  #open (evidence: Evidence, inForce: readonly CompareRule[]): Proposal[] {
    const known = new Set(inForce.map(rule => JSON.stringify(rule)))
    return proposalsOf(evidence, this.#context).filter(proposal => {
      return !this.#dismissed.has(this.#idOf(proposal)) && !known.has(JSON.stringify(ruleOf(proposal)))
    })
  }

  /** `inForce`: the rules by which answers are compared already. */
  list (evidence: Evidence, inForce: readonly CompareRule[]): NoiseList {
    const context = this.#context
    const proposals = this.#open(evidence, inForce).map(each => showProposal(each, context))
    return { dismissed: this.#dismissed.size, proposals }
  }

  /** The rules of proposals with these ids; ids that nothing stands for are left out. */
  rulesOf (evidence: Evidence, inForce: readonly CompareRule[], ids: readonly string[]): CompareRule[] {
    return this.#open(evidence, inForce).filter(proposal => ids.includes(this.#idOf(proposal))).map(ruleOf)
  }

  dismiss (evidence: Evidence, ids: readonly string[]): void {
    for (const proposal of this.#open(evidence, [])) {
      const id = this.#idOf(proposal)
      if (ids.includes(id)) this.#dismissed.add(id)
    }
  }

  /** The rules that need no person. Empty: there is none, or the last look was just now. */
  due (evidence: Evidence, inForce: readonly CompareRule[]): CompareRule[] {
    const now = this.#clock()
    if (!this.#config.auto || now - this.#lookedAt < PACE_MS) return []
    this.#lookedAt = now
    return this.#open(evidence, inForce).filter(proposal => mayBeAccepted(proposal, this.#backends)).map(ruleOf)
  }
}
