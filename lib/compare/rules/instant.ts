/** Of RFC 3339, its zone left out or not, and with a space for the `T`. */
const ISO = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,30}))?(?:[Zz]|([+-])(\d\d):?(\d\d))?$/
/** As in headers (RFC 9110, section 5.6.7). */
const HTTP = /^[A-Z][a-z]{2}, (\d\d)[ -]([A-Z][a-z]{2})[ -](\d{4}) (\d\d):(\d\d):(\d\d) GMT$/
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const DATE = /^(\d{4})-(\d\d)-(\d\d)$/

/** A date-time in seconds since 1970, as a JSON number with all its digits; `null`: it is none. */
export function instantOf (text: string): string | null {
  const iso = ISO.exec(text)
  if (iso !== null) {
    const [, year, month, day, hour, minute, second, fraction = '0', sign, hours = '0', minutes = '0'] = iso
    const seconds = secondsOf(+year, +month, +day, +hour, +minute, +second)
    if (seconds === null || +hours > 23 || +minutes > 59) return null
    const offset = (+hours * 60 + +minutes) * 60
    return withFraction(seconds - (sign === '-' ? -offset : offset), fraction)
  }
  const http = HTTP.exec(text)
  if (http === null) return null
  const [, day, month, year, hour, minute, second] = http
  const seconds = secondsOf(+year, MONTHS.indexOf(month) + 1, +day, +hour, +minute, +second)
  return seconds === null ? null : String(seconds)
}

export function isDate (text: string): boolean {
  const found = DATE.exec(text)
  return found !== null && secondsOf(+found[1], +found[2], +found[3], 0, 0, 0) !== null
}

/** `null`: there is no such day or time. The last minute of a day may have a second more. */
function secondsOf (
  year: number, month: number, day: number, hour: number, minute: number, second: number
): number | null {
  if (hour > 23 || minute > 59 || second > 60) return null
  const date = new Date(0)
  // Unlike Date.UTC it takes a year below 100 as it is.
  date.setUTCFullYear(year, month - 1, day)
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return null
  return date.getTime() / 1000 + (hour * 60 + minute) * 60 + second
}

/** Before 1970 too the fraction goes forward. */
function withFraction (seconds: number, fraction: string): string {
  const digits = BigInt(seconds) * 10n ** BigInt(fraction.length) + BigInt(fraction)
  return `${digits}e-${fraction.length}`
}
