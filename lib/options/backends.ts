import type { BackendBlock } from './blocks'
import type { BackendConfig, ConnectOptions, ConnectSource, EndConfig } from './config'
import { checkConnect, readConnect } from './connect-source'
import { invalid } from './fail'
import type { Place } from './fail'
import { toLabel } from './label'
import { hideUserInfo, showPath } from './show'

/** Scheme and authority as they must be written: `new URL()` alone would guess a host from `http:shadow/`. */
const HTTP_URL = /^https?:\/\/[^/?#@]+(?:\/[^?#]*)?$/i
/** Characters that `new URL()` would drop or turn into slashes. */
const ODD = /[\s\\\p{Cc}]/u

const ALLOWED = 'an http: or https: URL with a host, without user info, query or fragment'

/** @throws FST_MIRROR_INVALID_OPTION for a URL that is no backend's, and for a name given twice */
export function readBackends (blocks: readonly BackendBlock[], place: Place): BackendConfig[] {
  const names = new Set<string>()
  for (const [index, { name }] of blocks.entries()) {
    if (name === undefined) continue
    if (names.has(name)) {
      throw invalid(place, ['backends', `${index}`, 'name'], 'a name that no other backend has', name)
    }
    names.add(name)
  }
  return blocks.map((block, index) => {
    const config = readBackend(block, ['backends', `${index}`], place)
    const name = block.name ?? freeName(config.host, names)
    names.add(name)
    return { ...config, name, named: block.name !== undefined, percentage: block.percentage }
  })
}

/** Where it is, and how it is reached. `keys`: those that lead to it. */
export function readBackend (
  block: Pick<BackendBlock, 'url' | 'connect'>, keys: readonly string[], place: Place
): EndConfig {
  const url = readUrl(block.url, [...keys, 'url'], place)
  const own = { owner: place.owner, root: showPath(place.root, keys) }
  const isSource = typeof block.connect === 'function'
  return {
    url: block.url,
    origin: url.origin,
    host: url.host,
    basePath: url.pathname.replace(/\/+$/, ''),
    connect: isSource
      ? readConnect(block.connect as ConnectSource, url.protocol, own)
      : checkConnect(block.connect as ConnectOptions, url.protocol, own),
    connectSource: isSource ? block.connect as ConnectSource : null
  }
}

function readUrl (text: string, keys: string[], place: Place): URL {
  const url = HTTP_URL.test(text) && !ODD.test(text) && URL.canParse(text) ? new URL(text) : null
  if (url === null || url.port === '0') {
    // The query that is refused may hold a token. User info first: a password may hold a question mark.
    throw invalid(place, keys, ALLOWED, hideUserInfo(text).replace(/\?.*$/s, '?...'))
  }
  return url
}

/** `host`, else `host#2`, `host#3`: the first that neither the user nor another backend has. */
function freeName (host: string, taken: ReadonlySet<string>): string {
  let name = toLabel(host)
  for (let count = 2; taken.has(name); count++) name = toLabel(`${host}#${count}`)
  return name
}
