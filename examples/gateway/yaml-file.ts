import { LineCounter, isAlias, isMap, isScalar, isSeq, parseDocument, visit } from 'yaml'
import type { Document } from 'yaml'

/** Keys and indices that lead to a value. */
export type Path = ReadonlyArray<string | number>

/** What is wrong with a file, and on which line of it. */
export class FileError extends Error {
  readonly line: number

  constructor (line: number, reason: string) {
    super(reason)
    this.line = line
  }
}

/** A YAML document that knows on which line each of its values stands. */
export class YamlFile {
  readonly value: unknown
  readonly #document: Document
  readonly #lines = new LineCounter()

  /** Throws a `FileError` where the text is no YAML. */
  constructor (text: string) {
    this.#document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false, merge: true })
    const { errors, warnings } = this.#document
    const fault = [...errors, ...warnings].at(0)
    if (fault !== undefined) throw this.#error(fault.pos[0], fault.message)
    visit(this.#document, {
      Alias: (_, alias) => {
        if (alias.resolve(this.#document) === undefined) {
          throw this.#error(alias.range?.[0], `nothing is called &${alias.source}`)
        }
      }
    })
    try {
      this.value = this.#document.toJS()
    } catch (error) {
      // Aliases of aliases that would become endless.
      throw new FileError(1, (error as Error).message)
    }
  }

  /** The line of a value, or of the nearest that is there above it. Of a mapping's value: the line of its key. */
  lineOf (path: Path): number {
    let node: unknown = this.#document.contents
    let offset: number | undefined
    for (const key of path) {
      if (isAlias(node)) node = node.resolve(this.#document)
      if (isMap(node)) {
        const pair = node.items.find(pair => isScalar(pair.key) && String(pair.key.value) === key)
        offset = startOf(pair?.key) ?? offset
        node = pair?.value
      } else if (isSeq(node)) {
        node = node.items[Number(key)]
        offset = startOf(node) ?? offset
      }
    }
    return this.#line(offset)
  }

  #error (offset: number | undefined, reason: string): FileError {
    return new FileError(this.#line(offset), reason)
  }

  #line (offset = 0): number {
    return this.#lines.linePos(offset).line || 1
  }
}

function startOf (node: unknown): number | undefined {
  return (node as { range?: [start: number, ...number[]] } | undefined)?.range?.[0]
}
