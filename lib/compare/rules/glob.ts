/** A name in which `*` stands for any text, and its pieces. */
export type Glob = readonly string[]

export function globFrom (name: string): Glob {
  return name.split('*')
}

/**
 * In a time that grows with the text times the pieces, whatever both are: each piece is looked for where it first fits.
 */
export function fitsGlob (glob: Glob, text: string): boolean {
  const last = glob.length - 1
  if (last === 0) return text === glob[0]
  if (text.length < glob[0].length + glob[last].length || !text.startsWith(glob[0]) || !text.endsWith(glob[last])) {
    return false
  }
  const end = text.length - glob[last].length
  let at = glob[0].length
  for (let piece = 1; piece < last; piece++) {
    const found = text.indexOf(glob[piece], at)
    if (found === -1) return false
    at = found + glob[piece].length
  }
  return at <= end
}
