import type { DiffOptions } from '../../compare/answers'
import type { TargetOptions } from '../types'

/**
 * What the two sides say to each other: many operations in one message, as a flat array, for an object an operation
 * would cost the primary's event loop more than what it carries. Bytes lie in slabs, whose memory is handed over, not
 * copied. An exchange's id is a small number, given again when the last of its copies is known to have ended. The
 * thread forgets it before it tells of that, so what is still on its way there for the old one reaches nobody.
 */

/** Operations to the thread; behind each its arguments. `bytes`: Latin-1 text, or three: slab, offset, length. */
export const ToThread = {
  /**
   * id, method, length, has a body, compare, copies, whose answer the repeat is of or `null`; for each copy, and the
   * repeat if there is one: target, path, headers joined by NUL
   */
  Open: 0,
  /** id, bytes */
  Body: 1,
  /** id */
  BodyEnd: 2,
  /** id */
  Cut: 3,
  /** id, reason */
  Overflow: 4,
  /** id, status, encoding, headers joined by NUL or `null`, ms, the body: a string, or `null` and bytes */
  PrimaryWhole: 5,
  /** id, status, encoding, headers joined by NUL or `null` */
  PrimaryStarts: 6,
  /** id, bytes */
  PrimaryData: 7,
  /** id, ms */
  PrimaryEnds: 8,
  /** id, reason */
  PrimaryLost: 9,
  /** id, message */
  Fail: 10,
  /** id, name */
  Endpoint: 11,
  /** id, whether it goes out, whether it has a body; bytes of that, if so */
  Repeat: 12
} as const

/** Operations from the thread; behind each: id, copy, its arguments. */
export const FromThread = {
  /** message, code */
  Refused: 0,
  /** reason, message, code */
  Failed: 1,
  /** status, ms */
  Answered: 2,
  /** Difference or `null`, primary's ms or NaN, difference in ms */
  Compared: 3,
  /** reason */
  NotCompared: 4,
  /** Answered and compared at once, and nothing differs: status, ms, primary's ms or NaN, difference in ms */
  Matched: 5,
  /** The mirror itself failed, outside of any exchange. message, stack */
  Fault: 6
} as const

export type OpToThread = typeof ToThread[keyof typeof ToThread]
export type OpFromThread = typeof FromThread[keyof typeof FromThread]

export interface Batch {
  ops: unknown[]
  slabs: Uint8Array[]
}

/** Data that the thread is started with. */
export interface ThreadData {
  maxBufferedBytes: number
}

/**
 * A message to the thread: a batch, a new target, one whose connections are to be replaced, with other options or the
 * same, or whose answers are to be compared in another way, or the end.
 */
export type MessageToThread =
  { batch: Batch } |
  { target: TargetOptions } |
  { retire: number, connect?: TargetOptions['connect'] } |
  { setDiff: number, diff: DiffOptions } |
  { close: number }

/**
 * A message from the thread. `processed`: batches that it is done with since it began. `held`: bytes that it holds now.
 * `slabs`: those of the batches, to be used again.
 */
export interface MessageFromThread {
  ops: unknown[]
  processed: number
  held: number
  slabs: Uint8Array[]
}

/**
 * Milliseconds for which each side collects what it has to say: a message costs as much as what many requests put into
 * it, and wakes the other side's event loop.
 */
export const COLLECTING_MS = 1
