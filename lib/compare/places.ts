import { looksLikeId } from './pointer'
import type { BodyDifference, HeaderDifference } from '../../types/index'
import type { JsonPlaces } from './json/diff'
import { SHAPE, textShape } from './shape'
import type { Shape } from './shape'

/**
 * Where two answers differ, and how: what they are counted by. Plain data of bounded size.
 */
export interface DifferencePlaces {
  /**
   * The kind and, behind a space, where: `changed status 200→500`, `added header:etag`, `type /items/total`, `changed
   * body`.
   */
  keys: string[]
  /**
   * For each the place among the differing headers, or in the body, of the first difference there; -1: it says all
   * itself.
   */
  firsts: number[]
  /** Whether there may be more than these. */
  more: boolean
  /** For each what all differences there look like. Only where somebody asked for that. */
  shapes?: Shape[]
}

/** Why it is not known whether bodies differ. */
const UNKNOWN: ReadonlySet<string> = new Set(['encoding', 'memory', 'busy', 'error'])

/** `moreHeaders`: there are more than those given. `json`: the body's. */
export function placesOf (
  primaryStatus: number, shadowStatus: number, headers: readonly HeaderDifference[], moreHeaders: boolean,
  body: BodyDifference | null, json: JsonPlaces | undefined, looks = false
): DifferencePlaces {
  const keys: string[] = []
  const firsts: number[] = []
  const shapes: Shape[] | undefined = looks ? [] : undefined
  if (primaryStatus !== shadowStatus) {
    keys.push(`changed status ${primaryStatus}→${shadowStatus}`)
    shapes?.push(SHAPE.other)
    firsts.push(-1)
  }
  for (const [index, { name, primary, shadow }] of headers.entries()) {
    const kind = primary.length === 0 ? 'added' : shadow.length === 0 ? 'removed' : 'changed'
    const key = `${kind} header:${name.split('/').map(part => looksLikeId(part) ? '*' : part).join('/')}`
    if (keys.includes(key)) continue
    keys.push(key)
    firsts.push(index)
    shapes?.push(headerShape(primary, shadow))
  }
  if (json !== undefined) {
    for (const [index, key] of json.keys.entries()) {
      // The document itself has an empty pointer.
      keys.push(key.endsWith(' ') ? `${key}body` : key)
      firsts.push(json.firsts[index])
    }
    // Who asked for looks got them of the body, too.
    shapes?.push(...json.shapes as Shape[])
  } else if (body !== null && !(body.kind === 'hash' && UNKNOWN.has(body.reason))) {
    keys.push(body.kind === 'hash' && body.reason !== 'off' ? `changed body (${body.reason})` : 'changed body')
    firsts.push(-1)
    shapes?.push(SHAPE.other)
  }
  return { keys, firsts, more: moreHeaders || (json?.more ?? false), ...shapes === undefined ? {} : { shapes } }
}

function headerShape (primary: readonly string[], shadow: readonly string[]): Shape {
  if (primary.length === 0 || shadow.length === 0) return SHAPE.absent
  return primary.length === 1 && shadow.length === 1 ? textShape(primary[0], shadow[0]) : SHAPE.other
}
