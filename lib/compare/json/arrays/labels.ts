import { ITEMS_A_STEP } from './part'
import type { Steps } from '../../../steps'
import type { Labels, Part } from './part'

/** Items are alike by all that they hold. Each loop turns once an item. */
export function * byContent (a: Part, b: Part): Steps<Labels> {
  const numbers = new Map<number, number>()
  const labels = { a: new Int32Array(a.nodes.length), b: new Int32Array(b.nodes.length) }
  for (const [{ nodes, index, at: place, fingerprints }, of] of [[a, labels.a], [b, labels.b]] as const) {
    const known = fingerprints()
    yield * known.read(nodes, index, place)
    for (let at = 0; at < nodes.length; at++) {
      if (at % ITEMS_A_STEP === ITEMS_A_STEP - 1) yield
      const fingerprint = known.of(nodes[at])
      let label = numbers.get(fingerprint)
      if (label === undefined) numbers.set(fingerprint, label = numbers.size)
      of[at] = label
    }
  }
  return { ...labels, count: numbers.size }
}
