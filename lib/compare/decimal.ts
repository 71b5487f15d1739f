/** Exponents of more digits are told apart by how they are written. */
const SAFE_DIGITS = 15

/**
 * The one way to write a JSON number's value, with all its digits: equal numbers, and only they, give equal text, so `1.0`,
 * `1`, `10e-1` are one, and 9007199254740993 is not 9007199254740992. The sign of zero does not count.
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
  if (exponent.length > SAFE_DIGITS) return `${sign}${significant}e${exponent}+${shift}`
  return `${sign}${significant}e${Number(exponent) + shift}`
}

function withoutLeadingZeros (exponent: string): string {
  const negative = exponent[0] === '-'
  let first = negative || exponent[0] === '+' ? 1 : 0
  while (exponent[first] === '0') first++
  return first === exponent.length ? '0' : (negative ? '-' : '') + exponent.slice(first)
}
