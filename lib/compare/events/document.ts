import { readTape } from '../tape'
import { Lines } from './lines'
import type { Steps } from '../../steps'

/** Bodies that are a row of events: server-sent events, or one JSON document a line. */
export type EventKind = 'sse' | 'lines'

/** Levels of its document that are the stream's own: above an event's data, no rule is for them. */
export const LEVELS: Readonly<Record<EventKind, 1 | 2>> = { sse: 2, lines: 1 }

/** Events past which a stream is not looked into: each takes memory. */
const MAX_EVENTS = 80_000
/** Characters of the document past which it is not looked into. */
const MAX_CHARACTERS = 8 * 1024 * 1024
/** Lines between two places where the work can be put off, and characters that are written at a stretch. */
const LINES_A_STEP = 128
const BLOCK = 8192

const LINE_TYPES = new Set([
  'application/x-ndjson', 'application/ndjson', 'application/jsonl', 'application/x-jsonl', 'application/jsonlines',
  'application/x-jsonlines', 'application/json-lines'
])
/** Events of these names say that a stream is alive: when they come says nothing. */
const HEARTBEATS = new Set(['ping', 'heartbeat', 'keepalive', 'keep-alive'])

/** `null`: it is no such stream. `too complex`: it has too many events. */
export type EventDocument = string | 'too complex' | null

/** `type`: of a body, in lower case and without parameters. */
export function eventKind (type: string): EventKind | null {
  if (type === 'text/event-stream') return 'sse'
  return LINE_TYPES.has(type) ? 'lines' : null
}

/**
 * A stream's events as one JSON document, an array: of server-sent events each is an object whose one key is its name
 * and whose value is its data.
 */
export function eventDocument (kind: EventKind, text: string): Steps<EventDocument> {
  return kind === 'sse' ? ofServerSent(text) : ofLines(text)
}

/** HTML, section 9.2; also an event that is not ended, for some clients take it. An id is for who gave it. */
function * ofServerSent (text: string): Steps<EventDocument> {
  const lines = new Lines(text, text.charCodeAt(0) === 0xfeff ? 1 : 0)
  const events = new Items()
  let name = ''
  let data: string[] = []
  let line: string | null
  let count = 0
  do {
    if (++count % LINES_A_STEP === 0) yield
    line = lines.next()
    if (line === null || line === '') {
      const text = data.join('\n')
      if (text !== '' && !HEARTBEATS.has(name.toLowerCase())) {
        events.add(`{${JSON.stringify(name === '' ? 'message' : name)}:${yield * jsonOf(text)}}`)
      }
      if (events.full) return 'too complex'
      name = ''
      data = []
    } else {
      const colon = line.indexOf(':')
      const field = colon === -1 ? line : line.slice(0, colon)
      const value = colon === -1 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)
      if (field === 'data') data.push(value)
      else if (field === 'event') name = value
    }
  } while (line !== null)
  return events.document
}

function * ofLines (text: string): Steps<EventDocument> {
  const lines = new Lines(text, 0)
  const documents = new Items()
  for (let line = lines.next(), count = 1; line !== null; line = lines.next(), count++) {
    if (count % LINES_A_STEP === 0) yield
    if (line.trim() === '') continue
    if (!(yield * isJson(line))) return null
    documents.add(line)
    if (documents.full) return 'too complex'
  }
  return documents.document
}

/** JSON as it is; anything else as a text. A bare number, or a word, is a text: `1.0` may be a piece of one. */
function * jsonOf (data: string): Steps<string> {
  if (/^\s*[[{"]/.test(data) && (yield * isJson(data))) return data
  let text = ''
  for (let at = 0; at < data.length; at += BLOCK) {
    if (at > 0) yield
    text += JSON.stringify(data.slice(at, at + BLOCK)).slice(1, -1)
  }
  return `"${text}"`
}

/** What is too complex to be read is JSON so far, and too complex as a part of the document, too. */
function * isJson (text: string): Steps<boolean> {
  return (yield * readTape(text)).state !== 'partial'
}

class Items {
  full = false
  #text = ''
  #count = 0

  add (item: string): void {
    this.#text += this.#count++ === 0 ? item : `,${item}`
    this.full = this.#count > MAX_EVENTS || this.#text.length > MAX_CHARACTERS
  }

  get document (): string {
    return `[${this.#text}]`
  }
}
