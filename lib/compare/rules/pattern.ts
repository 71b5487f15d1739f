import { RE2JS } from 're2js'

/**
 * Characters of a text in which nothing is looked for past that, and of an expression's machine: their product is time.
 */
export const MAX_TEXT = 4096
const MAX_SIZE = 256

/** A regular expression, or as text what it must be. */
export function compilePattern (pattern: string): RE2JS | string {
  try {
    const compiled = RE2JS.compile(pattern)
    return compiled.programSize() <= MAX_SIZE
      ? compiled
      : 'a smaller RE2 regular expression, with fewer or shorter repetitions'
  } catch (error) {
    return `an RE2 regular expression (${(error as Error).message.slice(0, 120)})`
  }
}
