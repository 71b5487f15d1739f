/** Attributes of one cookie that are told apart, and cookies of one answer. */
const MAX_ATTRIBUTES = 32
const MAX_COOKIES = 100

/** A part of a cookie that differs, or all of one that is on one side alone. */
export interface CookieDifference {
  readonly cookie: string
  /** `value`, or the name of an attribute in lower case; `null`: all of it. */
  readonly part: string | null
  /** `null`: there is none. */
  readonly primary: string | null
  readonly shadow: string | null
}

interface Cookie {
  readonly line: string
  /** `value`, and the attributes by name. One without a value, such as `secure`, has its name. */
  readonly parts: ReadonlyMap<string, string>
}

/**
 * What differs between two lists of Set-Cookie lines: empty, where that is only their order. `null`: they are no
 * cookies, or too many.
 */
export function diffCookies (primary: readonly string[], shadow: readonly string[]): CookieDifference[] | null {
  const [before, after] = [cookiesOf(primary), cookiesOf(shadow)]
  if (before === null || after === null) return null
  const differences: CookieDifference[] = []
  for (const cookie of new Set([...before.keys(), ...after.keys()])) {
    const [these, others] = [before.get(cookie) ?? [], after.get(cookie) ?? []]
    for (let nth = 0; nth < Math.max(these.length, others.length); nth++) {
      differences.push(...diffCookie(cookie, these[nth], others[nth]))
    }
  }
  return differences
}

function diffCookie (cookie: string, a: Cookie | undefined, b: Cookie | undefined): CookieDifference[] {
  if (a === undefined || b === undefined) {
    return [{ cookie, part: null, primary: a?.line ?? null, shadow: b?.line ?? null }]
  }
  const differences: CookieDifference[] = []
  for (const part of new Set([...a.parts.keys(), ...b.parts.keys()])) {
    const [primary, shadow] = [a.parts.get(part) ?? null, b.parts.get(part) ?? null]
    if (primary !== shadow) differences.push({ cookie, part, primary, shadow })
  }
  return differences
}

/** By name: those of one name, for several domains or paths, in their order. */
function cookiesOf (lines: readonly string[]): Map<string, Cookie[]> | null {
  if (lines.length > MAX_COOKIES) return null
  const cookies = new Map<string, Cookie[]>()
  for (const line of lines) {
    const [pair, ...attributes] = line.split(';', MAX_ATTRIBUTES + 2)
    const equals = pair.indexOf('=')
    const name = pair.slice(0, equals).trim()
    if (equals === -1 || name === '' || attributes.length > MAX_ATTRIBUTES) return null
    const parts = new Map([['value', pair.slice(equals + 1).trim()]])
    for (const attribute of attributes) {
      const [key, value] = attributeOf(attribute)
      // Nobody means an attribute of this name.
      if (key !== '' && key !== 'value') parts.set(key, value)
    }
    const known = cookies.get(name)
    if (known === undefined) cookies.set(name, [{ line, parts }])
    else known.push({ line, parts })
  }
  return cookies
}

function attributeOf (attribute: string): [key: string, value: string] {
  const equals = attribute.indexOf('=')
  const key = (equals === -1 ? attribute : attribute.slice(0, equals)).trim().toLowerCase()
  return [key, equals === -1 ? key : attribute.slice(equals + 1).trim()]
}
