// Asks again and again for the state, and tells when it cannot be had.

import { ask } from './talk.mjs'

/** Milliseconds from one answer to the next question; and while there is no contact. */
const INTERVAL = 2000

/**
 * @typedef {import('../page-data').PageState} State
 * @typedef {object} Options
 * @property {() => string | null} mirror the one to be told of in full
 * @property {(state: State) => void} onState
 * @property {(error: Error) => void} onLost at every try
 */

/** @param {Options} options */
export function createContact ({ mirror, onState, onLost }) {
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
    const id = mirror()
    try {
      const state = await ask('GET', '/ui/state', id === null ? {} : { mirror: id }, undefined, signal)
      if (!signal.aborted) onState(state)
    } catch (error) {
      if (!signal.aborted) onLost(/** @type {Error} */ (error))
    }
    if (!signal.aborted && !document.hidden) timer = setTimeout(now, INTERVAL)
  }
}
