import { plainLetters } from '../../secrets'
import { decodePercent } from '../percent'

const ESCAPE = /\\(?:u\{([\da-f]{1,6})\}|u([\da-f]{4})|x([\da-f]{2})|(["'\\/=:&<>]))/gi
const ENTITY = /&(?:#x([\da-f]{1,6})|#(\d{1,7})|(amp|apos|colon|equals|gt|lowbar|lt|quot));?/gi
const ENTITIES: Record<string, string> = {
  amp: '&', apos: "'", colon: ':', equals: '=', gt: '>', lowbar: '_', lt: '<', quot: '"'
}

/**
 * A text with one layer of encodings taken off: those of URLs, of program texts and of XML, and letters that only look
 * like others.
 */
export function decodeOnce (text: string): string {
  text = decodePercent(text)
  if (text.includes('\\')) {
    text = text.replace(ESCAPE, (all, long, short, byte, char) => char ?? character(long ?? short ?? byte, 16, all))
  }
  if (text.includes('&')) {
    text = text.replace(
      ENTITY, (all, hex, decimal, name) => named(name) ?? character(hex ?? decimal, hex === undefined ? 10 : 16, all)
    )
  }
  return plainLetters(text)
}

function named (name: string | undefined): string | undefined {
  return name === undefined ? undefined : ENTITIES[name.toLowerCase()]
}

function character (digits: string, radix: number, otherwise: string): string {
  const code = parseInt(digits, radix)
  return code <= 0x10ffff ? String.fromCodePoint(code) : otherwise
}
