import { door } from '../guard'
import type { IncomingHttpHeaders } from 'node:http'
import { isPromise } from 'node:util/types'

/** The part of a request that a header name is looked up in. */
interface Headed {
  readonly headers: IncomingHttpHeaders
}

/** A request's sampling key; `undefined`: it has none. Never throws. */
export type KeyReader<R> = (request: R) => string | undefined

/**
 * Reads the key that the option `sampleBy` names: a header in lower case, or the user's function. An absent or empty
 * key is none; numbers become text. A function that throws, or that returns anything else, a promise included, is
 * reported to `failed` and gives none.
 */
export function keyReader<R extends Headed> (
  sampleBy: string | ((request: R) => unknown) | null,
  failed: (error: unknown) => void
): KeyReader<R> {
  if (sampleBy === null) return noKey
  if (typeof sampleBy === 'string') return request => headerKey(request.headers[sampleBy])
  return request => {
    try {
      return functionKey(sampleBy(request), failed)
    } catch (error) {
      failed(error)
    }
  }
}

function noKey (): undefined {}

function headerKey (value: unknown): string | undefined {
  // A name like `constructor` is inherited by `headers`, and is no header.
  return typeof value === 'string' && value !== '' ? value : undefined
}

function functionKey (value: unknown, failed: (error: unknown) => void): string | undefined {
  if (typeof value === 'string') return value === '' ? undefined : value
  if (value === undefined || value === null) return undefined
  if (typeof value === 'number' || typeof value === 'bigint') return String(value)
  // Nobody else would handle the rejection of an async function.
  if (isPromise(value)) value.catch(door(failed))
  throw new TypeError(`sampleBy must return a string or undefined, not ${typeof value}`)
}
