import { sharedDecoder, sharedSlices } from './bodies'
import type { Memory } from './bodies'
import { isCoded } from './decode'
import type { Decoder } from './decode'
import { Digest } from './digest'
import type { ComparedAnswer } from './answer'
import type { Slices } from './slices'
import { isFinal, lengthOfUncaptured, undecided } from './undecided'
import type { DecodedLength, Undecided } from './undecided'
import type { Steps } from '../steps'
import { UNTOLD } from '../guard'
import type { Guard } from '../guard'

/** Bytes that are hashed at a stretch. */
const BLOCK = 64 * 1024

/** `too long`: one decodes to more than may be, and the other does not. */
export type CodedOutcome = 'match' | 'mismatch' | Undecided

export interface CodedComparerOptions {
  /** Bytes that a body may decode to. */
  limit: number
  /** What decoded bodies are held in. */
  memory: Memory
  /** Default: those of this thread, which all comparers share. */
  decoder?: Decoder
  slices?: Slices
  /** What comes back later comes behind it. */
  guard?: Guard
}

/**
 * Compares pairs of bodies of which one at least is coded, by the hashes of what they decode to. Of one that is not
 * coded the hash is known.
 */
export class CodedComparer {
  readonly #limit: number
  readonly #memory: Memory
  readonly #decoder: Decoder
  readonly #slices: Slices
  readonly #guard: Guard

  constructor (
    { limit, memory, decoder = sharedDecoder, slices = sharedSlices, guard = UNTOLD }: CodedComparerOptions
  ) {
    this.#limit = limit
    this.#memory = memory
    this.#decoder = decoder
    this.#slices = slices
    this.#guard = guard
  }

  /** Calls back once, at once or later; until then both bodies are held. */
  compare (primary: ComparedAnswer, shadow: ComparedAnswer, onOutcome: (outcome: CodedOutcome) => void): void {
    const decided = (before: Digest | DecodedLength, after: Digest | DecodedLength): void => {
      if (typeof before === 'object' && typeof after === 'object') {
        onOutcome(
          before.equals(after) ? 'match' : 'mismatch'
        )
      } else onOutcome(undecided(lengthOf(primary, before), lengthOf(shadow, after), this.#limit))
    }
    this.#decode(primary, before => {
      if (typeof before !== 'object' && isFinal(before)) decided(before, before)
      else this.#decode(shadow, after => decided(before, after))
    })
  }

  #decode ({ encoding, digest, body }: ComparedAnswer, then: (digest: Digest | DecodedLength) => void): void {
    if (!isCoded(encoding)) return then(digest)
    if (typeof body === 'string') return then(body === 'memory' ? body : lengthOfUncaptured(encoding, this.#limit))
    const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
    this.#decoder.decode(bytes, encoding, this.#limit, decoded => {
      if (typeof decoded === 'string') return then(decoded)
      if (!this.#memory.take(decoded.length)) return then('memory')
      let held = decoded.length
      const end = (digest: Digest | DecodedLength): void => {
        this.#memory.free(held)
        // Told again where somebody behind it threw.
        held = 0
        then(digest)
      }
      if (!this.#slices.run<Digest | DecodedLength>(digestOf(decoded), end, this.#guard, 'error')) end('busy')
    }, this.#guard)
  }
}

/** A few bytes decode to very many: they are hashed as all that takes long is done. */
function * digestOf (bytes: Buffer): Steps<Digest> {
  const digest = new Digest()
  for (let at = 0; at < bytes.length; at += BLOCK) {
    if (at > 0) yield
    digest.update(bytes.subarray(at, at + BLOCK))
  }
  digest.end()
  return digest
}

function lengthOf (
  { encoding }: ComparedAnswer, decoded: Digest | DecodedLength
): { contentEncoding: string, length: DecodedLength } {
  return { contentEncoding: encoding, length: typeof decoded === 'object' ? decoded.length : decoded }
}
