import { MASK } from '../secrets'
import { cut } from './cut'
import { beginning } from './user-info'
import { isSecretMember, isSecretText, secretMembers } from './secrets/pairs'
import type { Tape } from './tape'

/** Characters of JSON within JSON; none of a longer one is shown. */
const MAX_JSON = 64 * 1024

/** What rendering asks of a redactor. */
export interface Masking {
  isSecret (name: string): boolean
  text (text: string): string
  mentionsSecret (text: string): boolean
}

/**
 * Characters behind those that are shown, in which a value may turn out to be a secret:
 * `{"value":…,"name":"password"}`.
 */
const AHEAD = 256

export interface Rendered {
  text: string
  /** Whether anything was masked. */
  masked: boolean
}

/**
 * A value of a JSON document without white space, with secrets masked, then cut. Of a container that the text does not
 * close, what is there.
 */
export function renderJson (tape: Tape, node: number, max: number, masking: Masking): Rendered {
  const renderer = new Renderer(tape, max, masking)
  if (node < tape.size) renderer.value(node)
  return { text: cut(renderer.text, max), masked: renderer.masked }
}

/** Goes no further than its text may be long, and no deeper than a tape is. */
class Renderer {
  text = ''
  masked = false
  readonly #tape: Tape
  readonly #max: number
  readonly #masking: Masking

  constructor (tape: Tape, max: number, masking: Masking) {
    this.#tape = tape
    this.#max = max
    this.#masking = masking
  }

  value (node: number): void {
    const kind = this.#tape.kind(node)
    if (kind === '{') this.#object(node)
    else if (kind === '[') this.#array(node)
    else if (kind === '"') this.#string(node)
    else this.text += this.#tape.source(node)
  }

  #object (node: number): void {
    const tape = this.#tape
    const end = tape.nexts[node] || tape.size
    const members = secretMembers(tape, node, this.#masking)
    this.text += '{'
    for (let key = node + 1; key < end && this.#hasRoom(); key = tape.nexts[key + 1] || end) {
      if (key > node + 1) this.text += ','
      const name = tape.string(key)
      this.text += `${this.#shown(name, tape.source(key))}:`
      if (this.#masking.isSecret(name) || isSecretMember(name, members)) this.#mask()
      else if (key + 1 < end) this.value(key + 1)
    }
    if (tape.nexts[node] !== 0) this.text += '}'
  }

  #array (node: number): void {
    const tape = this.#tape
    const end = tape.nexts[node] || tape.size
    this.text += '['
    let before = -1
    for (let item = node + 1; item < end && this.#hasRoom(); item = tape.nexts[item] || end) {
      if (item > node + 1) this.text += ','
      if (before !== -1 && isSecretText(tape, before, this.#masking)) this.#mask()
      else this.value(item)
      before = item
    }
    if (tape.nexts[node] !== 0) this.text += ']'
  }

  #string (node: number): void {
    const text = this.#tape.string(node)
    const first = beginning(text, this.#max + AHEAD)
    // JSON within JSON, whose fields are not seen here.
    if (/^\s*[[{]/.test(first) && (text.length > MAX_JSON || this.#masking.mentionsSecret(first))) return this.#mask()
    this.text += this.#shown(text, this.#tape.source(node))
  }

  /** Of a long text the beginning is enough: what masks a value stands before it, or not far behind. */
  #shown (text: string, source: string): string {
    const limit = this.#max + AHEAD
    const shown = this.#masking.text(beginning(text, limit))
    if (shown === text) return source
    if (shown !== text.slice(0, limit)) this.masked = true
    return JSON.stringify(shown)
  }

  #mask (): void {
    this.masked = true
    this.text += `"${MASK}"`
  }

  #hasRoom (): boolean {
    return this.text.length <= this.#max
  }
}
