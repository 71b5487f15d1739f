import type { Errors } from './sequential'

/** How a mirror's tests share the errors that it may make in a period. */
export interface Shares {
  /** Share of each of the mirror's own tests. */
  readonly own: Errors
  /** Share of each test of an endpoint. */
  readonly endpoint: Errors
}

/**
 * `ready` needs every test to pass, so each may be wrong as often as the whole. For `not ready` one that fails is
 * enough, so they share: half is for the mirror's own tests, half for those of its endpoints, whether there will be
 * that many or not. So a share depends on the options alone: on no order, and on no process.
 *
 * `own`: tests of the mirror, over all of its backends. `endpoint`: tests of all the endpoints that there may be, over
 * all backends.
 */
export function shareErrors (confidence: number, tests: { own: number, endpoint: number }): Shares {
  // Written so that 0.95 gives 0.05, and not a trifle more.
  const error = Number((1 - confidence).toPrecision(12))
  return {
    own: { good: error, bad: error / 2 / tests.own },
    endpoint: { good: error, bad: error / 2 / tests.endpoint }
  }
}
