import { instantOf, isDate } from './instant'
import type { RuleFormat } from '../../../types/index'

/** Characters of a value, past which it has no format. */
export const MAX_VALUE = 8 * 1024

const UUID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i
/** The first character says no more than three bits. */
const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/i
const ABSOLUTE = /^[a-z][a-z\d+.-]*:\/\/[^\s]+$/i
const OPAQUE = /^[^\s\p{Cc}]+$/u

/** Whether a text, no longer than `MAX_VALUE`, is in a format. */
export const FORMATS: Readonly<Record<RuleFormat, (text: string) => boolean>> = {
  uuid: text => UUID.test(text),
  ulid: text => ULID.test(text),
  'date-time': text => instantOf(text) !== null,
  date: isDate,
  url: text => ABSOLUTE.test(text) && URL.canParse(text),
  opaque: text => OPAQUE.test(text)
}

export const FORMAT_NAMES = Object.keys(FORMATS) as RuleFormat[]
