import type { CompareRule } from '../../types/index'

/** The rules by which a mirror's answers are compared. */
export class RulesInForce {
  readonly list: readonly CompareRule[]

  constructor (rules: readonly CompareRule[]) {
    this.list = rules
  }

  /** Whether some are not for every endpoint. */
  get byEndpoint (): boolean {
    return this.list.some(({ endpoint }) => endpoint !== undefined)
  }
}
