import { HOP_BY_HOP } from '../http'

/**
 * What is never compared: what differs from answer to answer anyway, and what belongs to one connection alone (RFC 9110
 * section 7.6.1) or follows from the body's length.
 */
export const ALWAYS_IGNORED: readonly string[] = [
  'date', 'age', 'x-request-id', 'content-length', ...HOP_BY_HOP
]
