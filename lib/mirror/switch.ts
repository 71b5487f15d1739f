import type { BackendPatch } from '../../types/index'
import type { MirrorPatch } from '../options/patch'

/** Over the switches of all mirrors: off, none of them mirrors; on again, each is as it was. */
export interface MainSwitch {
  enabled: boolean
}

/** Settings of a mirror or a backend that can be changed while the app runs. */
export interface Settings {
  enabled: boolean
  percentage: number
}

/** Values of what was changed, as a log line shows them. */
export interface Change {
  readonly before: Record<string, unknown>
  readonly after: Record<string, unknown>
}

const KEYS = ['enabled', 'percentage'] as const

/** Takes effect on the next request. `backends`: of the patch, each must be one of these. */
export function changeMirror (
  own: Settings, backends: ReadonlyArray<Settings & { name: string }>, patch: MirrorPatch
): Change {
  const { before, after } = change(own, patch)
  const theirs = backends
    .filter(({ name }) => patch.backends.has(name))
    .map(backend => ({ name: backend.name, ...change(backend, patch.backends.get(backend.name) as BackendPatch) }))
    .filter(isChange)
  if (theirs.length > 0) {
    before.backends = Object.fromEntries(theirs.map(({ name, before }) => [name, before]))
    after.backends = Object.fromEntries(theirs.map(({ name, after }) => [name, after]))
  }
  return { before, after }
}

/** Whether anything is other than before. */
export function isChange ({ after }: Change): boolean {
  return Object.keys(after).length > 0
}

export function change (settings: Partial<Settings>, patch: BackendPatch): Change {
  const before: Record<string, unknown> = {}
  const after: Record<string, unknown> = {}
  for (const key of KEYS) {
    if (patch[key] === undefined || patch[key] === settings[key]) continue
    before[key] = settings[key]
    after[key] = patch[key]
  }
  Object.assign(settings, after)
  return { before, after }
}
