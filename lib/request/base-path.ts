/** A server that decodes a path more often than this is not thought of; a path that is coded more often is refused. */
const MAX_DECODINGS = 8

/** A path without coded characters and without two dots in a row. */
const HARMLESS = /^(?:[!-$&-\-/-~]|\.(?!\.))*$/
const CODED = /%([0-9a-f]{2})/gi
/** Overlong UTF-8, which some take for a dot, a slash and a backslash. */
const OVERLONG_DOT = /\xc0\xae/g
const OVERLONG_SLASH = /\xc0\xaf|\xc1\x9c/g
/** Characters that URL parsers, and file systems, leave out. */
const LEFT_OUT = /[\0-\x20\x7f]/g
const GOES_UP = /(?:^|[/\\])\.\.(?:[/\\;?#\0]|$)/

/**
 * Whether a server might take a path for one that goes up, so that with the path of a backend's URL in front it would
 * leave that: by dot segments as they are or coded, once or more often, with `\` for `/`, or with `;` parameters.
 * @param target path and query, in origin form
 */
export function goesUp (target: string): boolean {
  const end = target.indexOf('?')
  let path = end === -1 ? target : target.slice(0, end)
  if (HARMLESS.test(path)) return false
  for (let times = 0; times <= MAX_DECODINGS; times++) {
    const read = path.replace(OVERLONG_DOT, '.').replace(OVERLONG_SLASH, '/')
    if (GOES_UP.test(read) || GOES_UP.test(read.replace(LEFT_OUT, ''))) return true
    const decoded = path.replace(CODED, charOf)
    if (decoded === path) return false
    path = decoded
  }
  return true
}

function charOf (_coded: string, hex: string): string {
  return String.fromCharCode(parseInt(hex, 16))
}
