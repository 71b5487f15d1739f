const COMMA = Buffer.from(',')

/**
 * Parts of JSON as one answer, with commas between those of a list. Each part has become bytes in its own turn of the
 * event loop: to make bytes of two megabytes of text at once takes longer than to send them.
 */
export function joined (...parts: Array<string | readonly Buffer[]>): Buffer {
  return Buffer.concat(parts.flatMap(part => typeof part === 'string' ? Buffer.from(part) : withCommas(part)))
}

function withCommas (list: readonly Buffer[]): Buffer[] {
  return list.flatMap((part, i) => i === 0 ? part : [COMMA, part])
}
