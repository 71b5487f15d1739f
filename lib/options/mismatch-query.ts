import type { MismatchQuery } from '../../types/index'
import { copyOptions } from './copy'
import { asked } from './patch'
import { mismatchQuerySchema } from './schema'
import { showValue } from './show'
import { validateMismatchQuery } from './validate'

/** Which of a mirror's places are asked for, in which order. */
export type MismatchFilter = MismatchQuery & Required<Pick<MismatchQuery, 'sort' | 'limit'>>

/**
 * Reads a query for the mirror `id`.
 * @throws FST_MIRROR_INVALID_OPTION, FST_MIRROR_UNKNOWN_OPTION, with status code 400
 */
export function readMismatchQuery (raw: unknown, id: string): MismatchFilter {
  return asked(() => {
    const place = { owner: `mirror ${showValue(id)}`, root: '' }
    return validateMismatchQuery(copyOptions(raw, mismatchQuerySchema, place), place) as MismatchFilter
  })
}
