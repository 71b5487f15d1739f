/** Segments of a path that a name shows: what lies deeper is `**`. */
const MAX_SEGMENTS = 10
/** Characters of a segment that can be a name. */
const LONGEST_SEGMENT = 48
/** Words, joined by hyphens, of a segment that is a title rather than a name. */
const TITLE_WORDS = 4

const SLASH = 47
const DASH = 45
const DOT = 46
const COLON = 58
const UNDERSCORE = 95
const SEMICOLON = 59
const PARENTHESIS = 40
const DOLLAR = 36

/** Files of these kinds are many, and served alike. */
const ASSETS = new Set([
  'avif', 'bmp', 'css', 'gif', 'ico', 'jpeg', 'jpg', 'js', 'map', 'mjs', 'mp3', 'mp4', 'otf', 'pdf', 'png', 'svg',
  'ttf', 'webm', 'webp', 'woff', 'woff2'
])

/**
 * A path with `*` for what looks like an id, so that requests of one kind come to one name. It depends on the path
 * alone: on no other path, no order and no answer, and is the same in every process. Whatever the path, no more than
 * its first segments are looked at, and of each no more than a name has.
 * @param path in origin form, without its query
 */
export function foldPath (path: string): string {
  let name = ''
  /** Up to here the path is in the name. */
  let taken = 0
  let from = path.charCodeAt(0) === SLASH ? 1 : 0
  for (let segment = 0; segment < MAX_SEGMENTS; segment++) {
    const slash = path.indexOf('/', from)
    const to = slash === -1 ? path.length : slash
    const folded = foldSegment(path, from, to, slash === -1)
    if (folded !== null) {
      name += path.slice(taken, from) + folded
      taken = to
    }
    if (slash === -1) return taken === 0 ? path : name + path.slice(taken)
    from = to + 1
  }
  return name + path.slice(taken, from) + '**'
}

/** The stand-in for a segment. `null`: it stands for itself. */
function foldSegment (path: string, from: number, to: number, last: boolean): string | null {
  const length = to - from
  if (length > LONGEST_SEGMENT) return '*'
  let digits = 0
  let letters = 0
  let turns = 0
  let dashes = 0
  let dot = -1
  let folds = false
  let part = from
  let partDigits = 0
  let partHexLetters = 0
  let partTurns = 0
  /** Before the part. */
  let separator = 0
  /** Whether the last character was a digit. */
  let wasDigit = false
  for (let i = from; i <= to; i++) {
    const char = i === to ? DASH : path.charCodeAt(i)
    if (char >= 48 && char <= 57) {
      if (i > part && !wasDigit) partTurns++
      wasDigit = true
      partDigits++
      continue
    }
    const lower = char | 32
    if ((lower >= 97 && lower <= 122) || char === DOLLAR) {
      if (i > part && wasDigit) partTurns++
      wasDigit = false
      letters++
      if (lower >= 97 && lower <= 102) partHexLetters++
      continue
    }
    if (char !== DASH && char !== DOT && char !== UNDERSCORE && char !== COLON) return foldOdd(path, from, i, char)
    folds ||= isIdPart(i - part, partDigits, partHexLetters, partTurns, separator)
    digits += partDigits
    turns += partTurns
    if (i === to) break
    if (char === DASH) dashes++
    if (char === DOT) dot = i
    separator = char
    part = i + 1
    partDigits = partHexLetters = partTurns = 0
    wasDigit = false
  }
  if (last && dot > from) {
    const kind = path.slice(dot + 1, to)
    if (ASSETS.has(kind)) return `*.${kind}`
  }
  const isId = folds || (digits > 0 && letters === 0) || (length >= 16 && turns >= 6) || dashes + 1 >= TITLE_WORDS
  return isId ? '*' : null
}

/** Between separators: a number behind one, a long number, a hash, or letters and digits that take turns. */
function isIdPart (length: number, digits: number, hexLetters: number, turns: number, separator: number): boolean {
  if (digits === 0) return false
  if (digits === length) return length >= 3 || (separator !== 0 && separator !== DOT)
  return (length >= 8 && digits + hexLetters === length) || (length >= 6 && turns >= 4)
}

/**
 * A segment in which a character stands that no name has. Parameters (`cart;session=1`) and keys (`Orders(5)`) leave
 * the name before them.
 */
function foldOdd (path: string, from: number, at: number, char: number): string {
  if (at === from || (char !== SEMICOLON && char !== PARENTHESIS)) return '*'
  const name = foldSegment(path, from, at, false) ?? path.slice(from, at)
  return char === SEMICOLON || name === '*' ? name : `${name}(*)`
}
