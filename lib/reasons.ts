import type { DropReason, FailureReason, NotComparedReason, RepeatDropReason } from '../types/index'

/**
 * Whom an outcome speaks of.
 * - `failure`: the backend. It counts against it.
 * - `lost`: the mirror itself. It could not do what it was asked; nothing is known of the backend.
 * - `left out`: nobody. It was so chosen, or the client or the primary ended it.
 */
export type ReasonClass = 'failure' | 'lost' | 'left out'

/** An outcome: whom it speaks of, a short name, and its meaning, in words for people. */
export interface Reason {
  readonly class: ReasonClass
  readonly label: string
  readonly meaning: string
}

/** Why a backend is not sent a copy that it should have had. */
export const DROPPED = {
  inFlight: { class: 'lost', label: 'too many in flight', meaning: 'maxInFlight copies were under way already.' },
  memory: {
    class: 'lost', label: 'no memory', meaning: 'The body is longer than maxBacklogBytes or maxBufferedBytes allow.'
  },
  breaker: {
    class: 'failure',
    label: 'breaker open',
    meaning: 'Too many failures in a row: the shadow is left alone for a while.'
  },
  closing: { class: 'left out', label: 'app closing', meaning: 'The app is being closed.' },
  thread: { class: 'lost', label: 'thread away', meaning: 'The worker thread is not there, or behind.' },
  path: {
    class: 'left out',
    label: 'path goes up',
    meaning: 'The client\'s path has dot segments that could leave the path of the backend\'s URL.'
  },
  error: {
    class: 'lost',
    label: 'not sendable',
    meaning: 'A function of yours threw, or the client library refuses such a request.'
  }
} as const satisfies Record<DropReason, Reason>

/** Why a repeat that is due does not go out. */
export const REPEAT_DROPPED = {
  disabled: {
    class: 'left out',
    label: 'switched off',
    meaning: 'The mirror, or the shadow, was switched off meanwhile.'
  },
  inFlight: {
    class: 'lost',
    label: 'too many in flight',
    meaning: 'Half of maxInFlight is in use: the rest is for copies.'
  },
  memory: { class: 'lost', label: 'no memory', meaning: 'Half of maxBufferedBytes is in use: the rest is for copies.' },
  breaker: { class: 'lost', label: 'breaker not closed', meaning: 'The backend is left alone, or is being tried.' },
  body: {
    class: 'left out',
    label: 'body not held',
    meaning: 'The request\'s body was longer than 2 KiB, or not complete yet.'
  },
  closing: { class: 'left out', label: 'app closing', meaning: 'The app is being closed.' },
  thread: { class: 'lost', label: 'thread away', meaning: 'The worker thread is not there, or behind.' },
  error: {
    class: 'lost',
    label: 'not sendable',
    meaning: 'A function of yours threw, or the client library refuses such a request.'
  }
} as const satisfies Record<RepeatDropReason, Reason>

/** Why a copy that was attempted got no complete answer. */
export const FAILED = {
  timeout: { class: 'failure', label: 'timeout', meaning: 'Sent, but no complete answer in time.' },
  connect: { class: 'failure', label: 'no connection', meaning: 'DNS, refused, TLS, or stalled.' },
  reset: {
    class: 'failure', label: 'reset', meaning: 'The connection ended before a complete head, or it was no HTTP.'
  },
  body: { class: 'failure', label: 'broken body', meaning: 'The answer ended in the middle of its body.' },
  slow: { class: 'failure', label: 'slow reader', meaning: 'The shadow takes request bodies too slowly.' },
  staleConnection: {
    class: 'left out',
    label: 'stale connection',
    meaning: 'The shadow closed an idle connection just when the copy was sent on it; no byte of an answer came.'
  },
  bodyTimeout: {
    class: 'left out', label: 'stalled upload', meaning: 'The client sent nothing more of its body for bodyTimeout.'
  },
  memory: { class: 'lost', label: 'no memory', meaning: 'The memory for bodies, maxBufferedBytes, was used up.' },
  thread: { class: 'lost', label: 'thread away', meaning: 'The worker thread died, or fell behind.' },
  aborted: {
    class: 'left out',
    label: 'aborted',
    meaning: 'The client left or the primary answered during the upload, or the app closed.'
  },
  error: { class: 'lost', label: 'own fault', meaning: 'The mirror itself failed; the log says how.' }
} as const satisfies Record<FailureReason, Reason>

/** Why a complete answer was not compared. */
export const NOT_COMPARED = {
  off: { class: 'lost', label: 'comparing is off', meaning: 'compare.enabled is not set for this mirror.' },
  primaryAborted: {
    class: 'left out', label: 'client left', meaning: 'The client went away before it had the primary\'s answer.'
  },
  primaryFailed: {
    class: 'left out',
    label: 'primary failed',
    meaning: 'The primary\'s backend failed, so there is nothing to compare with.'
  },
  hijacked: { class: 'lost', label: 'hijacked', meaning: 'The handler took the reply over.' },
  encoding: {
    class: 'lost',
    label: 'other encoding',
    meaning: 'The bodies come in content codings that could not be taken off, or not within maxBodyCapture.'
  },
  conditional: {
    class: 'left out',
    label: 'conditional',
    meaning: 'One side says 304, or 206, by an ETag or a date that the other did not give.'
  },
  memory: { class: 'lost', label: 'no memory to compare', meaning: 'There was no memory for what a comparison needs.' },
  busy: {
    class: 'lost',
    label: 'too busy to compare',
    meaning: 'Too many comparisons waited already. The bytes are known to differ.'
  },
  thread: { class: 'lost', label: 'thread away', meaning: 'The worker thread died or fell behind.' },
  untapped: {
    class: 'lost',
    label: 'not observable',
    meaning: 'The answer was a web stream that something else reads, or a stream that nobody read to its end.'
  },
  closing: { class: 'left out', label: 'app closing', meaning: 'The app was closed before the comparison was done.' },
  error: { class: 'lost', label: 'own fault', meaning: 'The mirror itself failed; the log says how.' }
} as const satisfies Record<NotComparedReason, Reason>

/** A counter for each reason, all 0. */
export function zeroOf<R extends string> (reasons: Readonly<Record<R, Reason>>): Record<R, number> {
  return Object.fromEntries(Object.keys(reasons).map(reason => [reason, 0])) as Record<R, number>
}
