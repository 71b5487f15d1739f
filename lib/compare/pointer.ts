import { beginning, withoutUserInfo } from './user-info'

/** Characters of one key that a pointer in a report shows, and of all of it after which no more keys follow. */
const MAX_SEGMENT = 100
const MAX_POINTER = 400
/** Nobody names a field at greater length. */
const LONGEST_NAME = 64

/** A JSON pointer (RFC 6901). Keys past a reasonable length, and paths past a reasonable depth, end with `…`. */
export function toPointer (segments: readonly string[]): string {
  let pointer = ''
  for (const segment of segments) {
    if (pointer.length > MAX_POINTER) return `${pointer}/…`
    const shown = withoutUserInfo(beginning(segment, MAX_SEGMENT)) + (segment.length > MAX_SEGMENT ? '…' : '')
    pointer += '/' + shown.replaceAll('~', '~0').replaceAll('/', '~1')
  }
  return pointer
}

/** The keys and indices of a JSON pointer, or so many of them. */
export function fromPointer (pointer: string, most = Infinity): string[] {
  return pointer.split('/').slice(1, most + 1).map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** The pointer with `*` for indices and for keys that look like ids, so that documents that differ alike give one. */
export function foldPointer (pointer: string, most = Infinity): string {
  return toPointer(fromPointer(pointer, most).map((segment) => looksLikeId(segment) ? '*' : segment))
}

/**
 * Whether a key looks like a value rather than a name: a number, date or address without any letter, an email or URL, a
 * UUID, a hash, a ULID or another text in which letters and digits alternate, or a name with such a thing behind it
 * (`user-1234`).
 */
export function looksLikeId (key: string): boolean {
  if (key.length > LONGEST_NAME || key.includes('@') || key.includes('://')) return true
  if (/\p{N}/u.test(key) && !/\p{L}/u.test(key)) return true
  if (/^[\da-f]{8}-?([\da-f]{4}-?){3}[\da-f]{12}$/i.test(key)) return true
  if (key.length >= 16 && alternations(key) >= 6) return true
  return key.split(/[-_:.]/).some(isIdPart)
}

function isIdPart (part: string): boolean {
  if (/^\d{3,}$/.test(part)) return true
  if (part.length >= 8 && /^[\da-f]+$/i.test(part) && /\d/.test(part) && /[a-f]/i.test(part)) return true
  return part.length >= 12 && alternations(part) >= 4
}

/** How often letters and digits take turns: a name such as `iso8601Timestamp` has few turns, a random text many. */
function alternations (text: string): number {
  let turns = 0
  let before = isDigit(text.charCodeAt(0))
  for (let i = 1; i < text.length; i++) {
    const digit = isDigit(text.charCodeAt(i))
    if (digit !== before) turns++
    before = digit
  }
  return turns
}

function isDigit (char: number): boolean {
  return char >= 0x30 && char <= 0x39
}
