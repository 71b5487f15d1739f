import type { BackendPatch, CompareRule, NoiseDecision, SwitchState } from '../../types/index'
import { copyOptions } from './copy'
import { invalid, unknownKey } from './fail'
import type { Place } from './fail'
import { checkRules } from './rules'
import { backendPatchSchema, mirrorPatchSchema, noiseDecisionSchema, switchPatchSchema } from './schema'
import { showPath, showValue } from './show'
import { validateBackendPatch, validateMirrorPatch, validateNoiseDecision, validateSwitchPatch } from './validate'

/** A change of a mirror, checked as a whole. What is `undefined` stays as it is. */
export interface MirrorPatch extends BackendPatch {
  readonly reconnect?: true
  readonly rules?: CompareRule[]
  readonly by?: string
  readonly backends: ReadonlyMap<string, BackendPatch>
}

/**
 * A change that somebody asks of the mirror `id`, whose backends have these names. `diffs`: whether it compares in
 * detail.
 * @throws FST_MIRROR_INVALID_OPTION, FST_MIRROR_UNKNOWN_OPTION, with status code 400
 */
export function readMirrorPatch (raw: unknown, id: string, names: readonly string[], diffs: boolean): MirrorPatch {
  return asked(() => {
    const place = { owner: `mirror ${showValue(id)}`, root: '' }
    const { backends = {}, ...own } = validateMirrorPatch(copyOptions(raw, mirrorPatchSchema, place), place)
    if (own.rules !== undefined) {
      if (!diffs) throw invalid(place, ['rules'], 'left out: this mirror has no compare.detailedDiff', own.rules)
      checkRules(own.rules, ['rules'], place)
    } else if (own.by !== undefined) {
      throw invalid(place, ['by'], 'left out: it says who sets rules, and none are given', own.by)
    }
    return { ...own, backends: readBackends(backends, names, place) }
  })
}

function readBackends (
  raw: Record<string, unknown>, names: readonly string[], place: Place
): Map<string, BackendPatch> {
  const patches = new Map<string, BackendPatch>()
  for (const [name, patch] of Object.entries(raw)) {
    if (!names.includes(name)) throw unknownKey(place, ['backends', name], patch, names)
    const own = { owner: place.owner, root: showPath('backends', [name]) }
    patches.set(name, validateBackendPatch(copyOptions(patch, backendPatchSchema, own), own))
  }
  return patches
}

/**
 * A change that somebody asks of all mirrors.
 * @throws FST_MIRROR_INVALID_OPTION, FST_MIRROR_UNKNOWN_OPTION, with status code 400
 */
export function readSwitchPatch (raw: unknown): Partial<SwitchState> {
  return asked(() => {
    const place = { owner: 'all mirrors', root: '' }
    return validateSwitchPatch(copyOptions(raw, switchPatchSchema, place), place)
  })
}

/**
 * What somebody decides of the proposals of the mirror `id`.
 * @throws FST_MIRROR_INVALID_OPTION, FST_MIRROR_UNKNOWN_OPTION, with status code 400
 */
export function readNoiseDecision (raw: unknown, id: string): Required<NoiseDecision> {
  return asked(() => {
    const place = { owner: `mirror ${showValue(id)}`, root: '' }
    return validateNoiseDecision(copyOptions(raw, noiseDecisionSchema, place), place) as Required<NoiseDecision>
  })
}

/** An error here is the fault of whoever asked, and an app may pass it on as it is. */
export function asked<T> (read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw Object.assign(error as Error, { statusCode: 400 })
  }
}
