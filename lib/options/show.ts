import { isSecretName, withoutSecretValues } from '../secrets'

/** Longest text of a value in a message, before the dots that say it was cut. */
const MAX_TEXT = 80
const MAX_DEPTH = 3
const MAX_ENTRIES = 10

/**
 * Options whose values may be keys, passwords or tokens, besides what is named like one: an error message ends up in
 * logs.
 */
const SECRET = /^(?:ca|connect|crl)$|cert|key/i

/**
 * A value as an error message shows it: like JSON, short, safe on anything (circular, BigInt, throwing getters).
 * What stands under a secret key is hidden, and so is the user info of a URL.
 * @param keys the keys that lead to the value
 */
export function showValue (value: unknown, keys: readonly string[] = []): string {
  try {
    return cut(write(value, keys.some(isSecret), 0))
  } catch {
    return '[unreadable]'
  }
}

/** A path as one writes it in code: `mirror.backends[0].url`, `mirror.conditions.headers["x-a"]`. */
export function showPath (root: string, keys: readonly string[]): string {
  let path = root
  for (const key of keys) {
    if (/^\d{1,16}$/.test(key)) path += `[${key}]`
    else if (key.length <= MAX_TEXT && /^[a-z_$][\w$]*$/i.test(key)) path += path === '' ? key : `.${key}`
    else path += `[${showValue(key)}]`
  }
  return path
}

/** A route's name in messages: `route "GET /users/:id"`. */
export function showRoute (route: { method: string | string[], url: string }): string {
  return `route ${JSON.stringify(cut(`${route.method} ${route.url}`))}`
}

function cut (text: string): string {
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}...` : text
}

function isSecret (key: string): boolean {
  return SECRET.test(key) || isSecretName(key)
}

function write (value: unknown, secret: boolean, depth: number): string {
  if (value === null || value === undefined || typeof value === 'boolean') return String(value)
  if (secret) return `[hidden ${typeof value}]`
  switch (typeof value) {
    case 'string': return writeText(value)
    case 'bigint': return `${value}n`
    case 'function': return '[function]'
    case 'object': return depth === MAX_DEPTH ? '[...]' : writeObject(value, depth + 1)
    default: return String(value)
  }
}

function writeObject (value: object, depth: number): string {
  if (Array.isArray(value)) {
    return `[${writeEntries(value.slice(0, MAX_ENTRIES + 1), item => write(item, false, depth))}]`
  }
  const proto = Object.getPrototypeOf(value)
  if (proto !== null && Object.getPrototypeOf(proto) !== null) return Object.prototype.toString.call(value)
  const record = value as Record<string, unknown>
  const keys = Object.keys(record).slice(0, MAX_ENTRIES + 1)
  return `{${writeEntries(keys, key => `${writeText(key)}:${write(record[key], isSecret(key), depth)}`)}}`
}

function writeEntries<T> (entries: T[], text: (entry: T) => string): string {
  return entries.map((entry, index) => index === MAX_ENTRIES ? '...' : text(entry)).join(',')
}

function writeText (text: string): string {
  if (withoutSecretValues(text) !== text) return '[hidden string]'
  return JSON.stringify(hideUserInfo(text).slice(0, MAX_TEXT + 1))
}

/**
 * Everything before the last `@` but the scheme: a URL that is wrong enough to be refused may be wrong
 * anywhere, so nothing is parsed. What begins with one slash is a path.
 */
export function hideUserInfo (text: string): string {
  const at = text.lastIndexOf('@')
  if (at <= 0 || /^\/(?!\/)/.test(text)) return text
  const scheme = /^\s*[a-z][a-z\d+.-]*:[/\\]+/i.exec(text)?.[0] ?? ''
  return `${scheme}***${text.slice(at)}`
}
