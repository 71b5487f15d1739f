/** RFC 6901, and beside its two escapes `~2` for a literal `*`, `~3` for a literal `[`. */
const POINTER = /^(?:\/(?:[^~/]|~[0-3])*)+$/
/** Names with dots between. */
const DOTTED = /^[^./][^.]*(?:\.[^.]+)*$/

/** Of a path in JavaScript's manner: a quoted name, an index or any index, the path's beginning, a dot. */
const STEPS = /\/?\[(?:'([^']*)'|"([^"]*)")\]|\/?\[(\d*|\*)\]|^(?=[^.[/])|\./g
const INDEX = /\[(?:-?[\d:]*|\*|\?.*)\]/
/** At the end of a pointer's segment. */
const INDEX_IN_POINTER = /\[(?:\d*|\*)\](?=[/[]|$)/
/** What has no translation: filters, slices, negative indices. */
const QUERY = /\[[^\]]*\]|[?@]/

const ANY_DEPTH = 'a place with every level named: ** (any depth) is not supported, as it would also hide ' +
  'differences where nobody has looked. Name each place, such as "/updatedAt" and "/items/*/updatedAt"; ' +
  'a key that is ** is "/~2~2"'

const NOTATION = 'a JSON pointer such as "/items/*/updatedAt", or a dotted path such as "user.lastSeen"'

/**
 * What a place in JSON must be, if it is not in a notation of ours; `null`: it is. `anyDepth`: whether `**` may stand
 * for any number of keys.
 */
export function fieldFault (field: string, anyDepth = false): string | null {
  if (!anyDepth && (field.startsWith('$..') || field.split(/[./[\]]/).includes('**'))) return ANY_DEPTH
  const pointer = translate(field)
  if (pointer === null) return POINTER.test(field) || DOTTED.test(field) ? null : NOTATION
  if (!POINTER.test(pointer) || QUERY.test(pointer)) return NOTATION
  const every = /\[\d+\]/.test(field) ? `, or ${quote(pointer.replace(/\/\d+(?=\/|$)/g, '/*'))} for every index` : ''
  const literal = field[0] === '/' ? `; with a key that has these brackets, ${quote(field.replaceAll('[', '~3'))}` : ''
  return `a JSON pointer or a dotted path: write ${quote(pointer)}${every}${literal}`
}

/** The pointer that another tool's notation stands for; `null`: it is none of another tool. */
function translate (field: string): string | null {
  // `$ref` is a name.
  if (/^\$[.[]/.test(field)) return fromPath(field.slice(1).replaceAll('..', '.**.'))
  if (field.startsWith('#/')) return decode(field.slice(1))
  if (field[0] === '/') return INDEX_IN_POINTER.test(field) ? fromPath(field) : null
  if (INDEX.test(field)) return fromPath(field)
  return field.includes('/') ? `/${field}` : null
}

function fromPath (path: string): string {
  const dotted = path[0] !== '/'
  return path.replace(STEPS, (step, single?: string, double = single, index?: string) => {
    if (double !== undefined) return `/${escape(double)}`
    if (index !== undefined) return `/${index === '' ? '*' : index}`
    return dotted ? '/' : step
  })
}

function escape (key: string): string {
  return key.replace(/[~/*[]/g, special => `~${'~/*['.indexOf(special)}`)
}

/** The URI fragment form of a pointer (RFC 6901, section 6). */
function decode (fragment: string): string {
  try {
    return decodeURIComponent(fragment)
  } catch {
    return fragment
  }
}

function quote (text: string): string {
  return JSON.stringify(text)
}
