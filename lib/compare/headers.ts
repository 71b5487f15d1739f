import { isUtf8 } from 'node:buffer'
import { ALWAYS_IGNORED } from './header-names'
import { beginning } from './user-info'
import type { HeaderDifference } from '../../types/index'

/** Names and values in turn, as on the wire: repeated names stay repeated. */
export type HeaderList = readonly string[]

/** Lines that are compared by name. */
const MAX_LINES = 256
/** Headers that are told of, values of one, characters of a name and of a value, and of all of them. */
const MAX_HEADERS = 128
const MAX_VALUES = 16
const MAX_NAME = 257
const MAX_VALUE = 201
const MAX_CHARACTERS = 8192
/** Not ASCII alone, and each character one byte. */
const BYTES = /^(?=[^]*[\x80-\xff])[\0-\xff]*$/
/** Stands for what is left out. */
const MORE = '…'

/** The names, in lower case, that `diffHeaders` leaves out: the user's and the usual ones. */
export function ignoredHeaders (names: readonly string[]): ReadonlySet<string> {
  return new Set([...ALWAYS_IGNORED, ...names.map((name) => name.toLowerCase())])
}

/**
 * What differs between two answers' headers: by name without regard to case, all values of a name in their order, whether in
 * several lines or in one. The order of different names says nothing (RFC 9110 section 5.3). Sorted by name.
 *
 * Values beyond ASCII are compared as the text that they mean, for no header says in which coding its bytes are: of one and the same value
 * Node sends UTF-8 with a text as the body and ISO 8859-1 with any other, and clients take what they get for one or the other.
 */
export function diffHeaders (primary: HeaderList, shadow: HeaderList, ignore: ReadonlySet<string>): HeaderDifference[] {
  const before = valuesByName(primary, ignore)
  const after = valuesByName(shadow, ignore)
  const differences = diffMany(primary, shadow, ignore)
  for (const [name, values] of before) {
    const others = after.get(name) ?? []
    after.delete(name)
    if (equal(name, values, others)) continue
    const [one, other] = [values.map(textOf), others.map(textOf)]
    if (!equal(name, one, other)) differences.push({ name, primary: one, shadow: other })
  }
  for (const [name, values] of after) differences.push({ name, primary: [], shadow: values.map(textOf) })
  return differences.sort(byName)
}

/** As much of what differs as is told of it; names and values are not cut so short that it could not be told what is to be masked in them. */
export function firstHeaders (differences: readonly HeaderDifference[]): HeaderDifference[] {
  let room = MAX_CHARACTERS
  const shown = (value: string): string => {
    if (room <= 0) return MORE
    const first = beginning(value, MAX_VALUE)
    room -= first.length
    return first
  }
  return differences.slice(0, MAX_HEADERS).map(({ name, primary, shadow }) => {
    room -= Math.min(name.length, MAX_NAME)
    return {
      name: name.slice(0, MAX_NAME),
      primary: primary.slice(0, MAX_VALUES).map(shown),
      shadow: shadow.slice(0, MAX_VALUES).map(shown)
    }
  })
}

/** The first value of a name, given in lower case. */
export function valueOf (list: HeaderList, name: string): string | undefined {
  for (let i = 0; i + 1 < list.length; i += 2) if (list[i].toLowerCase() === name) return list[i + 1]
}

/** Of lists that are longer than any honest server's, the lines past those compared by name: as a whole, and in their order. */
function diffMany (primary: HeaderList, shadow: HeaderList, ignore: ReadonlySet<string>): HeaderDifference[] {
  if (Math.max(primary.length, shadow.length) <= MAX_LINES * 2) return []
  const [before, after] = [primary, shadow].map(list => {
    const rest: string[] = []
    for (let i = MAX_LINES * 2; i + 1 < list.length; i += 2) if (!ignore.has(list[i].toLowerCase())) rest.push(list[i], textOf(list[i + 1]))
    return rest
  })
  if (before.length === after.length && before.every((text, index) => text === after[index])) return []
  return [{ name: MORE, primary: [`${before.length / 2} more`], shadow: [`${after.length / 2} more`] }]
}

function valuesByName (list: HeaderList, ignore: ReadonlySet<string>): Map<string, string[]> {
  const values = new Map<string, string[]>()
  const end = Math.min(list.length, MAX_LINES * 2)
  for (let i = 0; i + 1 < end; i += 2) {
    const name = list[i].toLowerCase()
    if (ignore.has(name)) continue
    const known = values.get(name)
    if (known === undefined) values.set(name, [list[i + 1]])
    else known.push(list[i + 1])
  }
  return values
}

function equal (name: string, a: readonly string[], b: readonly string[]): boolean {
  if (a.length === b.length && a.every((value, index) => value === b[index])) return true
  if (a.length === 0 || b.length === 0 || name === 'set-cookie') return false
  // Some clients join the lines of a name, as Node's own and those of HTTP/2 do, and some do not.
  return a.join(', ') === b.join(', ')
}

/** What a value means whose bytes may have been taken for characters, or characters for bytes, once or more often. */
function textOf (value: string): string {
  let text = value
  while (BYTES.test(text)) {
    const bytes = Buffer.from(text, 'latin1')
    if (!isUtf8(bytes)) break
    text = bytes.toString()
  }
  return text
}

function byName (a: HeaderDifference, b: HeaderDifference): number {
  return a.name < b.name ? -1 : 1
}
