import { MASK, SecretNames, withoutSecretValues } from '../secrets'
import { renderJson } from './render'
import { atOnce } from '../steps'
import { readTape } from './tape'
import { decodeOnce } from './secrets/encodings'
import { hideNamed, mentions, namesSecret } from './secrets/text'
import { cutUserInfo, withoutUserInfo } from './user-info'
import type { Masking } from './render'
import type { Tape } from './tape'

/** URLs within URLs, escapes within escapes: what is encoded more often is masked unread. */
const MAX_ENCODINGS = 3
/** Characters of a text in which the names of secrets are looked for; a longer one counts as one with secrets. */
const MAX_WORDS = 4096

/**
 * What the masking of one example may take, in characters that are looked through; past it text is masked unread. What
 * a text, and a character of words are worth of them.
 */
const MAX_WORK = 9 * 1024
const WORK_A_TEXT = 24
const WORK_A_WORD = 4
/** Without any of these there is nothing in a text that could be masked. */
const TELLING = /[=:>|("'`\t\n\r%\\&[{/]|(?:^|\s)-|eyJ|-----BEGIN|bearer|basic|negotiate|[^\0-\x7f]/i

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
  /**
   * An example begins: all that is masked until the next one begins takes a bounded time, whatever it is. Before the
   * first there is no bound.
   */
  begin(): void
  /** Whether a field, header or parameter of this name is one, `user[password]` and `user.password` included. */
  isSecret (name: string): boolean
  /**
   * A header's value: all of a secret one's; of others what follows a secret parameter's name, as in `location`, and
   * user info of URLs.
   */
  header (name: string, value: string): string
  /** A flat list of headers. */
  headers (list: readonly string[]): string[]
  /** A path with query. */
  path (path: string): string
  /**
   * Any text, in which the first name of a secret with a separator behind it, or JSON that names one, hides all that
   * follows; user info of URLs, JSON Web Tokens and keys in PEM are hidden, too.
   */
  text (text: string): string
  /** A form body, or a query. */
  form (text: string): string
  /** A value of a JSON document as compact text, masked, then cut. */
  json (tape: Tape, node: number, max: number): string
  /**
   * What may be kept of a request body: at most `max` bytes of masked JSON or a masked form; other text only where the
   * user names no secrets and no usual one is mentioned in it; `null`: nothing. What begins as JSON does is JSON,
   * whatever its type says. `complete` says whether `bytes` is all of it.
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
  readonly #names: SecretNames
  readonly #own: boolean
  /** Of the present example. */
  #work = Infinity

  constructor (names: readonly string[]) {
    this.#names = new SecretNames(names)
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
    return this.#names.has(name)
  }

  header (name: string, value: string): string {
    if (this.isSecret(name)) return MASK
    // Node reads bytes of UTF-8 as Latin-1.
    const read = /[\x80-\xff]/.test(value) ? Buffer.from(value, 'latin1').toString() : value
    return read !== value && this.text(read) !== read ? MASK : this.text(value)
  }

  headers (list: readonly string[]): string[] {
    return list.map((item, index) => index % 2 === 0 ? item : this.header(list[index - 1], item))
  }

  path (path: string): string {
    path = withoutUserInfo(path)
    const query = path.indexOf('?')
    const segments = this.#withoutJson(query === -1 ? path : path.slice(0, query)).split('/')
    if (!this.#spend(segments.length * WORK_A_TEXT)) return MASK
    const named = segments.findIndex((segment) => this.#namesNext(decode(segment)))
    // What a secret is named before, as in `/reset/token/…`, and whatever else is there.
    if (named !== -1 && named < segments.length - 1) segments.splice(named + 1, Infinity, MASK)
    const shown = segments.map((segment) => this.text(segment)).join('/')
    return shown + (query === -1 ? '' : `?${this.form(path.slice(query + 1))}`)
  }

  /** `/auth/` is a place in many APIs, and what is behind it most often one, too. */
  #namesNext (segment: string): boolean {
    return /^[\p{L}\p{N}_$. -]+$/u.test(segment) && this.isSecret(segment) && !/^o?auth\d?$/i.test(segment)
  }

  form (text: string): string {
    // As a whole first: what is between quotes may have a `&`.
    const pairs = this.#withoutJson(withoutUserInfo(text)).split('&')
    if (!this.#spend(pairs.length * 2 * WORK_A_TEXT)) return MASK
    const all = this.#names.mayBeIn(decodeOnce(text)) && pairs.some((pair) => namesSecret(decode(pair), this.#names))
    return pairs.map((pair) => this.#pair(pair, all)).join('&')
  }

  #pair (pair: string, secret: boolean): string {
    const equals = pair.indexOf('=')
    if (equals === -1 || !(secret || this.isSecret(decode(pair.slice(0, equals))))) return this.text(pair)
    return this.text(pair.slice(0, equals)) + '=' + MASK
  }

  text (text: string): string {
    return this.#masked(text, MAX_ENCODINGS)
  }

  #masked (text: string, encodings: number): string {
    if (!TELLING.test(text)) return text
    if (!this.#spend(text.length + WORK_A_TEXT)) return MASK
    const shown = hideNamed(withoutSecretValues(this.#withoutJson(withoutUserInfo(text))), this.#names)
    // A URL in a parameter of a URL, a name in escapes: they are seen once they are decoded.
    const decoded = decodeOnce(shown)
    if (decoded === shown) return shown
    return encodings === 0 || this.#masked(decoded, encodings - 1) !== decoded ? MASK : shown
  }

  /** JSON in a parameter, or a header's value, whose fields are not seen here. */
  #withoutJson (text: string): string {
    const at = text.search(JSON_WITHIN)
    return at !== -1 && this.mentionsSecret(decodeOnce(text.slice(at))) ? text.slice(0, at) + MASK : text
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
    return this.#own || this.mentionsSecret(text) ? null : kept(this.text(text), whole, max)
  }

  #jsonBody (text: string, whole: boolean, max: number): KeptBody | null {
    const tape = atOnce(readTape(text))
    if (whole && tape.state !== 'complete') return null
    // What the text's end cuts off is not in the tape, so that no part of a secret is taken for something else.
    const shown = renderJson(tape, 0, Infinity, this)
    return kept(shown.masked || !whole ? shown.text : text, whole, max)
  }

  /** Whether a secret's name is a word of the text, so that its value may be there too. */
  mentionsSecret (text: string): boolean {
    if (text.length > MAX_WORDS || withoutUserInfo(text) !== text) return true
    for (let encodings = 0; encodings <= MAX_ENCODINGS; encodings++) {
      if (!this.#spend((text.length + WORK_A_TEXT) * WORK_A_WORD)) return true
      if (mentions(text, this.#names)) return true
      const decoded = decodeOnce(text)
      if (decoded === text) return false
      text = decoded
    }
    return true
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

/** A name or segment as it stands in a URL. */
function decode (text: string): string {
  return decodeOnce(text.replaceAll('+', ' '))
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
