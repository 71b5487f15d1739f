import { decodePercent } from './percent'
import { renderJson } from './render'
import { finish, readTape } from './tape'
import { MASK, cutUserInfo, withoutUserInfo } from './user-info'
import type { Masking } from './render'
import type { Tape } from './tape'

/** Names of headers, JSON fields, query and form parameters whose values are never kept, whatever the user names. */
const USUAL_SECRETS = [
  'authorization', 'cookie', 'set-cookie', 'proxy-authorization', 'x-api-key',
  'access_token', 'token', 'password', 'secret', 'api_key', 'code', 'signature'
]

/** What a parameter's name cannot hold where it stands in a URL or a header's value, by character code. */
const BEFORE_NAME = new Uint8Array(128)
for (const char of '=?&;,#/:"\'<>(){} \t\r\n') BEFORE_NAME[char.charCodeAt(0)] = 1
/** No longer name is a secret's; bounds the search for where one begins. */
const LONGEST_NAME = 256
/** URLs within URLs: what is encoded more often is masked unread. */
const MAX_ENCODINGS = 3
/** Parameters of one text; what follows them is masked unread. */
const MAX_PARAMETERS = 500
/** Characters of a text in which the names of secrets are looked for; a longer one counts as one with secrets. */
const MAX_WORDS = 4096

/**
 * What the masking of one example may take, in characters that are looked through; past it text is masked unread. What a text, a
 * name, and a character of words are worth of them.
 */
const MAX_WORK = 12 * 1024
const WORK_A_TEXT = 24
const WORK_A_NAME = 64
const WORK_A_WORD = 4
/** Without any of these there is nothing in a text that could be masked. */
const TELLING = /[=%[{]|:\/\//

const FORM = 'application/x-www-form-urlencoded'
/** Where JSON with names may begin in other text: spaces may be `+`, quotes escaped, and all of it percent-encoded. */
const JSON_WITHIN = /(?:[[{]|%5B|%7B)(?:[\s+\\]|%20|%0[9AD]|%5C)*(?:["[{]|%(?:22|5B|7B))/i
const JSON_TYPE = /^(?:application|text)\/(?:[^\s;]+\+)?json$/

/** A request body as it may be kept. */
export interface KeptBody {
  text: string
  /** Whether it ends before the body did. */
  truncated: boolean
}

/** Masks the values of secrets: where they are named, whatever holds them. */
export interface Redactor {
  /** An example begins: all that is masked until the next one begins takes a bounded time, whatever it is. Before the first there is no bound. */
  begin(): void
  /** Whether a field, header or parameter of this name is one, `user[password]` and `user.password` included. */
  isSecret (name: string): boolean
  /** A header's value: all of a secret one's; of others what follows a secret parameter's name, as in `location`, and user info of URLs. */
  header (name: string, value: string): string
  /** A flat list of headers. */
  headers (list: readonly string[]): string[]
  /** A path with query. */
  path (path: string): string
  /** Any text, in which the first `name=` of a secret, or JSON that names one, hides all that follows; user info of URLs is hidden, too. */
  text (text: string): string
  /** A form body, or a query. */
  form (text: string): string
  /** A value of a JSON document as compact text, masked, then cut. */
  json (tape: Tape, node: number, max: number): string
  /**
   * What may be kept of a request body: at most `max` bytes of masked JSON or a masked form; other text only where the user
   * names no secrets and no usual one is mentioned in it; `null`: nothing. What begins as JSON does is JSON, whatever its type says.
   * `complete` says whether `bytes` is all of it.
   */
  body (bytes: Uint8Array, contentType: string | undefined, complete: boolean, max: number): KeptBody | null
}

/**
 * A redactor for the usual secrets and the user's. Names are compared without case, `-` and `_`: `apiKey` is `api_key`.
 */
export function createRedactor (names: readonly string[]): Redactor {
  return new NamedSecrets(names)
}

class NamedSecrets implements Redactor, Masking {
  readonly #secrets: ReadonlySet<string>
  readonly #own: boolean
  /** Of the present example. */
  #work = Infinity

  constructor (names: readonly string[]) {
    this.#secrets = new Set([...USUAL_SECRETS, ...names].map(plain))
    this.#own = names.length > 0
  }

  begin (): void {
    this.#work = MAX_WORK
  }

  /** `false`: that is too much for one example. */
  #spend (work: number): boolean {
    this.#work -= work
    return this.#work >= 0
  }

  isSecret (name: string): boolean {
    if (name.length > LONGEST_NAME) return false
    if (this.#secrets.has(plain(name))) return true
    return /[.[]/.test(name) && name.split(/[.[\]]/).some((part) => this.#secrets.has(plain(part)))
  }

  header (name: string, value: string): string {
    return this.isSecret(name) ? MASK : this.text(value)
  }

  headers (list: readonly string[]): string[] {
    return list.map((item, index) => index % 2 === 0 ? item : this.header(list[index - 1], item))
  }

  path (path: string): string {
    if (!TELLING.test(path)) return path
    path = withoutUserInfo(path)
    const query = path.indexOf('?')
    return this.#parts(query === -1 ? path : path.slice(0, query), '/') + (query === -1 ? '' : `?${this.form(path.slice(query + 1))}`)
  }

  form (text: string): string {
    return this.#parts(withoutUserInfo(text), '&')
  }

  #parts (text: string, separator: string): string {
    // As a whole first: what is between quotes may have a separator.
    const parts = this.#withoutJson(text).split(separator)
    if (!this.#spend(parts.length * WORK_A_TEXT)) return MASK
    return parts.map((part) => this.text(part)).join(separator)
  }

  text (text: string): string {
    return this.#masked(text, MAX_ENCODINGS)
  }

  #masked (text: string, encodings: number): string {
    if (!TELLING.test(text)) return text
    if (!this.#spend(text.length + WORK_A_TEXT)) return MASK
    text = this.#withoutJson(withoutUserInfo(text))
    let seen = 0
    for (let equals = text.indexOf('='); equals !== -1; equals = text.indexOf('=', equals + 1)) {
      if (++seen > MAX_PARAMETERS || !this.#spend(WORK_A_NAME) || this.isSecret(decodePercent(nameBefore(text, equals)))) {
        return text.slice(0, equals + 1) + MASK
      }
    }
    // A URL in a parameter of a URL: its own parameters are seen once it is decoded.
    if (!text.includes('%')) return text
    const decoded = decodePercent(text)
    if (decoded === text) return text
    return encodings === 0 || this.#masked(decoded, encodings - 1) !== decoded ? MASK : text
  }

  /** JSON in a parameter, or a header's value, whose fields are not seen here. */
  #withoutJson (text: string): string {
    const at = text.search(JSON_WITHIN)
    return at !== -1 && this.mentionsSecret(decodePercent(text.slice(at))) ? text.slice(0, at) + MASK : text
  }

  json (tape: Tape, node: number, max: number): string {
    return renderJson(tape, node, max, this).text
  }

  body (bytes: Uint8Array, contentType: string | undefined, complete: boolean, max: number): KeptBody | null {
    // No more is read than is kept: what masks a value stands before it.
    const whole = complete && bytes.length <= max
    const read = readText(bytes.subarray(0, max), whole)
    if (read === null) return null
    const text = whole ? read : cutUserInfo(read)
    const type = essence(contentType)
    if (isJson(type)) return this.#jsonBody(text, whole, max)
    // Before forms: curl says that JSON is one, unless it is told.
    if (/^\s*[[{]/.test(text)) {
      const json = this.#jsonBody(text, whole, max)
      if (json !== null) return json
    } else if (type === FORM) {
      return kept(this.form(text), whole, max)
    }
    return this.#own || this.mentionsSecret(text) ? null : kept(text, whole, max)
  }

  #jsonBody (text: string, whole: boolean, max: number): KeptBody | null {
    const tape = finish(readTape(text))
    if (whole && tape.state !== 'complete') return null
    // What the text's end cuts off is not in the tape, so that no part of a secret is taken for something else.
    const shown = renderJson(tape, 0, Infinity, this)
    return kept(shown.masked || !whole ? shown.text : text, whole, max)
  }

  /** Whether a secret's name is a word of the text, so that its value may be there too. */
  mentionsSecret (text: string): boolean {
    if (text.length > MAX_WORDS || !this.#spend((text.length + WORK_A_TEXT) * WORK_A_WORD) || withoutUserInfo(text) !== text) return true
    return text.split(/[^\p{L}\p{N}_-]+/u).some((word) => this.isSecret(word)) ||
      // Names of several words, or with escapes, as JSON has them.
      text.split('"').some((quoted) => this.isSecret(withoutEscapes(quoted)))
  }
}

/** The media type alone, in lower case; empty: none. */
export function essence (contentType: string | undefined): string {
  return contentType === undefined ? '' : contentType.split(';', 1)[0].trim().toLowerCase()
}

/** Whether a media type's essence is JSON: `application/json`, or with the suffix of RFC 6839. */
export function isJson (type: string): boolean {
  return JSON_TYPE.test(type)
}

function plain (name: string): string {
  return name.toLowerCase().replace(/[-_\s]/g, '')
}

function withoutEscapes (text: string): string {
  if (!text.includes('\\')) return text
  return text.replace(/\\u([\da-f]{4})/gi, (_, code: string) => String.fromCharCode(parseInt(code, 16))).replaceAll('\\', '')
}

function nameBefore (text: string, end: number): string {
  let start = end
  while (start > 0 && end - start <= LONGEST_NAME && BEFORE_NAME[text.charCodeAt(start - 1)] !== 1) start--
  return text.slice(start, end).replaceAll('+', ' ')
}

function readText (bytes: Uint8Array, whole: boolean): string | null {
  try {
    // As a stream, where the bytes may end within a character.
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, { stream: !whole })
    return text.includes('\0') ? null : text
  } catch {
    return null
  }
}

function kept (text: string, whole: boolean, max: number): KeptBody {
  const bytes = Buffer.from(text)
  if (bytes.length <= max) return { text: bytes.toString(), truncated: !whole }
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  // As a stream: a character that does not fit is left out.
  return { text: decoder.decode(bytes.subarray(0, max), { stream: true }), truncated: true }
}
