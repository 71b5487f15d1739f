import type { MessagePort } from 'node:worker_threads'
import { Backlog } from '../backlog'
import { Blocks } from '../blocks'
import { Budget } from '../budget'
import type { Exchange } from '../exchange'
import { InlineEngine } from '../inline'
import type { Target } from '../target'
import type { CopyInit, CopySink, Difference, FailureReason, NotComparedReason, PairLatency } from '../types'
import { COLLECTING, FromThread, ToThread, splitHeaders } from './protocol'
import type { Batch, JoinedHeaders, MessageFromThread, MessageToThread, OpFromThread, OpToThread, ThreadData } from './protocol'

/** A turn of the event loop before all. */
const NOT_YET = -1

/** The thread's side: an inline engine of its own, driven by messages; what its copies tell goes back in batches. */
export class Host {
  readonly #port: MessagePort
  readonly #engine: InlineEngine
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
    this.#collecting = setTimeout(() => this.#flush(), COLLECTING)
    this.#engine = new InlineEngine(new Budget(data.maxBufferedBytes, new Blocks()))
    port.on('message', (message: MessageToThread) => this.#onMessage(message))
  }

  #onMessage (message: MessageToThread): void {
    if ('batch' in message) this.#run(message.batch)
    else if ('target' in message) this.#targets.push(this.#engine.addTarget(message.target))
    else if ('retire' in message) this.#engine.retire(this.#targets[message.retire], message.connect)
    else this.#engine.close(message.close).then(() => this.#end())
  }

  #run ({ ops, slabs }: Batch): void {
    let at = 0
    const next = <T>() => ops[at++] as T
    const bytes = () => {
      const first = next<string | number>()
      if (typeof first === 'string') return Buffer.from(first, 'latin1')
      const slab = slabs[first]
      const offset = next<number>()
      return Buffer.from(slab.buffer, slab.byteOffset + offset, next<number>())
    }
    const headers = () => {
      const joined = next<JoinedHeaders | null>()
      return joined === null ? null : splitHeaders(joined)
    }
    while (at < ops.length) {
      const op = next<OpToThread>()
      const id = next<number>()
      if (op === ToThread.Open) {
        this.#open(id, next)
        continue
      }
      const exchange = this.#exchanges[id]
      switch (op) {
        case ToThread.Body: this.#grow(id, exchange, bytes()); break
        case ToThread.BodyEnd: exchange?.end(); break
        case ToThread.Cut: exchange?.cut(); break
        case ToThread.Fail: { const error = new Error(next<string>()); exchange?.fail(error); break }
        case ToThread.Overflow: { const reason = next<'memory' | 'thread'>(); exchange?.overflow(reason); break }
        case ToThread.PrimaryWhole: {
          const [status, encoding, list, ms, text] = [next<number>(), next<string>(), headers(), next<number>(), next<string | null>()]
          const body = text ?? bytes()
          exchange?.primaryWhole(status, encoding, list, body, ms)
          break
        }
        case ToThread.PrimaryStarts: {
          const [status, encoding, list] = [next<number>(), next<string>(), headers()]
          exchange?.primaryStarts(status, encoding, list)
          break
        }
        case ToThread.PrimaryData: { const chunk = bytes(); exchange?.primaryData(chunk); break }
        case ToThread.PrimaryEnds: { const ms = next<number>(); exchange?.primaryEnds(ms); break }
        case ToThread.PrimaryLost: { const reason = next<NotComparedReason>(); exchange?.primaryLost(reason); break }
      }
    }
    this.#processed++
    for (const slab of slabs) this.#slabs.push(slab)
    this.#schedule()
  }

  #open (id: number, next: <T>() => T): void {
    const method = next<string>()
    const length = next<number>()
    const hasBody = next<boolean>()
    const compare = next<boolean>()
    const count = next<number>()
    const copies: Array<CopyInit<Target>> = []
    const tracked = { open: count }
    for (let copy = 0; copy < count; copy++) {
      copies.push({
        target: this.#targets[next<number>()],
        head: { path: next<string>(), headers: splitHeaders(next<JoinedHeaders>()) },
        sink: new RemoteSink(this, id, copy, tracked)
      })
    }
    const backlog = hasBody ? new Backlog(this.#engine.budget, length) : null
    const exchange = this.#engine.open({ method, backlog, length, compare, copies })
    if (tracked.open > 0) this.#exchanges[id] = exchange
    this.#grown[id] = NOT_YET
  }

  /** What comes at once is no fault of the backends: slow is who has not taken it when more comes in another turn. */
  #grow (id: number, exchange: Exchange | undefined, chunk: Buffer): void {
    if (exchange === undefined) return
    if (this.#grown[id] !== this.#turn) {
      this.#grown[id] = this.#turn
      exchange.giveUpSlow()
      if (!this.#turning) setImmediate(this.#endTurn)
      this.#turning = true
    }
    exchange.append(chunk)
  }

  readonly #endTurn = (): void => {
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

  forget (id: number): void {
    this.#exchanges[id] = undefined
  }

  #schedule (): void {
    if (this.#scheduled) return
    this.#scheduled = true
    this.#collecting.refresh()
  }

  #flush (): void {
    if (!this.#scheduled) return
    this.#scheduled = false
    const slabs = this.#slabs
    const message: MessageFromThread = { ops: this.ops, processed: this.#processed, held: this.#engine.bufferedBytes, slabs }
    this.ops = []
    this.#slabs = []
    this.batch++
    this.#port.postMessage(message, slabs.map(({ buffer }) => buffer as ArrayBuffer))
  }

  /** Without its port the thread has nothing to live for. */
  #end (): void {
    this.#flush()
    clearTimeout(this.#collecting)
    this.#port.close()
  }
}

class RemoteSink implements CopySink {
  readonly #host: Host
  readonly #id: number
  readonly #copy: number
  readonly #exchange: { open: number }
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
    this.#host.tell(FromThread.Failed, this.#id, this.#copy).push(reason, error.message, error.code)
    this.#ended()
  }

  onAnswered (status: number, ms: number): void {
    this.#answeredIn = this.#host.batch
    this.#answeredAt = this.#host.tell(FromThread.Answered, this.#id, this.#copy).push(status, ms)
  }

  onCompared (difference: Difference | null, latency: PairLatency | null): void {
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
    this.#host.tell(FromThread.NotCompared, this.#id, this.#copy).push(reason)
    this.#ended()
  }

  #ended (): void {
    if (--this.#exchange.open === 0) this.#host.forget(this.#id)
  }
}
