const MAX_LENGTH = 40

/** The known key that a misspelled one was most likely meant to be, or `undefined` when none is near. */
export function suggest (key: string, known: readonly string[]): string | undefined {
  if (key.length > MAX_LENGTH) return undefined
  const given = plain(key)
  let nearest: string | undefined
  let least = Infinity
  for (const candidate of known) {
    const steps = distance(given, plain(candidate))
    if (steps < least && (steps <= 0.4 * candidate.length || isOneMore(given, candidate, steps))) {
      least = steps
      nearest = candidate
    }
  }
  return nearest
}

/** One letter is much of a short key such as `ca`. */
function isOneMore (given: string, candidate: string, steps: number): boolean {
  return steps === 1 && given.length > candidate.length
}

function plain (key: string): string {
  return key.replace(/[-_]/g, '').toLowerCase()
}

/** Levenshtein's: insertions, deletions and replacements that turn `a` into `b`. */
function distance (a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1))
    }
    row = next
  }
  return row[b.length]
}
