/**
 * Longest part of a key that is hashed, in UTF-16 code units: what Node lets all headers of a request have together.
 */
export const MAX_KEY_LENGTH = 16_384

const FNV_OFFSET_BASIS = 0x811c9dc5
const FNV_PRIME = 0x01000193
const HASHES = 2 ** 32

/** Decides by a share in percent: by a roll, or by a key that always gets the same decision. */
export class Sampler {
  readonly #random: () => number

  /** @param random From 0 to below 1. */
  constructor (random: () => number = Math.random) {
    this.#random = random
  }

  /** Whether a mirror takes a request: by its key, or rolled when it has none. */
  chosen (percentage: number, key: string | undefined): boolean {
    if (key === undefined) return this.#roll(percentage)
    return within(percentage, keyHash(key))
  }

  /** Whether a backend takes a request that its mirror has taken, independently of that decision. */
  chosenBackend (percentage: number, key: string | undefined, backend: string): boolean {
    if (key === undefined) return this.#roll(percentage)
    return within(percentage, keyHash(key, backend))
  }

  #roll (percentage: number): boolean {
    if (percentage >= 100) return true
    if (percentage <= 0) return false
    return this.#random() * 100 < percentage
  }
}

// Without a look at anything but the key, so that every process and every mirror decides alike, and by a threshold,
// so that a raised percentage keeps those already chosen.
function within (percentage: number, hash: number): boolean {
  return hash / HASHES * 100 < percentage
}

/**
 * An evenly spread, unsigned 32-bit hash of a key, and with a salt one that is independent of it. Of a key over
 * {@link MAX_KEY_LENGTH} only the beginning counts.
 */
export function keyHash (key: string, salt = ''): number {
  const hash = fmix32(fnv1a(key))
  return salt === '' ? hash : fmix32(hash ^ fnv1a(salt))
}

/** http://www.isthe.com/chongo/tech/comp/fnv/ over UTF-16 code units: of ASCII the same as over bytes. */
function fnv1a (text: string): number {
  const length = Math.min(text.length, MAX_KEY_LENGTH)
  let hash = FNV_OFFSET_BASIS
  for (let i = 0; i < length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), FNV_PRIME)
  return hash
}

/**
 * MurmurHash3's finaliser. FNV-1a alone hardly moves its high bits for keys that differ in their last characters, and
 * low percentages look at nothing else.
 * https://github.com/aappleby/smhasher/blob/master/src/MurmurHash3.cpp
 */
function fmix32 (hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
