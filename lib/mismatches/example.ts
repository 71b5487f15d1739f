import { createMismatch, snapshotOf } from './mismatch'
import type { BodyDifference, HeaderDifference, Mismatch } from '../../types/index'
import type { Redactor } from '../compare/redact'
import type { MismatchInput } from './mismatch'

/** Characters that a line of headers, or a difference, stands for besides its own. */
const OVERHEAD = 32

/**
 * A mismatch that is kept as it came, in bounded size, and masked when somebody reads it: most are replaced by a later one before anybody
 * does. What came can be reached in no other way, and is let go of once it is masked.
 */
export class Example {
  /** Characters, about. */
  readonly size: number
  readonly #redactor: Redactor
  #input: MismatchInput | null
  #shown: Mismatch | null = null

  constructor (input: MismatchInput, redactor: Redactor) {
    this.#input = { ...input, request: snapshotOf(input.request) }
    this.#redactor = redactor
    this.size = sizeOf(this.#input)
  }

  /** Without secrets. It is stored: others get copies, or what is frozen. */
  read (): Mismatch {
    if (this.#shown === null) {
      this.#shown = createMismatch(this.#input as MismatchInput, this.#redactor)
      this.#input = null
    }
    return this.#shown
  }
}

function sizeOf ({ request, headers, body }: MismatchInput): number {
  let size = request.path.length + request.sentPath.length + request.body.length
  for (const text of request.headers) size += text.length + OVERHEAD
  return size + sizeOfHeaders(headers) + sizeOfBody(body)
}

function sizeOfHeaders (headers: readonly HeaderDifference[]): number {
  let size = 0
  for (const { name, primary, mirror } of headers) {
    size += name.length + OVERHEAD
    for (const value of primary) size += value.length + OVERHEAD
    for (const value of mirror) size += value.length + OVERHEAD
  }
  return size
}

function sizeOfBody (body: BodyDifference | null): number {
  if (body?.kind !== 'json') return OVERHEAD
  let size = 0
  for (const { pointer, primary = '', mirror = '' } of body.differences) size += pointer.length + primary.length + mirror.length + OVERHEAD
  return size
}
