import type { Steps } from '../steps'

/** Containers in containers, past which a document is not looked into. */
const MAX_DEPTH = 256
/** Values and keys of one document, past which it is not looked into. */
const MAX_NODES = 250_000
/** Nodes between two places where the work can be put off. */
const NODES_A_STEP = 256

const QUOTE = 0x22
const BACKSLASH = 0x5c

/**
 * A JSON text's values in the order in which they stand, as places in the text: a few integers each, whatever they
 * hold. So nothing is made of keys such as `__proto__`, numbers keep all their digits, and two equal pieces of text are
 * equal values. An object's children are a key and a value in turn.
 */
export class Tape {
  readonly text: string
  /** Where each node's text begins. */
  readonly starts: number[] = []
  /** Where it ends; 0 for a container that the text does not close. */
  readonly ends: number[] = []
  /** The node after it and all its children; 0 for a container that the text does not close. */
  readonly nexts: number[] = []
  /** `partial`: not JSON, and the nodes are those before the error or the text's end. */
  state: 'complete' | 'partial' | 'too complex' = 'partial'

  constructor (text: string) {
    this.text = text
  }

  get size (): number {
    return this.starts.length
  }

  source (node: number): string {
    return this.text.slice(this.starts[node], this.ends[node])
  }

  /** The node's first character, which tells its type: `{`, `[`, `"`, `t`, `f`, `n`, `-` or a digit. */
  kind (node: number): string {
    return this.text[this.starts[node]]
  }

  /** The text of a key or a string, unescaped. */
  string (node: number): string {
    const source = this.source(node)
    return source.includes('\\') ? JSON.parse(source) as string : source.slice(1, -1)
  }

  /** @internal Adds a scalar. */
  add (start: number, end: number): void {
    this.starts.push(start)
    this.ends.push(end)
    this.nexts.push(this.starts.length)
  }

  /** @internal Adds a container, and returns it. */
  open (start: number): number {
    this.ends.push(0)
    this.nexts.push(0)
    return this.starts.push(start) - 1
  }

  /** @internal Ends a container. */
  close (node: number, end: number): void {
    this.ends[node] = end
    this.nexts[node] = this.starts.length
  }
}

/** Reads a JSON text (RFC 8259), strictly. Throws nothing. */
export function * readTape (text: string): Steps<Tape> {
  const tape = new Tape(text)
  const containers: number[] = []
  let pos = skipSpace(text, 0)
  let pause = NODES_A_STEP
  /** A value or key must come, even where the container could end. */
  let due = true

  for (;;) {
    if (--pause === 0) {
      pause = NODES_A_STEP
      yield
    }
    if (tape.size >= MAX_NODES || containers.length > MAX_DEPTH) {
      tape.state = 'too complex'
      return tape
    }
    let char = text.charCodeAt(pos)
    const container = containers.length === 0 ? -1 : containers[containers.length - 1]
    const inObject = container !== -1 && text[tape.starts[container]] === '{'
    let closes = !due && char === (inObject ? 0x7d : 0x5d)

    if (!closes) {
      if (inObject) {
        const end = stringEnd(text, pos)
        if (end === -1) return tape
        tape.add(pos, end)
        pos = skipSpace(text, end)
        if (text[pos] !== ':') return tape
        pos = skipSpace(text, pos + 1)
        char = text.charCodeAt(pos)
      }
      if (char === 0x7b || char === 0x5b) {
        containers.push(tape.open(pos))
        pos = skipSpace(text, pos + 1)
        due = false
        continue
      }
      const end = scalarEnd(text, pos, char)
      if (end === -1) return tape
      tape.add(pos, end)
      pos = skipSpace(text, end)
    }

    // What follows a value: the ends of containers, then a comma or the end of the text.
    for (;;) {
      if (closes) {
        tape.close(containers.pop() as number, pos + 1)
        pos = skipSpace(text, pos + 1)
      }
      if (containers.length === 0) {
        if (pos === text.length) tape.state = 'complete'
        return tape
      }
      const opened = text[tape.starts[containers[containers.length - 1]]]
      closes = text[pos] === (opened === '{' ? '}' : ']')
      if (!closes) break
    }
    if (text[pos] !== ',') return tape
    pos = skipSpace(text, pos + 1)
    due = true
  }
}

function skipSpace (text: string, pos: number): number {
  for (;;) {
    const char = text.charCodeAt(pos)
    if (char !== 0x20 && char !== 0x0a && char !== 0x0d && char !== 0x09) return pos
    pos++
  }
}

function scalarEnd (text: string, pos: number, char: number): number {
  if (char === QUOTE) return stringEnd(text, pos)
  if (char === 0x74) return text.startsWith('true', pos) ? pos + 4 : -1
  if (char === 0x66) return text.startsWith('false', pos) ? pos + 5 : -1
  if (char === 0x6e) return text.startsWith('null', pos) ? pos + 4 : -1
  return numberEnd(text, pos)
}

function stringEnd (text: string, pos: number): number {
  if (text.charCodeAt(pos) !== QUOTE) return -1
  for (;;) {
    const char = text.charCodeAt(++pos)
    if (char === QUOTE) return pos + 1
    if (char === BACKSLASH) {
      const escaped = text[++pos]
      if (escaped === 'u') {
        for (let i = 0; i < 4; i++) if (!isHexDigit(text.charCodeAt(++pos))) return -1
      } else if (escaped === undefined || !'"\\/bfnrt'.includes(escaped)) {
        return -1
      }
    } else if (!(char >= 0x20)) {
      return -1 // a control character, or NaN: the end of the text
    }
  }
}

function numberEnd (text: string, pos: number): number {
  if (text[pos] === '-') pos++
  const whole = pos
  pos = skipDigits(text, pos)
  if (pos === whole || (text[whole] === '0' && pos > whole + 1)) return -1
  if (text[pos] === '.') {
    const fraction = pos + 1
    pos = skipDigits(text, fraction)
    if (pos === fraction) return -1
  }
  if (text[pos] === 'e' || text[pos] === 'E') {
    pos++
    if (text[pos] === '+' || text[pos] === '-') pos++
    const exponent = pos
    pos = skipDigits(text, exponent)
    if (pos === exponent) return -1
  }
  return pos
}

function skipDigits (text: string, pos: number): number {
  while (isDigit(text.charCodeAt(pos))) pos++
  return pos
}

function isDigit (char: number): boolean {
  return char >= 0x30 && char <= 0x39
}

function isHexDigit (char: number): boolean {
  return isDigit(char) || (char >= 0x41 && char <= 0x46) || (char >= 0x61 && char <= 0x66)
}
