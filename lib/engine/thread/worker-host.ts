import type { MessagePort } from 'node:worker_threads'
import { Guard } from '../../guard'
import type { Holder } from '../../guard'
import { Backlog } from '../upload/backlog'
import { Blocks } from '../blocks'
import { Budget } from '../budget'
import type { Exchange } from '../exchange'
import { InlineEngine } from '../inline'
import type { Target } from '../target'
import type { CopyInit } from '../types'
import * as fromThread from './from-thread'
import { splitHeaders } from './headers'
import { COLLECTING_MS, ToThread } from './protocol'
import type { Batch, MessageFromThread, MessageToThread, OpToThread, ThreadData } from './protocol'
import { OpReader } from './reader'
import * as toThread from './to-thread'
import { RemoteSink } from './worker-sink'
import type { SinkHost } from './worker-sink'

/** The thread's side: an inline engine of its own, driven by messages; what its copies tell goes back in batches. */
export class Host implements SinkHost, Holder {
  readonly #port: MessagePort
  readonly #engine: InlineEngine
  readonly #guard: Guard
  readonly #targets: Target[] = []
  readonly #exchanges: Array<Exchange | undefined> = []
  ops: unknown[] = []
  /** Number of the batch that is being collected. */
  batch = 0
  #processed = 0
  /** Memory of batches that are done with. */
  #slabs: Uint8Array[] = []
  #scheduled = false
  /** Started anew for every batch, so that none needs a timer of its own. */
  readonly #collecting: NodeJS.Timeout

  constructor (port: MessagePort, data: ThreadData) {
    this.#port = port
    this.#guard = new Guard(error => this.#tellFault(error))
    this.#collecting = this.#guard.after<Host>(COLLECTING_MS, this, flush).ref()
    this.#engine = new InlineEngine(new Budget(data.maxBufferedBytes, new Blocks()), this.#guard)
    // A message that is lost as a whole leaves both sides apart: the other begins anew, with another thread.
    const holder: Holder = { fail: () => port.close() }
    port.on('message', this.#guard.door<Holder, MessageToThread, void>(holder, (_, message) => {
      this.#onMessage(message)
    }))
  }

  #onMessage (message: MessageToThread): void {
    if ('batch' in message) this.#run(message.batch)
    else if ('target' in message) this.#targets.push(this.#engine.addTarget(message.target))
    else if ('setDiff' in message) this.#engine.setDiff(this.#targets[message.setDiff], message.diff)
    else if ('retire' in message) this.#engine.retire(this.#targets[message.retire], message.connect)
    else this.#engine.close(message.close).then(this.#guard.door<Host, void, void>(this, end))
  }

  /** Sends the batch, even after a fault. */
  fail (): void {
    if (this.#scheduled) this.#collecting.refresh()
  }

  #run (batch: Batch): void {
    const run = new Run(this, batch)
    while (run.reader.more) this.#guard.enter(run, runOne, this)
    this.#processed++
    for (const slab of batch.slabs) this.#slabs.push(slab)
    this.#schedule()
  }

  /**
   * @internal All that belongs to an operation is read before anything is done: what throws must not leave half of it
   * to the next.
   */
  runOne (run: Run): void {
    const { reader } = run
    const op = reader.next<OpToThread>()
    const id = reader.next<number>()
    if (op === ToThread.Open) {
      this.#open(id, run)
      return
    }
    const exchange = run.exchange = this.#exchanges[id]
    switch (op) {
      case ToThread.Body: { const chunk = toThread.body.read(reader); exchange?.write(chunk); break }
      case ToThread.BodyEnd: exchange?.end(); break
      case ToThread.Cut: exchange?.cut(); break
      case ToThread.Fail: { const error = toThread.fail.read(reader); exchange?.fail(error); break }
      case ToThread.Overflow: {
        const reason = toThread.overflow.read(reader)
        exchange?.upload?.overflow(reason)
        break
      }
      case ToThread.Endpoint: { const name = toThread.endpoint.read(reader); exchange?.nameEndpoint(name); break }
      case ToThread.PrimaryWhole: {
        const { status, encoding, headers, body, ms } = toThread.primaryWhole.read(reader)
        exchange?.primaryWhole(status, encoding, headers, body, ms)
        break
      }
      case ToThread.PrimaryStarts: {
        const { status, encoding, headers } = toThread.primaryStarts.read(reader)
        exchange?.primaryStarts(status, encoding, headers)
        break
      }
      case ToThread.PrimaryData: {
        const chunk = toThread.primaryData.read(reader)
        exchange?.primaryData(chunk)
        break
      }
      case ToThread.PrimaryEnds: { const ms = toThread.primaryEnds.read(reader); exchange?.primaryEnds(ms); break }
      case ToThread.Repeat: {
        const { goesOut, body } = toThread.repeat.read(reader)
        exchange?.repeat(goesOut, body)
        break
      }
      case ToThread.PrimaryLost: {
        const reason = toThread.primaryLost.read(reader)
        exchange?.primaryLost(reason)
        break
      }
    }
  }

  #open (id: number, run: Run): void {
    const { method, length, hasBody, compare, copies, repeat } = toThread.open.read(run.reader)
    // The repeat counts as the last copy.
    const tracked = { open: copies.length + Number(repeat !== null) }
    run.id = id
    run.opening = tracked.open
    const initOf = ({ target, path, headers }: toThread.OpenedCopy, copy: number): CopyInit<Target> => {
      const sink = new RemoteSink(this, id, copy, tracked)
      run.sinks.push(sink)
      return { target: this.#targets[target], head: { path, headers: splitHeaders(headers) }, sink }
    }
    const inits = copies.map(initOf)
    const last = repeat === null ? null : { ...initOf(repeat, copies.length), of: repeat.of }
    const backlog = hasBody ? new Backlog(this.#engine.budget, length) : null
    const exchange = this.#engine.open({ method, backlog, length, compare, copies: inits, repeat: last })
    if (tracked.open > 0) this.#exchanges[id] = exchange
    run.opened()
  }

  writable (): unknown[] {
    this.#schedule()
    return this.ops
  }

  /** Tells the main thread of a fault: the log is there. */
  #tellFault (error: unknown): void {
    fromThread.fault.write(this.writable(), error)
  }

  /**
   * All its copies have been told of. The other side says no more of it: where one was told of as broken, it may still
   * wait for the primary.
   */
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
    const held = this.#engine.bufferedBytes
    const message: MessageFromThread = { ops: this.ops, processed: this.#processed, held, slabs }
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
class Run implements Holder {
  exchange: Exchange | undefined = undefined
  /** The exchange that is being opened. */
  id = 0
  /** Copies that no exchange has yet. */
  opening = 0
  /** Theirs, as far as they are made. */
  sinks: RemoteSink[] = []
  readonly reader: OpReader
  readonly #host: Host

  constructor (host: Host, { ops, slabs }: Batch) {
    this.#host = host
    this.reader = new OpReader(ops, slabs)
  }

  fail (error: unknown): void {
    this.exchange?.fail(error)
    for (const sink of this.sinks) sink.fail(error)
    for (let copy = this.sinks.length; copy < this.opening; copy++) {
      fromThread.failed.write(this.#host.writable(), this.id, copy, 'error', error as Error)
    }
    this.opened()
  }

  /** An exchange has the copies: it ends them, whatever happens. */
  opened (): void {
    this.opening = 0
    this.sinks = []
  }
}

function runOne (run: Run, host: Host): void {
  host.runOne(run)
}

function flush (host: Host): void {
  host.flush()
}

function end (host: Host): void {
  host.end()
}
