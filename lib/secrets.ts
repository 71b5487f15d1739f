// Tells secrets by their name or their look: the one source for all that stores, shows or logs.

/** Stands where a secret stood. */
export const MASK = '[redacted]'

/** Nobody gives a longer name: it counts as a secret's. */
const LONGEST_NAME = 256

/** Make a name a secret's wherever they stand in it, its words joined: `newUserPassword2`, `CLIENTSECRET`. */
const PARTS = new RegExp([
  'passw(?:or)?d', 'passphrase', 'passcode', 'secret(?!ar[iy])', 'token(?!i[sz])', 'credential', 'authori[sz]ation',
  'signature',
  'sess(?:ion)?id', '(?:api|private|access|account|master|encryption|signing|shared|subscription|client|storage)key',
  'cardn(?:umber|um|o$)'
].join('|'))

/** Make a name a secret's as words of it, or as their plurals: `user_pin` is one, `opinion` is none. */
const WORDS = new Set([
  'auth', 'bearer', 'cookie', 'csc', 'csrf', 'cvc', 'cvv', 'jwt', 'otp', 'pass', 'pem', 'pfx', 'pin', 'pwd', 'sess',
  'session', 'sid', 'sig', 'totp', 'xsrf'
])

/** Each kind has one of these in its letters: what has none is no secret's name, which most names are told by. */
const STEMS =
  /auth|bearer|card|code|cookie|credential|cs[cr]|cv[cv]|jwt|key|otp|pass|pem|pfx|pin|pwd|secret|sess|sid|sig|token|xsrf/

/** `…_key` is a secret's name, but for these. */
const HARMLESS_KEYS = new Set([
  'cache', 'candidate', 'composite', 'foreign', 'group', 'hash', 'idempotency', 'index', 'message', 'object',
  'partition', 'primary', 'public', 'range',
  'routing', 'row', 'shard', 'sort', 'translation', 'unique', 'websocket'
])

/** Words that say something about a secret, and are none: `token_type`, `password_length`, `max_tokens`. */
const ABOUT = new RegExp([
  '_(?:count|enabled|expir(?:es|y|ation)|length|limit|method|policy|required|size|ttl|type|usage|used)$',
  '_(?:changed|created|expires|issued|updated|valid)_(?:at|in|on|until)$',
  '^(?:cached|completion|input|max|min|num|output|prompt|reasoning|remaining|total)_(?:.*_)?tokens$',
  '^access_control_allow_credentials$'
].join('|'))

/**
 * Whether a name is one of the usual kinds of secrets' names, without regard to case, to its spelling, and to digits.
 */
export function isSecretName (name: string): boolean {
  if (name.length > LONGEST_NAME) return true
  return STEMS.test(lettersOf(name)) && partsOf(name).some(isSecretPart)
}

/** Names of secrets: the usual ones and the user's. */
export class SecretNames {
  readonly #own: ReadonlySet<string>

  constructor (own: readonly string[]) {
    this.#own = new Set(own.map(plain))
  }

  /** Whether a text may hold such a name: most hold none, which this tells at little cost. */
  mayBeIn (text: string): boolean {
    if (STEMS.test(lettersOf(text)) || (text.length > LONGEST_NAME && LONG_NAME.test(text))) return true
    if (this.#own.size === 0) return false
    const plainText = plain(text)
    for (const name of this.#own) if (plainText.includes(name)) return true
    return false
  }

  /** Whether a field, header or parameter of this name is one, `user[password]` and `user.password` included. */
  has (name: string): boolean {
    if (isSecretName(name)) return true
    return this.#own.size > 0 &&
      (this.#own.has(plain(name)) || partsOf(name).some((part) => this.#own.has(plain(part))))
  }
}

/** A name that counts as a secret's by its length alone. */
const LONG_NAME = /(?<![\p{L}\p{N}_$.[\]-])[\p{L}\p{N}_$.[\]-]{257}/u

/** Beginning of a key or a certificate in PEM. */
const PEM = '-----BEGIN'
/** Beginning of a JSON Web Token, `{"` in base64url, and characters of which a token is made. */
const JWT = 'eyJ'
const TOKEN_RUN = /[\w.-]+/g

/**
 * A text without what is a secret by its look, whatever its name: JSON Web Tokens, and all that follows the beginning
 * of a PEM.
 */
export function withoutSecretValues (text: string): string {
  const pem = text.indexOf(PEM)
  if (pem !== -1) text = text.slice(0, pem) + MASK
  if (!text.includes(JWT)) return text
  return text.replace(TOKEN_RUN, (run) => {
    const at = run.indexOf(JWT)
    return at !== -1 && run.indexOf('.', at) !== -1 ? run.slice(0, at) + MASK : run
  })
}

function lettersOf (text: string): string {
  return plainLetters(text).toLowerCase().replace(/[^\p{L}]+/gu, '')
}

function isSecretPart (name: string): boolean {
  const words = wordsOf(name)
  const joined = words.join('')
  if (ABOUT.test(words.join('_'))) return false
  // A plain `code` is what OAuth gives out. `status_code` is not.
  if (joined === 'code' || WORDS.has(joined) || PARTS.test(joined)) return true
  return words.some((word) => WORDS.has(singular(word))) || isSecretKey(words)
}

function isSecretKey (words: string[]): boolean {
  return words.length > 1 && singular(words[words.length - 1]) === 'key' && !HARMLESS_KEYS.has(words[words.length - 2])
}

function singular (word: string): string {
  return WORDS.has(word) ? word : word.replace(/s$/, '')
}

/** A path of names, as forms and queries write it. */
function partsOf (name: string): string[] {
  return name.split(/[.[\]]+/)
}

/** The words of a name in lower case: apart at changes of case, and at all that is no letter. */
function wordsOf (name: string): string[] {
  const apart = plainLetters(name).replace(/\p{Ll}(?=\p{Lu})|\p{Lu}(?=\p{Lu}\p{Ll})/gu, '$&_')
  return apart.toLowerCase().split(/\P{L}+/u).filter((word) => word !== '')
}

/** Takes out characters that nobody sees, and makes those of full width usual ones: `ｐassword`. */
export function plainLetters (text: string): string {
  if (!/[^\0-\x7f]/.test(text)) return text
  const seen = text.replace(/\p{Default_Ignorable_Code_Point}/gu, '')
  return seen.replace(/[\uff01-\uff5e]/g, (character) => String.fromCharCode(character.charCodeAt(0) - 0xfee0))
}

function plain (name: string): string {
  return plainLetters(name).toLowerCase().replace(/[-_\s]/g, '')
}
