import { isPromise } from 'node:util/types'
import type { ConnectOptions, ConnectSource } from './config'
import { givenSchema, idleConnectKey } from './connect'
import { copyOptions } from './copy'
import { invalid } from './fail'
import type { Place } from './fail'
import { showValue } from './show'
import { validateGiven } from './validate'

/**
 * Calls the user's function, and checks what it gives as if that stood in its place.
 * @param place the backend
 * @throws FST_MIRROR_INVALID_OPTION, FST_MIRROR_UNKNOWN_OPTION
 */
export function readConnect (source: ConnectSource, protocol: string, place: Place): ConnectOptions {
  const given = copyOptions({ connect: call(source, place) }, givenSchema, place)
  return checkConnect(validateGiven(given, place).connect, protocol, place)
}

function call (source: ConnectSource, place: Place): unknown {
  let given: unknown
  try {
    given = source()
  } catch (error) {
    const why = (error instanceof Error ? `${error.message}` : showValue(error)).slice(0, 120)
    throw invalid(place, ['connect'], `a function that returns options for undici's connect (${why})`, source)
  }
  // It is refused; nobody else would handle its rejection.
  if (isPromise(given)) given.catch(noop)
  return given
}

/** @throws FST_MIRROR_INVALID_OPTION for what can have no effect beside the rest */
export function checkConnect (connect: ConnectOptions, protocol: string, place: Place): ConnectOptions {
  const idle = idleConnectKey(protocol, connect)
  if (idle === null) return { ...connect }
  throw invalid(place, ['connect', idle.key], `left out, as ${idle.because}: it can have no effect`, connect[idle.key])
}

function noop (): void {}
