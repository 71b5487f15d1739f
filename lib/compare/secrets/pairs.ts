import type { Tape } from '../tape'

/** Members that hold a name, the value of which is in another member: `{"name":"password","value":"x"}`. */
const NAMING = new Set(
  ['attribute', 'field', 'header', 'id', 'k', 'key', 'label', 'n', 'name', 'param', 'parameter', 'property', 'variable']
)
/** Members of an object that is a name with its value: more of them are looked at in no object. */
const MAX_MEMBERS = 32
/** Characters of a member's name, and of a name, with their quotes. */
const LONGEST_NAME = 256

/** Members that hold what another one names. */
const VALUES = new Set(['content', 'data', 'default', 'text', 'v', 'val', 'value', 'values'])

interface Names {
  isSecret (name: string): boolean
}

/** Which members of an object are secret because another one says so. */
export type SecretMembers = 'none' | 'values' | 'others'

/**
 * `others`: one member says the name of a secret, so that others hold it. `values`: the text ends within the object,
 * and no member has said a name yet.
 */
export function secretMembers (tape: Tape, node: number, names: Names): SecretMembers {
  const end = tape.nexts[node] || tape.size
  let named = false
  let members = 0
  for (let key = node + 1; key + 1 < end && members < MAX_MEMBERS; key = tape.nexts[key + 1] || end) {
    members++
    if (!isNaming(tape.string(key))) continue
    if (isSecretText(tape, key + 1, names)) return 'others'
    named = true
  }
  return tape.nexts[node] === 0 && !named ? 'values' : 'none'
}

export function isSecretMember (name: string, members: SecretMembers): boolean {
  if (members === 'none') return false
  return members === 'others' ? !isNaming(name) : VALUES.has(name.toLowerCase())
}

/** Whether a value is text that is a secret's name, so that the one behind it may be the secret. */
export function isSecretText (tape: Tape, node: number, names: Names): boolean {
  return tape.kind(node) === '"' && tape.ends[node] - tape.starts[node] <= LONGEST_NAME &&
    names.isSecret(tape.string(node))
}

function isNaming (name: string): boolean {
  return NAMING.has(name.toLowerCase())
}
