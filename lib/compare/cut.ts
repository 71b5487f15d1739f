/**
 * At most so many characters, `…` for the rest. A copy: a slice of a long string would keep all of it in memory.
 */
export function cut (text: string, max: number): string {
  if (text.length <= max) return detach(text)
  const last = text.charCodeAt(max - 2)
  // Not between the halves of a surrogate pair.
  return detach(text.slice(0, last >= 0xd800 && last <= 0xdbff ? max - 2 : max - 1)) + '…'
}

// UTF-16, so that half a surrogate pair, which a JSON text may hold, stays as it is.
function detach (text: string): string {
  return Buffer.from(text, 'utf16le').toString('utf16le')
}
