import type { BoundedLog } from '../log'

/** Tells of what did not go well with one request to a backend. */
export function warnOf (
  { id, log }: { id: string, log: BoundedLog }, backend: string, message: string, reason: string,
  err: Error & { data?: string }
): void {
  // Of an answer that could not be parsed undici gives the raw text, with whatever secret is in it.
  if (err?.data !== undefined) err.data = undefined
  log.warn({ mirror: id, backend, reason, err }, message)
}
