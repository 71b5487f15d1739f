import { valueOf } from './headers'
import type { ComparedAnswer } from './answer'
import type { HeaderList } from './headers'

/** What makes a request conditional by what an earlier answer said of itself (RFC 9110, section 13.1). */
const CONDITIONS = ['if-none-match', 'if-modified-since', 'if-range']
const LENGTHS: ReadonlySet<number> = new Set(CONDITIONS.map(({ length }) => length))
/** What an answer says of itself. */
const VALIDATORS = ['etag', 'last-modified']

const NOT_MODIFIED = 304
const PARTIAL = 206

/** Whether a request asks for an answer that depends on an earlier one. */
export function isConditional (request: HeaderList): boolean {
  for (let i = 0; i < request.length; i += 2) {
    if (LENGTHS.has(request[i].length) && CONDITIONS.includes(request[i].toLowerCase())) return true
  }
  return false
}

/** What an answer's headers say that a later request may depend on. */
export function validatorsOf (valueOf: (name: string) => unknown): string[] {
  const found: string[] = []
  for (const name of VALIDATORS) {
    const value = valueOf(name)
    if (value !== undefined) found.push(name, String(value))
  }
  return found
}

/**
 * Whether two answers differ because one side says 304, or 206, by a validator that the other did not issue: a client
 * has the primary's, and two versions make other ones of the same content. `asked`: the copy's headers.
 */
export function isByValidator (primary: ComparedAnswer, shadow: ComparedAnswer, asked: HeaderList): boolean {
  const [one, other] = [primary.status, shadow.status]
  if (one === other || !mayBe(one) || !mayBe(other)) return false
  const primarySaysIt = one === NOT_MODIFIED || (one === PARTIAL && other !== NOT_MODIFIED)
  const known = primarySaysIt ? shadow.headers : primary.headers
  if ((primarySaysIt ? one : other) === NOT_MODIFIED) {
    const etags = valuesOf(asked, 'if-none-match')
    const since = valueOf(asked, 'if-modified-since')
    // The shadow could not say so where it was not asked; that it says so unasked is its own fault.
    if (etags === '' && since === undefined) return primarySaysIt
    return etags === ''
      ? !isNotAfter(valueOf(known, 'last-modified'), since as string)
      : !lists(etags, valueOf(known, 'etag'))
  }
  if (valueOf(asked, 'range') === undefined) return primarySaysIt
  const range = valueOf(asked, 'if-range')
  if (range === undefined) return false
  return range !== valueOf(known, range.includes('"') ? 'etag' : 'last-modified')
}

function mayBe (status: number): boolean {
  return status === NOT_MODIFIED || status === PARTIAL || status === 200
}

/** Of all lines; empty: none. */
function valuesOf (list: HeaderList, name: string): string {
  let values = ''
  for (let i = 0; i < list.length; i += 2) if (list[i].toLowerCase() === name) values += `${list[i + 1]},`
  return values
}

/** Weakly, as it is done for a 304 (RFC 9110, section 13.1.2). */
function lists (etags: string, etag: string | undefined): boolean {
  if (etag === undefined) return false
  return etags.split(',').some(one => one.trim() === '*' || opaqueOf(one) === opaqueOf(etag))
}

function opaqueOf (etag: string): string {
  return etag.trim().replace(/^W\//, '')
}

function isNotAfter (date: string | undefined, other: string): boolean {
  return date !== undefined && Date.parse(date) <= Date.parse(other)
}
