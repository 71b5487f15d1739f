const OPERATION_NAME = /"operationName"\s*:\s*"([_A-Za-z][_0-9A-Za-z]*)"/
/** Beginning of a document, behind space, commas and comments. */
const DOCUMENT = /^(?:[\s,]|#[^\n]*\n)*(?:query|mutation|subscription)\s+([_A-Za-z][_0-9A-Za-z]*)/
const QUERY = /"query"\s*:\s*"/
const ESCAPED_SPACE = /\\[nrt]/g
/** Characters of a URL's query that are looked at. */
const MAX_QUERY = 2048

/**
 * The name of a GraphQL operation, from the request's query string or the first bytes of its body, JSON or the document
 * itself; `undefined`: it has none, or none there. It is what the client says, not proven by reading the document.
 */
export function operationName (url: string, bodyHead: Uint8Array): string | undefined {
  const at = url.indexOf('?')
  if (at !== -1) {
    const query = new URLSearchParams(url.slice(at + 1, at + 1 + MAX_QUERY))
    const name = query.get('operationName') ?? nameOfDocument(query.get('query') ?? '')
    if (name !== undefined && NAME.test(name)) return name
  }
  const body = Buffer.from(bodyHead.buffer, bodyHead.byteOffset, bodyHead.byteLength).toString('latin1')
  const [, name] = OPERATION_NAME.exec(body) ?? []
  if (name !== undefined) return name
  const query = QUERY.exec(body)
  return nameOfDocument(
    query === null ? body : body.slice(query.index + query[0].length).replace(ESCAPED_SPACE, newLine)
  )
}

const NAME = /^[_A-Za-z][_0-9A-Za-z]*$/

function nameOfDocument (document: string): string | undefined {
  return DOCUMENT.exec(document)?.[1]
}

/** What a document may begin with that only reads. */
const READS = /^(?:[\s,]|#[^\n]*\n)*(?:query\b|fragment\b|\{)/
const NOT_READS = /\b(?:mutation|subscription)\b/

/**
 * Whether a request's whole body asks GraphQL queries, and nothing else: JSON of one or several, or the document
 * itself. One that so much as mentions a mutation does not; neither does one without its document.
 */
export function isQuery (body: Uint8Array): boolean {
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString()
  let asked: unknown[]
  try {
    asked = [JSON.parse(text)].flat().map(one => Object(one).query)
  } catch {
    asked = [text]
  }
  return asked.every(one => typeof one === 'string' && READS.test(one) && !NOT_READS.test(one))
}

function newLine (): string {
  return '\n'
}
