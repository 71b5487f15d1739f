import { seeded } from '../helpers/random'

/** Choices that are the same for the same seed. */
export class Random {
  readonly #next: () => number

  constructor (seed: number) {
    this.#next = seeded(seed)
  }

  chance (probability: number): boolean {
    return this.#next() < probability
  }

  /** A whole number, both ends included. */
  whole (low: number, high: number): number {
    return low + Math.floor(this.#next() * (high - low + 1))
  }

  /** As `whole`, each order of magnitude as likely as the others. */
  size (low: number, high: number): number {
    return Math.floor(low * (high / low) ** this.#next())
  }

  of<T> (items: readonly T[]): T {
    return items[this.whole(0, items.length - 1)]
  }

  /** A name of the record, by weight. */
  weighted<K extends string> (weights: Readonly<Record<K, number>>): K {
    const names = Object.keys(weights) as K[]
    let left = this.#next() * names.reduce((sum, name) => sum + weights[name], 0)
    return names.find(name => (left -= weights[name]) < 0) ?? names[0]
  }
}
