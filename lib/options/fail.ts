import {
  FST_MIRROR_CONFLICTING_OPTIONS,
  FST_MIRROR_INVALID_OPTION,
  FST_MIRROR_UNKNOWN_OPTION
} from '../errors'
import { showPath, showValue } from './show'
import { suggest } from './suggest'

/** Where options come from, for messages. */
export interface Place {
  /** `route "GET /"` or `plugin options`. */
  readonly owner: string
  /** The beginning of paths: `mirror`, `defaults`, or nothing. */
  readonly root: string
}

export function invalid (place: Place, keys: readonly string[], allowed: string, value: unknown): Error {
  const path = showPath(place.root, keys) || 'options'
  return new FST_MIRROR_INVALID_OPTION(place.owner, path, allowed, showValue(value, keys))
}

/** @param known the keys that exist beside it, or a text that says what may be there */
export function unknownKey (
  place: Place, keys: readonly string[], value: unknown, known: readonly string[] | string
): Error {
  const path = showPath(place.root, keys)
  if (typeof known === 'string') {
    return new FST_MIRROR_UNKNOWN_OPTION(place.owner, path, showValue(value, keys), '', known)
  }
  const nearest = suggest(keys[keys.length - 1], known)
  const hint = nearest === undefined ? '' : `, did you mean "${nearest}"?`
  // A misspelled `connect` holds what the well-spelled one holds.
  const shown = showValue(value, nearest === undefined ? keys : [...keys, nearest])
  return new FST_MIRROR_UNKNOWN_OPTION(place.owner, path, shown, hint, known.join(', '))
}

export function conflicting (place: Place, keys: readonly string[], first: string, second: string): Error {
  return new FST_MIRROR_CONFLICTING_OPTIONS(
    place.owner, showPath(place.root, [...keys, first]), showPath(place.root, [...keys, second])
  )
}
