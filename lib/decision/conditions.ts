import type { IncomingHttpHeaders } from 'node:http'
import type { RE2JS } from 're2js'
import type { ConditionsConfig } from '../options/config'
import { routedPath } from '../request-target'

// Node keeps only the first line of these, and joins those of all others.
// https://nodejs.org/docs/latest-v20.x/api/http.html#messageheaders
const FIRST_KEPT = new Set([
  'age', 'authorization', 'content-length', 'content-type', 'etag', 'expires', 'from', 'host', 'if-modified-since',
  'if-unmodified-since', 'last-modified', 'location', 'max-forwards', 'proxy-authorization', 'referer', 'retry-after',
  'server', 'user-agent'
])

/** The shortest of what Node joins repeated headers with: `, ` and, for cookies, `; `. */
const SEPARATOR_LENGTH = 2

interface HeaderCondition {
  readonly name: string
  readonly expected: string | true
  readonly firstKept: boolean
}

/** A mirror's conditions, ready to be asked once a request. */
export class Conditions {
  readonly #methods: ReadonlySet<string> | null
  readonly #headers: readonly HeaderCondition[]
  readonly #pathRegex: RE2JS | null

  constructor (config: ConditionsConfig) {
    this.#methods = config.methods
    this.#headers = config.headers.map(([name, expected]) => ({ name, expected, firstKept: FIRST_KEPT.has(name) }))
    this.#pathRegex = config.pathRegex
  }

  /**
   * Whether all of them hold.
   * @param url The request target as Fastify routed it; only its path is looked at.
   */
  matches (method: string, headers: IncomingHttpHeaders, rawHeaders: readonly string[], url: string): boolean {
    if (this.#methods !== null && !this.#methods.has(method)) return false
    for (const condition of this.#headers) {
      if (!headerMatches(condition, headers[condition.name], rawHeaders)) return false
    }
    return this.#pathRegex === null || this.#pathRegex.test(routedPath(url))
  }
}

/** Prepares validated conditions, once at registration. */
export function compileConditions (config: ConditionsConfig): Conditions {
  return new Conditions(config)
}

function headerMatches (condition: HeaderCondition, value: unknown, rawHeaders: readonly string[]): boolean {
  const { name, expected, firstKept } = condition
  if (typeof value === 'string') {
    if (expected === true || equal(value, expected)) return true
    // Most headers come once: only a value with room for a second line is worth the walk.
    if (!firstKept && value.length < expected.length + SEPARATOR_LENGTH) return false
    return anyLineMatches(name, expected, rawHeaders)
  }
  // Anything else that is not an array is no header, but what `headers` inherits under a name like `constructor`.
  if (!Array.isArray(value)) return false
  return expected === true || value.some(line => equal(line, expected))
}

function anyLineMatches (name: string, expected: string, rawHeaders: readonly string[]): boolean {
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (equal(rawHeaders[i], name) && equal(rawHeaders[i + 1], expected)) return true
  }
  return false
}

// Headers are Latin-1, in which both cases of a letter have the same length.
function equal (text: string, lowerCase: string): boolean {
  return text.length === lowerCase.length && text.toLowerCase() === lowerCase
}
