// What goes over the network: only to the admin routes, beside this page, whatever path they have on their way through
// proxies.

const TIMEOUT = 8000

/** The prefix of all paths of the admin routes. */
const PREFIX = new URL('.', document.baseURI).href.slice(0, -1)

/** The answer came, and says that this may not be: who asks should sign in. */
export class Refused extends Error {}

/**
 * @param {'GET' | 'PATCH' | 'POST'} method
 * @param {string} path of the route, as from `pathOf` where it is a mirror's
 * @param {Record<string, string>} query
 * @param {object} [body]
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>} what was answered; rejects with an error that is for people
 */
export async function ask (method, path, query = {}, body, signal) {
  const url = new URL(PREFIX + path)
  for (const [key, value] of Object.entries(query)) url.searchParams.set(key, value)
  const timeout = AbortSignal.timeout(TIMEOUT)
  /** @type {RequestInit} */
  const init = {
    method, cache: 'no-store', signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal])
  }
  if (body !== undefined) {
    Object.assign(init, { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  }
  const response = await fetch(url, init).catch(error => {
    throw signal?.aborted ? error : new Error(timeout.aborted ? 'no answer' : 'not reachable', { cause: error })
  })
  if (response.status === 204) return null
  const text = await response.text()
  const answer = parse(text)
  if (response.status === 401 || response.status === 403) {
    throw new Refused(`${response.status}: ${answer?.message ?? 'not allowed'}`)
  }
  if (!response.ok) throw new Error(`${response.status}: ${answer?.message ?? response.statusText}`)
  // Such as the form of a proxy that wants somebody to sign in.
  if (answer === null) throw new Refused('something else than numbers was answered')
  return answer
}

/** Where a mirror's routes are. An id may hold slashes and whatever else has a meaning in paths. @param {string} id */
export function pathOf (id) {
  return `/${encodeURIComponent(id)}`
}

/** @param {string} text */
function parse (text) {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
