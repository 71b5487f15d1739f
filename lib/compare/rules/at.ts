import type { RE2JS } from 're2js'
import { TOKEN } from '../../http'
import { ALWAYS_IGNORED } from '../header-names'
import { globFrom } from './glob'
import type { Glob } from './glob'
import { fieldFault } from './notation'
import { compilePattern } from './pattern'

/** In a path: any one key or index, and any number of them. */
export const ANY = Symbol('*')
export const DEEP = Symbol('**')

/** A step of a path: a key or an index, or what stands for them. */
export type Segment = string | typeof ANY | typeof DEEP

/** Where a rule is for. */
export type At =
  | { readonly on: 'json', readonly path: readonly Segment[] }
  /** `name`: in lower case. */
  | { readonly on: 'header', readonly name: Glob }
  /** `part`: `value`, or an attribute in lower case; `null`: all of it. */
  | { readonly on: 'cookie', readonly name: Glob, readonly part: string | null }
  | { readonly on: 'text', readonly pattern: RE2JS }

const HEADER = 'header:'
const TEXT = 'text:'
/** As it is most often written. */
const COOKIE = 'header:set-cookie/'
/** More of them are slow, and say no more. */
const MAX_DEEP = 4

/** What `at` may be. */
export const PLACES = 'a JSON pointer such as "/items/*/updatedAt", a dotted path such as "user.lastSeen", ' +
  '"header:etag", "header:set-cookie/session/value", or "text:" and an RE2 regular expression'

/** What `at` means, or as text what it must be. */
export function readAt (at: string): At | string {
  if (/^header:/i.test(at)) return readHeader(at.slice(HEADER.length))
  if (at.startsWith(TEXT)) return readText(at.slice(TEXT.length))
  const fault = at === '' ? null : fieldFault(at, true)
  if (fault !== null) return fault.startsWith('a JSON pointer such as') ? PLACES : fault
  const path = pathOf(at)
  if (path.filter(segment => segment === DEEP).length > MAX_DEEP) return `a place with at most ${MAX_DEEP} times **`
  return { on: 'json', path }
}

/** Of a place in JSON, in a notation of ours. */
export function pathOf (at: string): Segment[] {
  if (at === '') return []
  const isPointer = at[0] === '/'
  const path: Segment[] = []
  for (const given of isPointer ? at.split('/').slice(1) : at.split('.')) {
    if (given === '*') path.push(ANY)
    // Twice says no more than once.
    else if (given === '**') path.at(-1) === DEEP || path.push(DEEP)
    else path.push(isPointer ? given.replace(/~([0-3])/g, (_, escaped: string) => '~/*['[Number(escaped)]) : given)
  }
  return path
}

function readHeader (given: string): At | string {
  const [name, ...rest] = given.toLowerCase().split('/')
  if (!TOKEN.test(name)) return PLACES
  if (ALWAYS_IGNORED.includes(name)) return `another header: ${name} is never compared, so that a rule has no effect`
  if (rest.length === 0) return { on: 'header', name: globFrom(name) }
  if (name !== 'set-cookie') return `a header as a whole: write ${JSON.stringify(HEADER + name)}`
  // The name of a cookie has case.
  const [cookie, part] = given.slice(COOKIE.length - HEADER.length).split('/')
  if (rest.length > 2 || !TOKEN.test(cookie) || (part !== undefined && !TOKEN.test(part))) {
    return `a cookie such as "${COOKIE}session", its "${COOKIE}session/value", ` +
      `or an attribute such as "${COOKIE}session/expires"`
  }
  return { on: 'cookie', name: globFrom(cookie), part: part === undefined ? null : part.toLowerCase() }
}

function readText (pattern: string): At | string {
  const compiled = compilePattern(pattern)
  if (typeof compiled === 'string') return `"text:" and ${compiled}`
  if (compiled.matches('')) return '"text:" and an RE2 regular expression that does not match empty text'
  return { on: 'text', pattern: compiled }
}
