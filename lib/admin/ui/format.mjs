// Numbers, times and foreign text as the page shows them.

const whole = new Intl.NumberFormat('en')
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 })
const rough = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 })
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' })
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' })

/** @param {number} value */
export function count (value) {
  return whole.format(value)
}

/** Where there is little room: `12.3K`. @param {number} value */
export function shortCount (value) {
  return value < 10_000 ? whole.format(value) : compact.format(value)
}

/**
 * `0.51 %`. A share that is not nothing never looks like nothing, nor one that is not all like all. @param {number}
 * part @param {number} all
 */
export function percent (part, all) {
  if (all === 0) return '–'
  const share = part / all * 100
  if (share > 0 && share < 0.01) return '< 0.01 %'
  if (share > 99.9 && share < 100) return '> 99.9 %'
  return `${rough.format(share)} %`
}

/** @param {number | null} value in milliseconds */
export function ms (value) {
  if (value === null) return '–'
  const size = Math.abs(value)
  return whole.format(Number(value.toFixed(size < 10 ? 2 : size < 100 ? 1 : 0)))
}

/** @param {number | null} value per second */
export function rate (value) {
  if (value === null) return '–'
  return `${value === 0 || value >= 10 ? whole.format(Math.round(value)) : value.toFixed(1)}/s`
}

/**
 * The time of day; the day as well, if it is not that of `now`. @param {string | number} time @param {string | number}
 * now
 */
export function at (time, now) {
  const date = new Date(time)
  const today = date.toDateString() === new Date(now).toDateString()
  return today ? clock.format(date) : `${day.format(date)}, ${clock.format(date)}`
}

/** How long that is, in one unit: `12 s`. @param {number} milliseconds */
export function span (milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000))
  if (seconds < 120) return `${seconds} s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 120) return `${minutes} min`
  const hours = Math.round(minutes / 60)
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} days`
}

// Control characters, those that turn text around or join it, halves of surrogate pairs, blank letters, and white space
// but the usual.
const UNSEEN = /(?![\t\n ])[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u2800]/gu

/**
 * Text of whoever sent it, with nothing hidden: `\u{202e}` for a character that would turn the rest around. @param
 * {string} text
 */
export function foreign (text) {
  return text.replace(UNSEEN, character => `\\u{${character.codePointAt(0)?.toString(16)}}`)
}
