import type { Digest } from './digest'
import type { HeaderList } from './headers'

/** A body as a whole, or why it is not at hand: longer than what is looked into, or no memory for it. */
export type CapturedBody = Uint8Array | 'too long' | 'memory'

/** One side's complete answer. */
export interface ComparedAnswer {
  status: number
  /** Content-Encoding in lower case; empty without one. */
  encoding: string
  /** Of the body. */
  digest: Digest
  /** For a detailed diff. */
  headers: HeaderList
  /** Where it is kept. */
  body: CapturedBody
}
