import { cut } from './cut'
import { MASK, beginning, withoutUserInfo } from './user-info'
import type { Tape } from './tape'

/** Characters of JSON within JSON; none of a longer one is shown. */
const MAX_JSON = 64 * 1024

/** What rendering asks of a redactor. */
export interface Masking {
  isSecret (name: string): boolean
  text (text: string): string
  mentionsSecret (text: string): boolean
}

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
    this.text += '{'
    for (let key = node + 1; key < end && this.#hasRoom(); key = tape.nexts[key + 1] || end) {
      if (key > node + 1) this.text += ','
      const name = tape.string(key)
      this.#key(name, tape.source(key))
      if (this.#masking.isSecret(name)) this.#mask()
      else if (key + 1 < end) this.value(key + 1)
    }
    if (tape.nexts[node] !== 0) this.text += '}'
  }

  #key (name: string, source: string): void {
    const shown = withoutUserInfo(name)
    if (shown !== name) this.masked = true
    this.text += `${shown === name ? source : JSON.stringify(shown)}:`
  }

  #array (node: number): void {
    const tape = this.#tape
    const end = tape.nexts[node] || tape.size
    this.text += '['
    for (let item = node + 1; item < end && this.#hasRoom(); item = tape.nexts[item] || end) {
      if (item > node + 1) this.text += ','
      this.value(item)
    }
    if (tape.nexts[node] !== 0) this.text += ']'
  }

  #string (node: number): void {
    const text = this.#tape.string(node)
    // Of a long text the beginning is enough: what masks a value stands before it.
    const first = beginning(text, this.#max)
    // JSON within JSON, whose fields are not seen here.
    if (/^\s*[[{]/.test(first) && (text.length > MAX_JSON || this.#masking.mentionsSecret(first))) return this.#mask()
    const shown = this.#masking.text(first)
    if (shown !== text && shown !== text.slice(0, this.#max)) this.masked = true
    this.text += shown === text ? this.#tape.source(node) : JSON.stringify(shown)
  }

  #mask (): void {
    this.masked = true
    this.text += `"${MASK}"`
  }

  #hasRoom (): boolean {
    return this.text.length <= this.#max
  }
}
