import type { MessagePort } from 'node:worker_threads'
import { Guard } from '../../guard'
import type { Holder } from '../../guard'
import { Backlog } from '../upload/backlog'
import { Blocks } from '../blocks'
import { Budget } from '../budget'
import type { Exchange } from '../exchange'
import { InlineEngine } from '../inline'
import type { Target } from '../target'
import type { CopyInit, CopySink, Difference, FailureReason, NotComparedReason, PairLatency } from '../types'
import { COLLECTING, FromThread, ToThread, splitHeaders } from './protocol'
import type { Batch, JoinedHeaders, MessageFromThread, MessageToThread, OpFromThread, OpToThread, ThreadData } from './protocol'

/** In place of an exchange's id. */
const NOBODY = -1
/** A turn of the event loop before all. */
const NOT_YET = -1

/** The thread's side: an inline engine of its own, driven by messages; what its copies tell goes back in batches. */
export class Host implements Holder {
  readonly #port: MessagePort
  readonly #engine: InlineEngine
  readonly #guard: Guard
  readonly #targets: Target[] = []
  readonly #exchanges: Array<Exchange | undefined> = []
  ops: unknown[] = []
  /** Of the batch that is being collected. */
  batch = 0
  #processed = 0
  /**
   * By id: the turn of the event loop in which the body last grew. Only turns in which some body grows are counted. Not a Set: clearing
   * one makes V8 link tables, as a Map does.
   */
  readonly #grown: number[] = []
  #turn = 0
  #turning = false
  /** Of batches that are done with. */
  #slabs: Uint8Array[] = []
  #scheduled = false
  /** Started anew for every batch, so that none needs a timer of its own. */
  readonly #collecting: NodeJS.Timeout

  constructor (port: MessagePort, data: ThreadData) {
    this.#port = port
    this.#guard = new Guard(error => this.#tellFault(error))
    this.#collecting = this.#guard.after<Host>(COLLECTING, this, flush).ref()
    this.#engine = new InlineEngine(new Budget(data.maxBufferedBytes, new Blocks()), this.#guard)
    // A message that is lost as a whole leaves both sides apart: the other begins anew, with another thread.
    port.on('message', this.#guard.door<Holder, MessageToThread, void>({ fail: () => port.close() }, (_, message) => this.#onMessage(message)))
  }

  #onMessage (message: MessageToThread): void {
    if ('batch' in message) this.#run(message.batch)
    else if ('target' in message) this.#targets.push(this.#engine.addTarget(message.target))
    else if ('retire' in message) this.#engine.retire(this.#targets[message.retire], message.connect)
    else this.#engine.close(message.close).then(this.#guard.door<Host, void, void>(this, end))
  }

  /** What is collected goes out all the same. */
  fail (): void {
    if (this.#scheduled) this.#collecting.refresh()
  }

  #run (batch: Batch): void {
    const reader = new BatchReader(batch)
    while (reader.more) this.#guard.enter(reader, runOne, this)
    this.#processed++
    for (const slab of batch.slabs) this.#slabs.push(slab)
    this.#schedule()
  }

  /** @internal All that belongs to an operation is read before anything is done: what throws must not leave half of it to the next. */
  runOne (reader: BatchReader): void {
    const op = reader.next<OpToThread>()
    const id = reader.next<number>()
    if (op === ToThread.Open) {
      this.#open(id, reader)
      return
    }
    const exchange = reader.exchange = this.#exchanges[id]
    switch (op) {
      case ToThread.Body: this.#grow(id, exchange, reader.bytes()); break
      case ToThread.BodyEnd: exchange?.end(); break
      case ToThread.Cut: exchange?.cut(); break
      case ToThread.Fail: { const message = reader.next<string>(); exchange?.fail(new Error(message)); break }
      case ToThread.Overflow: { const reason = reader.next<'memory' | 'thread'>(); exchange?.upload?.overflow(reason); break }
      case ToThread.PrimaryWhole: {
        const [status, encoding, headers] = [reader.next<number>(), reader.next<string>(), reader.next<JoinedHeaders | null>()]
        const ms = reader.next<number>()
        const body = reader.next<string | null>() ?? reader.bytes()
        exchange?.primaryWhole(status, encoding, listOf(headers), body, ms)
        break
      }
      case ToThread.PrimaryStarts: {
        const [status, encoding, headers] = [reader.next<number>(), reader.next<string>(), reader.next<JoinedHeaders | null>()]
        exchange?.primaryStarts(status, encoding, listOf(headers))
        break
      }
      case ToThread.PrimaryData: { const chunk = reader.bytes(); exchange?.primaryData(chunk); break }
      case ToThread.PrimaryEnds: { const ms = reader.next<number>(); exchange?.primaryEnds(ms); break }
      case ToThread.PrimaryLost: { const reason = reader.next<NotComparedReason>(); exchange?.primaryLost(reason); break }
    }
  }

  #open (id: number, reader: BatchReader): void {
    const [method, length] = [reader.next<string>(), reader.next<number>()]
    const [hasBody, compare] = [reader.next<boolean>(), reader.next<boolean>()]
    const count = reader.next<number>()
    const tracked = { open: count }
    const heads: Array<[target: number, path: string, headers: JoinedHeaders]> = []
    for (let copy = 0; copy < count; copy++) {
      heads.push([reader.next(), reader.next(), reader.next()])
      reader.sinks.push(new RemoteSink(this, id, copy, tracked))
    }
    const copies: Array<CopyInit<Target>> = heads.map(([target, path, headers], copy) => (
      { target: this.#targets[target], head: { path, headers: splitHeaders(headers) }, sink: reader.sinks[copy] }
    ))
    const backlog = hasBody ? new Backlog(this.#engine.budget, length) : null
    const exchange = this.#engine.open({ method, backlog, length, compare, copies })
    if (tracked.open > 0) this.#exchanges[id] = exchange
    this.#grown[id] = NOT_YET
    reader.sinks = []
  }

  /** What comes at once is no fault of the backends: slow is who has not taken it when more comes in another turn. */
  #grow (id: number, exchange: Exchange | undefined, chunk: Buffer): void {
    if (exchange === undefined) return
    if (this.#grown[id] !== this.#turn) {
      this.#grown[id] = this.#turn
      exchange.upload?.giveUpSlow()
      if (!this.#turning) this.#guard.soon<Host>(this, endTurn)
      this.#turning = true
    }
    exchange.upload?.append(chunk)
  }

  /** @internal */
  endTurn (): void {
    this.#turn++
    this.#turning = false
  }

  /** Begins an operation; its arguments are pushed after it. */
  tell (op: OpFromThread, id: number, copy: number): unknown[] {
    const ops = this.ops
    ops.push(op, id, copy)
    this.#schedule()
    return ops
  }

  /** What was caught here is told there, where the log is. */
  #tellFault (error: unknown): void {
    this.tell(FromThread.Fault, NOBODY, 0).push(String(error), (error as Error).stack)
  }

  /** All its copies have been told of. The other side says no more of it: where one was told of as broken, it may still wait for the primary. */
  forget (id: number): void {
    const exchange = this.#exchanges[id]
    this.#exchanges[id] = undefined
    exchange?.primaryLost('error')
  }

  #schedule (): void {
    if (this.#scheduled) return
    this.#scheduled = true
    this.#collecting.refresh()
  }

  /** @internal */
  flush (): void {
    if (!this.#scheduled) return
    this.#scheduled = false
    const slabs = this.#slabs
    const message: MessageFromThread = { ops: this.ops, processed: this.#processed, held: this.#engine.bufferedBytes, slabs }
    this.ops = []
    this.#slabs = []
    this.batch++
    this.#port.postMessage(message, slabs.map(({ buffer }) => buffer as ArrayBuffer))
  }

  /** @internal Without its port the thread has nothing to live for. */
  end (): void {
    this.flush()
    clearTimeout(this.#collecting)
    this.#port.close()
  }
}

/** A batch as it is worked off. What throws ends the exchange that it was for. */
class BatchReader implements Holder {
  exchange: Exchange | undefined = undefined
  /** Of copies that no exchange has yet. */
  sinks: RemoteSink[] = []
  readonly #ops: unknown[]
  readonly #slabs: Uint8Array[]
  #at = 0

  constructor ({ ops, slabs }: Batch) {
    this.#ops = ops
    this.#slabs = slabs
  }

  get more (): boolean {
    return this.#at < this.#ops.length
  }

  next<T> (): T {
    return this.#ops[this.#at++] as T
  }

  bytes (): Buffer {
    const first = this.next<string | number>()
    if (typeof first === 'string') return Buffer.from(first, 'latin1')
    const slab = this.#slabs[first]
    const offset = this.next<number>()
    return Buffer.from(slab.buffer, slab.byteOffset + offset, this.next<number>())
  }

  fail (error: unknown): void {
    this.exchange?.fail(error)
    for (const sink of this.sinks) sink.fail(error)
    this.sinks = []
  }
}

function listOf (headers: JoinedHeaders | null): string[] | null {
  return headers === null ? null : splitHeaders(headers)
}

function runOne (reader: BatchReader, host: Host): void {
  host.runOne(reader)
}

function flush (host: Host): void {
  host.flush()
}

function endTurn (host: Host): void {
  host.endTurn()
}

function end (host: Host): void {
  host.end()
}

/** Tells the other side what becomes of one copy. */
export class RemoteSink implements CopySink {
  readonly #host: Host
  readonly #id: number
  readonly #copy: number
  readonly #exchange: { open: number }
  #state: 'open' | 'answered' | 'ended' = 'open'
  /** The batch in which the answer was told of, and its length then. */
  #answeredIn = -1
  #answeredAt = 0

  constructor (host: Host, id: number, copy: number, exchange: { open: number }) {
    this.#host = host
    this.#id = id
    this.#copy = copy
    this.#exchange = exchange
  }

  onRefused (error: NodeJS.ErrnoException): void {
    this.#host.tell(FromThread.Refused, this.#id, this.#copy).push(error.message, error.code)
    this.#ended()
  }

  onFailed (reason: FailureReason, error: NodeJS.ErrnoException): void {
    if (this.#state !== 'open') return
    this.#host.tell(FromThread.Failed, this.#id, this.#copy).push(reason, error.message, error.code)
    this.#ended()
  }

  onAnswered (status: number, ms: number): void {
    this.#answeredIn = this.#host.batch
    this.#answeredAt = this.#host.tell(FromThread.Answered, this.#id, this.#copy).push(status, ms)
    this.#state = 'answered'
  }

  onCompared (difference: Difference | null, latency: PairLatency | null): void {
    if (this.#state !== 'answered') return
    const primary = latency === null ? NaN : latency.primary
    const { ops, batch } = this.#host
    if (difference === null && batch === this.#answeredIn && ops.length === this.#answeredAt) {
      // Nothing was told of since its answer: one operation for both.
      ops[this.#answeredAt - 5] = FromThread.Matched
      ops.push(primary, latency?.difference)
    } else {
      this.#host.tell(FromThread.Compared, this.#id, this.#copy).push(difference, primary, latency?.difference)
    }
    this.#ended()
  }

  onNotCompared (reason: NotComparedReason): void {
    if (this.#state !== 'answered') return
    this.#host.tell(FromThread.NotCompared, this.#id, this.#copy).push(reason)
    this.#ended()
  }

  fail (error: unknown): void {
    this.onFailed('error', error as Error)
    this.onNotCompared('error')
  }

  #ended (): void {
    this.#state = 'ended'
    if (--this.#exchange.open === 0) this.#host.forget(this.#id)
  }
}
