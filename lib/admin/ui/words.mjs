// What the counters' names mean, for people.

/**
 * @typedef {{ label: string, meaning: string }} Word
 */

/** Why requests go no further, at the mirror. @type {Record<string, string>} */
export const SKIPPED = {
  disabled: 'mirror switched off',
  filtered: 'conditions not met',
  looped: 'copies themselves',
  upgraded: 'upgrades',
  unsampled: 'not sampled',
  pending: 'not sent yet',
  unhandled: 'never sent: answered or gone before'
}

/** @type {Record<string, Word>} */
export const DROPPED = {
  inFlight: { label: 'too many in flight', meaning: 'maxInFlight copies were under way already.' },
  memory: { label: 'no memory', meaning: 'The body is longer than maxBacklogBytes or maxBufferedBytes allow.' },
  breaker: { label: 'breaker open', meaning: 'Too many failures in a row: the shadow is left alone for a while.' },
  closing: { label: 'app closing', meaning: 'The app is being closed.' },
  thread: { label: 'thread away', meaning: 'The worker thread is not there, or behind.' },
  path: { label: 'path goes up', meaning: 'The client\'s path has dot segments that could leave the path of the backend\'s URL.' },
  error: { label: 'not sendable', meaning: 'A function of yours threw, or the client library refuses such a request.' }
}

/** @type {Record<string, Word>} */
export const FAILED = {
  timeout: { label: 'timeout', meaning: 'Sent, but no complete answer in time.' },
  connect: { label: 'no connection', meaning: 'DNS, refused, TLS, or stalled.' },
  reset: { label: 'reset', meaning: 'The connection ended before a complete head, or it was no HTTP.' },
  body: { label: 'broken body', meaning: 'The answer ended in the middle of its body.' },
  slow: { label: 'slow reader', meaning: 'The shadow takes request bodies too slowly.' },
  staleConnection: { label: 'stale connection', meaning: 'The shadow closed an idle connection just when the copy was sent on it; no byte of an answer came.' },
  bodyTimeout: { label: 'stalled upload', meaning: 'The client sent nothing more of its body for bodyTimeout.' },
  memory: { label: 'no memory', meaning: 'The memory for bodies, maxBufferedBytes, was used up.' },
  thread: { label: 'thread away', meaning: 'The worker thread died, or fell behind.' },
  aborted: { label: 'aborted', meaning: 'The client left or the primary answered during the upload, or the app closed.' },
  error: { label: 'own fault', meaning: 'The mirror itself failed; the log says how.' }
}

/** @type {Record<string, Word>} */
export const NOT_COMPARED = {
  off: { label: 'comparing is off', meaning: 'compare.enabled is not set for this mirror.' },
  primaryAborted: { label: 'client left', meaning: 'The client went away before it had the primary\'s answer.' },
  primaryFailed: { label: 'primary failed', meaning: 'The primary\'s backend failed, so there is nothing to compare with.' },
  hijacked: { label: 'hijacked', meaning: 'The handler took the reply over.' },
  encoding: { label: 'other encoding', meaning: 'The bodies come in content codings that could not be taken off, or not within maxBodyCapture.' },
  memory: { label: 'no memory to compare', meaning: 'There was no memory for what a comparison needs.' },
  busy: { label: 'too busy to compare', meaning: 'Too many comparisons waited already. The bytes are known to differ.' },
  thread: { label: 'thread away', meaning: 'The worker thread died or fell behind.' },
  untapped: { label: 'not observable', meaning: 'The answer was a web stream that something else reads, or a stream that nobody read to its end.' },
  closing: { label: 'app closing', meaning: 'The app was closed before the comparison was done.' },
  error: { label: 'own fault', meaning: 'The mirror itself failed; the log says how.' }
}

/** Beside the words: a shape that is not told by its colour alone. @type {Record<string, string>} */
export const SIGNS = {
  ready: '✓',
  good: '✓',
  'not ready': '✕',
  bad: '✕',
  'not enough data': '…',
  undecided: '…',
  told: '·',
  off: '–'
}
