import type { ExchangeInit, NotComparedReason } from '../types'
import { joinHeaders, splitHeaders } from './headers'
import type { JoinedHeaders } from './headers'
import type { Outbox } from './outbox'
import { ToThread } from './protocol'
import type { OpReader } from './reader'

// Each operation to the thread: how it is written, and how it is read. It is pushed as a whole or not at all: what may
// throw comes before. All of it is read before anything may throw, which would leave half of it to the next. `read`
// begins behind operation and id.

export interface OpenedCopy {
  readonly target: number
  readonly path: string
  readonly headers: JoinedHeaders
}

interface Opened {
  readonly method: string
  readonly length: number
  readonly hasBody: boolean
  readonly compare: boolean
  readonly copies: readonly OpenedCopy[]
  /** `null`: none. */
  readonly repeat: (OpenedCopy & { of: number }) | null
}

/** A mirrored request begins. */
export const open = {
  write ({ ops }: Outbox, id: number, init: ExchangeInit<number>): void {
    const { method, length, backlog, compare, copies, repeat } = init
    const headers = copies.map(({ head }) => joinHeaders(head.headers))
    const last = repeat === null ? '' : joinHeaders(repeat.head.headers)
    ops.push(ToThread.Open, id, method, length, backlog !== null, compare, copies.length, repeat?.of ?? null)
    for (const [copy, { target, head }] of copies.entries()) ops.push(target, head.path, headers[copy])
    if (repeat !== null) ops.push(repeat.target, repeat.head.path, last)
  },
  read (reader: OpReader): Opened {
    const [method, length] = [reader.next<string>(), reader.next<number>()]
    const [hasBody, compare] = [reader.next<boolean>(), reader.next<boolean>()]
    const [count, of] = [reader.next<number>(), reader.next<number | null>()]
    const copies: OpenedCopy[] = []
    for (let left = count; left > 0; left--) copies.push(readCopy(reader))
    const repeat = of === null ? null : { ...readCopy(reader), of }
    return { method, length, hasBody, compare, copies, repeat }
  }
}

function readCopy (reader: OpReader): OpenedCopy {
  const [target, path] = [reader.next<number>(), reader.next<string>()]
  return { target, path, headers: reader.next<JoinedHeaders>() }
}

function pieceBehind (op: typeof ToThread.Body | typeof ToThread.PrimaryData) {
  return {
    write (outbox: Outbox, id: number, chunk: Uint8Array): void {
      outbox.place(chunk)
      outbox.ops.push(op, id)
      outbox.pushPlaced()
    },
    read: (reader: OpReader): Buffer => reader.bytes()
  }
}

/** The client sent a piece of the body. */
export const body = pieceBehind(ToThread.Body)

/** The client sent the last of the body. */
export const bodyEnd = {
  write ({ ops }: Outbox, id: number): void {
    ops.push(ToThread.BodyEnd, id)
  }
}

/** The rest of the body will never come. */
export const cut = {
  write ({ ops }: Outbox, id: number): void {
    ops.push(ToThread.Cut, id)
  }
}

/** The mirror itself failed. */
export const fail = {
  write ({ ops }: Outbox, id: number, message: string): void {
    ops.push(ToThread.Fail, id, message)
  },
  read: (reader: OpReader): Error => new Error(reader.next<string>())
}

/** A piece of the body could not be sent to the thread. */
export const overflow = {
  write ({ ops }: Outbox, id: number, reason: 'memory' | 'thread'): void {
    ops.push(ToThread.Overflow, id, reason)
  },
  read: (reader: OpReader) => reader.next<'memory' | 'thread'>()
}

/** The name of the request's endpoint. */
export const endpoint = {
  write ({ ops }: Outbox, id: number, name: string): void {
    ops.push(ToThread.Endpoint, id, name)
  },
  read: (reader: OpReader) => reader.next<string>()
}

interface Head {
  readonly status: number
  readonly encoding: string
  readonly headers: string[] | null
}

function listOf (headers: JoinedHeaders | null): string[] | null {
  return headers === null ? null : splitHeaders(headers)
}

/** The primary's answer begins. */
export const primaryStarts = {
  write ({ ops }: Outbox, id: number, status: number, encoding: string, headers: string[] | null): void {
    const joined = headers === null ? null : joinHeaders(headers)
    ops.push(ToThread.PrimaryStarts, id, status, encoding, joined)
  },
  read (reader: OpReader): Head {
    const [status, encoding] = [reader.next<number>(), reader.next<string>()]
    const joined = reader.next<JoinedHeaders | null>()
    return { status, encoding, headers: listOf(joined) }
  }
}

/** The primary's answer, as a whole. */
export const primaryWhole = {
  write (
    outbox: Outbox, id: number, status: number, encoding: string, headers: string[] | null, body: string | Uint8Array,
    ms: number
  ): void {
    const joined = headers === null ? null : joinHeaders(headers)
    const text = typeof body === 'string' ? body : null
    if (text === null) outbox.place(body as Uint8Array)
    outbox.ops.push(ToThread.PrimaryWhole, id, status, encoding, joined, ms, text)
    if (text === null) outbox.pushPlaced()
  },
  read (reader: OpReader): Head & { body: string | Buffer, ms: number } {
    const [status, encoding] = [reader.next<number>(), reader.next<string>()]
    const joined = reader.next<JoinedHeaders | null>()
    const ms = reader.next<number>()
    const body = reader.next<string | null>() ?? reader.bytes()
    return { status, encoding, headers: listOf(joined), body, ms }
  }
}

/** A piece of the primary's answer. */
export const primaryData = pieceBehind(ToThread.PrimaryData)

/** The primary's answer is complete. */
export const primaryEnds = {
  write ({ ops }: Outbox, id: number, ms: number): void {
    ops.push(ToThread.PrimaryEnds, id, ms)
  },
  read: (reader: OpReader) => reader.next<number>()
}

/** There will be no answer of the primary to compare with. */
export const primaryLost = {
  write ({ ops }: Outbox, id: number, reason: NotComparedReason): void {
    ops.push(ToThread.PrimaryLost, id, reason)
  },
  read: (reader: OpReader) => reader.next<NotComparedReason>()
}

/** Whether the repeat goes out. */
export const repeat = {
  write (outbox: Outbox, id: number, goesOut: boolean, body: Uint8Array | null): void {
    if (body !== null) outbox.place(body)
    outbox.ops.push(ToThread.Repeat, id, goesOut, body !== null)
    if (body !== null) outbox.pushPlaced()
  },
  read (reader: OpReader): { goesOut: boolean, body: Buffer | null } {
    const [goesOut, hasBody] = [reader.next<boolean>(), reader.next<boolean>()]
    return { goesOut, body: hasBody ? reader.bytes() : null }
  }
}
