import { canonicalNumber } from '../decimal'

/** Digits of a number, and of its exponent, past which it is only equal to itself. */
const MAX_DIGITS = 1000
const MAX_EXPONENT_DIGITS = 15

/** `digits` times ten to the `exponent`. */
interface Decimal {
  readonly digits: bigint
  readonly exponent: number
  /** Ten to this is more than the number, whatever its sign, and a tenth of that is not. */
  readonly top: number
}

const ZERO: Decimal = { digits: 0n, exponent: 0, top: -Infinity }

/** Whether two JSON numbers are at most `most` apart. Exact, in a time that is bounded whatever they are. */
export function isWithin (a: string, b: string, most: string): boolean {
  return areWithin(decimalOf(a), decimalOf(b), decimalOf(most))
}

/** Whether two JSON numbers are at most so many percent of the first apart. */
export function isWithinPercent (a: string, b: string, percent: string): boolean {
  const [first, share] = [decimalOf(a), decimalOf(percent)]
  if (first === null || share === null) return false
  const most = of(first.digits * share.digits, first.exponent + share.exponent - 2)
  return areWithin(first, decimalOf(b), { ...most, digits: magnitude(most.digits) })
}

function areWithin (a: Decimal | null, b: Decimal | null, most: Decimal | null): boolean {
  if (a === null || b === null || most === null) return false
  const [less, more] = a.top < b.top ? [a, b] : [b, a]
  // Digits that are far from each other are not written out: the exponents may be anything.
  if (more.top < most.top - 1) return true
  if (more.top > most.top + 1 && less.top < more.top - 1) return false
  const difference = minus(more, less.top < Math.min(more.exponent, most.exponent) ? nearer(less, more, most) : less)
  if (difference.top !== most.top) return difference.top < most.top
  const last = Math.min(difference.exponent, most.exponent)
  return scaled(difference, last) <= scaled(most, last)
}

/** What is less than one of the last digit of either: any such number of its sign gives the same answer. */
function nearer ({ digits }: Decimal, more: Decimal, most: Decimal): Decimal {
  return of(digits > 0n ? 1n : digits < 0n ? -1n : 0n, Math.min(more.exponent, most.exponent) - 1)
}

/** How far they are apart. */
function minus (a: Decimal, b: Decimal): Decimal {
  if (b.digits === 0n) return { ...a, digits: magnitude(a.digits) }
  const last = Math.min(a.exponent, b.exponent)
  return of(magnitude(scaled(a, last) - scaled(b, last)), last)
}

function scaled ({ digits, exponent }: Decimal, to: number): bigint {
  return digits * 10n ** BigInt(exponent - to)
}

function magnitude (digits: bigint): bigint {
  return digits < 0n ? -digits : digits
}

function of (digits: bigint, exponent: number): Decimal {
  return digits === 0n ? ZERO : { digits, exponent, top: String(magnitude(digits)).length + exponent }
}

/** `null`: it is too long to reckon with. */
function decimalOf (source: string): Decimal | null {
  const canonical = canonicalNumber(source)
  if (canonical === '0') return ZERO
  const e = canonical.indexOf('e')
  if (e > MAX_DIGITS || canonical.length - e > MAX_EXPONENT_DIGITS) return null
  return of(BigInt(canonical.slice(0, e)), Number(canonical.slice(e + 1)))
}
