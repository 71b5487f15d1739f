import type { Backend } from './config'

/**
 * Gives the URLs in turn, each as often as its weight says and as evenly as can be: weights 2 and 1 give a, b, a.
 * It is nginx's smooth weighted round robin.
 */
export function rotation (backends: Backend[]): () => string {
  const turns = backends.map(({ url, weight }) => ({ url, weight, credit: 0 }))
  const total = turns.reduce((sum, { weight }) => sum + weight, 0)

  return () => {
    let next = turns[0]
    for (const turn of turns) {
      turn.credit += turn.weight
      if (turn.credit > next.credit) next = turn
    }
    next.credit -= total
    return next.url
  }
}
