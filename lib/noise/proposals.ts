import type { CompareRule, NoiseProposal } from '../../types/index'
import { percent } from '../verdict/words'
import { isSurelyNoMore } from './bounds'
import type { EndpointEvidence, Evidence } from './evidence'
import { wordsOf } from './rule'
import type { NoiseRule } from './rule'
import type { Spot } from './spot'

/** Repeats that must differ at a place before its rule may be accepted without a person. */
const LEAST_FOR_AUTO = 30
/** What tells little of a value must be accepted by a person; so must text of no format, as it may be anything. */
const AUTO_KINDS: ReadonlySet<string> = new Set(['unordered', 'tolerance', 'format'])

/** A rule for one place, and what speaks for it. */
export interface Proposal {
  readonly own: EndpointEvidence
  readonly spot: Spot
  readonly rule: NoiseRule
  /** By what differs between the versions alone: none of its requests can be asked twice. */
  readonly byForm: boolean
}

export interface ProposalContext {
  /** The mirror's id. */
  readonly mirror: string
  readonly backends: number
  /** Whether the shadow itself is asked twice. */
  readonly ofShadow: boolean
}

/** All that is proposed, those first that explain most mismatches. */
export function proposalsOf (evidence: Evidence, { backends }: Pick<ProposalContext, 'backends'>): Proposal[] {
  const all: Proposal[] = []
  for (const own of evidence.all) {
    for (const spot of own.spots.values()) {
      const rule = spot.standing ?? formOf(own, spot, backends)
      if (rule !== null) all.push({ own, spot, rule, byForm: spot.standing === null })
    }
  }
  return all.sort((a, b) => b.spot.between.explainedBy(b.rule) - a.spot.between.explainedBy(a.rule))
}

function formOf (own: EndpointEvidence, spot: Spot, backends: number): NoiseRule | null {
  return own.repeats + own.cached + own.repeatable > 0 ? null : spot.byForm(own.compared(backends))
}

/** As it can be put into `compare.rules`. A key of JSON may have what would be a notation. */
export function ruleOf ({ own, spot, rule }: Proposal): CompareRule {
  const at = spot.ofWhole ? '' : spot.where.startsWith('/') ? spot.where.replaceAll('[', '~3') : spot.where
  return { at, endpoint: own.endpoint.name, [rule.kind]: rule.value } as CompareRule
}

/** Whether a rule needs no person: it explains surely not much more between versions than within one. */
export function mayBeAccepted ({ own, spot, rule, byForm }: Proposal, backends: number): boolean {
  const isTight = AUTO_KINDS.has(rule.kind) && rule.value !== 'opaque'
  if (byForm || !isTight || spot.ofWhole || spot.within.count < LEAST_FOR_AUTO) return false
  const between = { count: spot.between.explainedBy(rule), total: own.compared(backends) }
  const within = { count: spot.within.explainedBy(rule), total: own.repeats + own.cached }
  return between.total > 0 && isSurelyNoMore(between, within)
}

export function showProposal (proposal: Proposal, { mirror, backends, ofShadow }: ProposalContext): NoiseProposal {
  const { own, spot, rule, byForm } = proposal
  const compared = own.compared(backends)
  const explains = spot.between.explainedBy(rule)
  return {
    id: spot.idOf(mirror, own.endpoint.name),
    endpoint: own.endpoint.name,
    where: spot.where,
    rule: ruleOf(proposal),
    basis: byForm ? 'form' : 'repeats',
    repeats: own.repeats,
    differing: spot.within.count,
    cached: own.cached,
    compared,
    mismatches: spot.between.count,
    explains,
    text: byForm ? textOfForm(proposal, compared, explains) : textOfRepeats(proposal, explains),
    note: noteOf(byForm, ofShadow),
    examples: spot.examples.map(example => ({ ...example }))
  }
}

function textOfRepeats ({ own, spot, rule }: Proposal, explains: number): string {
  const { repeats, cached } = own
  const { within, between } = spot
  const pairs = `differs in ${within.count} of ${repeats} repeats, ${percent(within.count / repeats)}, ${wordsOf(rule)}`
  const ofCaches = cached > 0 ? ` (${cached} more came from a cache)` : ''
  const found = between.count === 0
    ? 'no mismatch has differed there yet'
    : `would explain ${explains} of ${between.count} mismatches that differ there`
  return `${pairs}${ofCaches}; ${found}`
}

function textOfForm ({ rule }: Proposal, compared: number, explains: number): string {
  return `${wordsOf(rule)} in ${explains} of ${compared} comparisons`
}

function noteOf (byForm: boolean, ofShadow: boolean): string | null {
  if (byForm) return 'weaker: by the form of the values alone, as these requests are not asked twice'
  return ofShadow ? 'the shadow differs from itself here: noise, or a fault that comes and goes' : null
}
