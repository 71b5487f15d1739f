/**
 * What nobody sees or what a terminal obeys: control characters, those that turn text around or join it, halves of
 * surrogate pairs, letters that are blank, and all white space but a space.
 */
const UNSEEN = /(?! )[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u2800]/u
const ALL_UNSEEN = new RegExp(UNSEEN, 'gu')

export function hasUnseen (text: string): boolean {
  return UNSEEN.test(text)
}

/**
 * Text of whoever sent it, in one line and with nothing hidden: `\u{9b}` for a character that a terminal would obey.
 */
export function printable (text: string): string {
  return text.replace(ALL_UNSEEN, (character) => `\\u{${(character.codePointAt(0) as number).toString(16)}}`)
}

/** A copy of plain data, its keys and texts printable. */
export function printableData<Data> (data: Data): Data
export function printableData (data: unknown): unknown {
  if (typeof data === 'string') return printable(data)
  if (Array.isArray(data)) return data.map(printableData)
  if (typeof data !== 'object' || data === null) return data
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [printable(key), printableData(value)]))
}

/**
 * An error for a log. Where its message has what is not printable, such as bytes of a shadow that a client library
 * quotes, what a log shows of an error, printable.
 */
export function printableError (error: unknown): unknown {
  if (!(error instanceof Error)) return typeof error === 'string' ? printable(error) : error
  const { name, message, stack = '', code } = error as Error & { code?: unknown }
  if (!hasUnseen(message)) return error
  const lines = stack.replace(message, () => printable(message)).split('\n')
  return { type: name, message: printable(message), stack: lines.map(printable).join('\n'), code }
}
