import { isCoded, sameCodings } from './decode'
import type { DecodeFailure } from './decode'

/** Bytes of a body without its codings, or why they are not known. */
export type DecodedLength = number | DecodeFailure | 'memory'

/** What two bodies that were not both decoded are: the first two differ for certain, of the rest it is not known. */
export type Undecided = 'too long' | 'not decodable' | 'encoding' | 'memory' | 'busy' | 'error'

/** Whether it is of no use to decode the other body as well. */
export function isFinal (length: DecodedLength): length is 'memory' | 'busy' | 'error' {
  return length === 'memory' || length === 'busy' || length === 'error'
}

/** Of a body that is longer than what is captured: how long it is is known where it is not coded. */
export function lengthOfUncaptured (contentEncoding: string | undefined, limit: number): DecodedLength {
  return isCoded(contentEncoding ?? '') ? 'encoding' : limit + 1
}

interface Side {
  contentEncoding: string | undefined
  length: DecodedLength
}

/**
 * What is known of two bodies whose bytes differ, and of which one at least could not be looked into. Coded bytes say
 * nothing: the same content comes in other bytes from each compressor, and from each version of one. Two lengths of
 * which only one is within the limit do.
 */
export function undecided (primary: Side, shadow: Side, limit: number): Undecided {
  const [one, other] = [primary.length, shadow.length]
  if (isFinal(one)) return one
  if (isFinal(other)) return other
  // Neither is coded, or one is within the limit and the other is not.
  if (isKnown(one) && isKnown(other)) return 'too long'
  if ((isWithin(one, limit) && other === 'too long') || (one === 'too long' && isWithin(other, limit))) {
    return 'too long'
  }
  const broken = one === 'not decodable' || other === 'not decodable'
  return broken && sameCodings(primary.contentEncoding, shadow.contentEncoding) ? 'not decodable' : 'encoding'
}

function isKnown (length: DecodedLength): length is number {
  return typeof length === 'number'
}

function isWithin (length: DecodedLength, limit: number): boolean {
  return isKnown(length) && length <= limit
}
