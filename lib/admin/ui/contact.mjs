// Asks again and again for the state, and tells when it cannot be had.

import { ask } from './talk.mjs'

/** Milliseconds from one answer to the next question; and while there is no contact. */
const INTERVAL = 2000

/**
 * @typedef {import('../page-data').PageState} State
 * @typedef {object} Options
 * @property {() => Record<string, string>} query the mirror that is to be told of in full, and which of its places
 * @property {(state: State) => void} onState
 * @property {(error: Error) => void} onLost at every try
 */

/** @param {Options} options */
export function createContact ({ query, onState, onLost }) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer
  let asking = new AbortController()

  // A page that nobody sees costs the gateway nothing.
  document.addEventListener('visibilitychange', () => document.hidden ? pause() : now())
  return { now }

  function pause () {
    clearTimeout(timer)
    asking.abort()
  }

  /** Asks at once, whatever is under way. */
  async function now () {
    pause()
    const { signal } = asking = new AbortController()
    try {
      const state = await ask('GET', '/ui/state', query(), undefined, signal)
      if (!signal.aborted) onState(state)
    } catch (error) {
      if (!signal.aborted) onLost(/** @type {Error} */ (error))
    }
    if (!signal.aborted && !document.hidden) timer = setTimeout(now, INTERVAL)
  }
}
