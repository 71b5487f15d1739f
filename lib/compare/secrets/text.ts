import { MASK } from '../../secrets'
import type { SecretNames } from '../../secrets'

/** What may be a name, or several with dots and brackets. */
const WORD = /[\p{L}\p{N}_$.[\]-]+/gu
/** Closes a name: `"password"`, `[password]`. */
const CLOSERS = /["'`\])\\]*/y
/** Stands between a name and its value, in whatever language. */
const SEPARATORS = /[=:>|("'`\t\n\r]/g
const SEPARATORS_OF_FLAG = /[=:>|("'`\s]/g
/** Stands before a name that is itself a value: `{"name":"password","value":…}`, `<field name="password" value=…`. */
const NAMES_ONE =
  /(?<![\p{L}\p{N}])(?:attribute|field|header|id|k|key|label|n|name|param|parameter|property|variable)["'`\\]{0,4}\s{0,9}(?:=>?|:|>)\s{0,9}[\\"'`]{0,4}$/iu
const LONGEST_BEFORE = 48
/** Two words, or what stands between quotes, that may be a name together. */
const LONGEST_PAIR = 128

/** Schemes of `authorization`, with something behind them that is no word of a language. */
const SCHEME = /\b(bearer|basic|negotiate)([\s+]+)(?=\S*[\d=._/~-])[\w.~+/=-]{8,}/gi

/** Whether a secret's name is a word of the text, or two, or stands between quotes. In linear time. */
export function mentions (text: string, names: SecretNames): boolean {
  if (!names.mayBeIn(text)) return false
  for (const { start, end, secret } of wordsOf(text, names)) {
    // One that is secret by its length alone names nothing at a text's end.
    if (secret && (end < text.length || end - start <= LONGEST_PAIR)) return true
  }
  return text.split('"').some((quoted) => quoted.length <= LONGEST_PAIR && names.has(quoted))
}

/**
 * Hides what follows a secret's name and a separator, in any language that writes the name first: from the first of
 * them on, all of it, so that nothing has to be known of where a value ends. Where the name is a value itself, its own
 * may stand before it, and all of the text is hidden. In linear time.
 */
export function hideNamed (text: string, names: SecretNames): string {
  if (!names.mayBeIn(text)) return text
  let more = true
  for (const { start, end, secret } of wordsOf(text, names)) {
    if (!secret) continue
    if (isNamed(text, start)) return MASK
    const at = text[end] === '/' ? end : more ? separatorAfter(text, start, end) : -1
    if (at !== -1) return hideSchemes(text.slice(0, at + 1)) + MASK
    // Nor is there one after any later word.
    more = false
  }
  return hideSchemes(text)
}

function hideSchemes (text: string): string {
  return text.replace(SCHEME, `$1$2${MASK}`)
}

function isNamed (text: string, start: number): boolean {
  return NAMES_ONE.test(text.slice(Math.max(0, start - LONGEST_BEFORE), start))
}

function separatorAfter (text: string, start: number, end: number): number {
  CLOSERS.lastIndex = end
  CLOSERS.test(text)
  const separators = text[start] === '-' ? SEPARATORS_OF_FLAG : SEPARATORS
  separators.lastIndex = CLOSERS.lastIndex
  return separators.exec(text)?.index ?? -1
}

/** Whether a parameter, `name=password`, says that another one is a secret. */
export function namesSecret (pair: string, names: SecretNames): boolean {
  const equals = pair.indexOf('=')
  return equals !== -1 && isNamed(pair, equals + 1) && names.has(pair.slice(equals + 1))
}

interface Word {
  start: number
  end: number
  secret: boolean
}

function * wordsOf (text: string, names: SecretNames): Generator<Word> {
  let before = ''
  let endBefore = -1
  for (const { 0: word, index } of text.matchAll(WORD)) {
    const joins = index === endBefore + 1 && /[ +]/.test(text[endBefore]) && before.length + word.length <= LONGEST_PAIR
    const end = index + word.length
    yield { start: index, end, secret: names.has(word) || (joins && names.has(`${before} ${word}`)) }
    before = word
    endBefore = end
  }
}
