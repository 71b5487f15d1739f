import type { Difference, FailureReason, NotComparedReason, PairLatency } from '../types'
import { FromThread } from './protocol'
import type { OpReader } from './reader'

// Each operation from the thread: how it is written, and how it is read. All that belongs to one is read before
// anything is done: what throws must not leave half of it to the next. `read` begins behind operation, id and copy.

type Coded = Error & { code?: string }

function readError (reader: OpReader): Error {
  const [message, code] = [reader.next<string>(), reader.next<string | undefined>()]
  return Object.assign(new Error(message), code === undefined ? {} : { code })
}

function readLatency (reader: OpReader): PairLatency | null {
  const [primary, difference] = [reader.next<number>(), reader.next<number>()]
  return Number.isNaN(primary) ? null : { primary, difference }
}

/** The client library refuses such a request. */
export const refused = {
  write (ops: unknown[], id: number, copy: number, { message, code }: Coded): void {
    ops.push(FromThread.Refused, id, copy, message, code)
  },
  read: readError
}

export const failed = {
  write (ops: unknown[], id: number, copy: number, reason: FailureReason, { message, code }: Coded): void {
    ops.push(FromThread.Failed, id, copy, reason, message, code)
  },
  read (reader: OpReader): { reason: FailureReason, error: Error } {
    return { reason: reader.next<FailureReason>(), error: readError(reader) }
  }
}

export const answered = {
  /** Returns the length behind it. */
  write (ops: unknown[], id: number, copy: number, status: number, ms: number): number {
    return ops.push(FromThread.Answered, id, copy, status, ms)
  },
  read (reader: OpReader): { status: number, ms: number } {
    return { status: reader.next<number>(), ms: reader.next<number>() }
  }
}

/** Answered and compared at once, and nothing differs. */
export const matched = {
  /** Turns the answer that was pushed last into this. */
  write (ops: unknown[], latency: PairLatency | null): void {
    ops[ops.length - 5] = FromThread.Matched
    ops.push(latency === null ? NaN : latency.primary, latency?.difference)
  },
  read (reader: OpReader): { status: number, ms: number, latency: PairLatency | null } {
    return { status: reader.next<number>(), ms: reader.next<number>(), latency: readLatency(reader) }
  }
}

export const compared = {
  write (ops: unknown[], id: number, copy: number, difference: Difference | null, latency: PairLatency | null): void {
    ops.push(FromThread.Compared, id, copy, difference, latency === null ? NaN : latency.primary, latency?.difference)
  },
  read (reader: OpReader): { difference: Difference | null, latency: PairLatency | null } {
    return { difference: reader.next<Difference | null>(), latency: readLatency(reader) }
  }
}

export const notCompared = {
  write (ops: unknown[], id: number, copy: number, reason: NotComparedReason | 'cached'): void {
    ops.push(FromThread.NotCompared, id, copy, reason)
  },
  read: (reader: OpReader) => reader.next<NotComparedReason | 'cached'>()
}

/** Stands in place of an exchange's id. */
const NOBODY = -1

/** The mirror itself failed there; of no copy. */
export const fault = {
  write (ops: unknown[], error: unknown): void {
    ops.push(FromThread.Fault, NOBODY, 0, String(error), (error as Error).stack)
  },
  read (reader: OpReader): Error {
    const [message, stack] = [reader.next<string>(), reader.next<string | undefined>()]
    return Object.assign(new Error(message), { stack })
  }
}
