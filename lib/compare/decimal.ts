/** As many digits are counted with at a time. */
const SAFE_DIGITS = 15
const CARRY = 10 ** SAFE_DIGITS

/**
 * The one way to write a JSON number's value, with all its digits: equal numbers, and only they, give equal text, so
 * `1.0`, `1`, `10e-1` are one, and 9007199254740993 is not 9007199254740992. The sign of zero does not count.
 */
export function canonicalNumber (source: string): string {
  const negative = source[0] === '-'
  const e = source.search(/[eE]/)
  const mantissa = source.slice(negative ? 1 : 0, e === -1 ? source.length : e)
  const point = mantissa.indexOf('.')
  const digits = point === -1 ? mantissa : mantissa.slice(0, point) + mantissa.slice(point + 1)
  const decimals = point === -1 ? 0 : mantissa.length - point - 1

  // Loops, because /0+$/ takes quadratic time on a run of zeros that another digit ends.
  let first = 0
  while (digits[first] === '0') first++
  if (first === digits.length) return '0'
  let last = digits.length
  while (digits[last - 1] === '0') last--

  const sign = negative ? '-' : ''
  const significant = digits.slice(first, last)
  const shift = digits.length - last - decimals
  const exponent = e === -1 ? '0' : withoutLeadingZeros(source.slice(e + 1))
  return `${sign}${significant}e${sum(exponent, shift)}`
}

/** A whole number of any length and a small one, in a time that grows with the length alone. */
function sum (exponent: string, shift: number): string {
  if (exponent.length <= SAFE_DIGITS) return String(Number(exponent) + shift)
  const negative = exponent[0] === '-'
  let high = exponent.slice(negative ? 1 : 0, -SAFE_DIGITS)
  let low = Number(exponent.slice(-SAFE_DIGITS)) + (negative ? -shift : shift)
  if (low >= CARRY) {
    high = next(high, '9', '0', 1)
    low -= CARRY
  } else if (low < 0) {
    high = next(high, '0', '9', -1)
    low += CARRY
  }
  return (negative ? '-' : '') + withoutLeadingZeros(high + String(low).padStart(SAFE_DIGITS, '0'))
}

/**
 * The number that comes after, or before: the last digit that is not `full` changes by `step`, and those behind it
 * become `empty`.
 */
function next (digits: string, full: string, empty: string, step: number): string {
  let at = digits.length - 1
  while (digits[at] === full) at--
  const digit = at === -1 ? 0 : Number(digits[at])
  return digits.slice(0, Math.max(at, 0)) + String(digit + step) + empty.repeat(digits.length - 1 - at)
}

function withoutLeadingZeros (exponent: string): string {
  const negative = exponent[0] === '-'
  let first = negative || exponent[0] === '+' ? 1 : 0
  while (exponent[first] === '0') first++
  return first === exponent.length ? '0' : (negative ? '-' : '') + exponent.slice(first)
}
