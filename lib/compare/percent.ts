const PERCENT = 0x25

/**
 * Percent-encoding taken off (RFC 3986, section 2.1), a `%` that begins none left as it is, bytes that are no UTF-8
 * replaced. In linear time and without exceptions, which cost more than the work.
 */
export function decodePercent (text: string): string {
  if (!text.includes('%')) return text
  const bytes = Buffer.from(text)
  let end = 0
  for (let i = 0; i < bytes.length; i++) {
    let byte = bytes[i]
    if (byte === PERCENT) {
      // Of what is missing at the end, none is a digit.
      const high = digit(bytes[i + 1])
      const low = digit(bytes[i + 2])
      if (high !== -1 && low !== -1) {
        byte = high * 16 + low
        i += 2
      }
    }
    bytes[end++] = byte
  }
  return bytes.toString('utf8', 0, end)
}

function digit (char: number): number {
  if (char >= 0x30 && char <= 0x39) return char - 0x30
  const lower = char | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}
