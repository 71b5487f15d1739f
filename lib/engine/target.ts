import { isIP } from 'node:net'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { Client, buildConnector } from 'undici'
import { AnswerComparer, HashComparer } from '../compare/answers'
import type { Comparer } from '../compare/answers'
import type { Guard, Holder } from '../guard'
import { Share } from './budget'
import type { Budget } from './budget'
import { Deadlines } from './deadlines'
import { lookups } from './lookup'
import type { LoopClock } from './loop-clock'
import { Reads } from './reads'
import { timeSocket } from './timed-socket'
import type { Copy } from './copy'
import type { Exchange } from './exchange'
import type { Pacer } from './pacer'
import type { TargetOptions } from './types'

/**
 * The client of one backend: a connection for every copy in flight, kept for the next.
 *
 * Each connection has an undici `Client` of its own. So nothing waits inside the client library behind another copy, and
 * a copy that still waits for its connection, which undici can't cancel, is ended by ending the connection.
 */
export class Target {
  readonly origin: string
  readonly maxBacklogBytes: number
  readonly deadlines: Deadlines<Copy>
  /** Of bodies that the client stopped to send. */
  readonly stalls: Deadlines<Exchange>
  readonly clock: LoopClock
  readonly pacer: Pacer
  readonly budget: Budget
  readonly share: Share
  readonly guard: Guard
  readonly comparer: Comparer
  /** Bytes of an answer that are kept for the comparer. */
  readonly maxCapture: number
  /** Given with every request, else undici takes it from the Host header, which the client of the gateway chooses. */
  servername = ''
  #sni: string | undefined
  #localAddress: unknown
  #connector: ReturnType<typeof buildConnector>
  readonly #slots = new Set<Slot>()
  readonly #idle: Slot[] = []

  constructor (options: TargetOptions, pacer: Pacer, budget: Budget, guard: Guard, clock: LoopClock) {
    this.origin = options.origin
    this.maxBacklogBytes = options.maxBacklogBytes
    this.clock = clock
    this.deadlines = new Deadlines(options.timeout, clock, guard)
    this.stalls = new Deadlines(options.bodyTimeout, clock, guard)
    this.pacer = pacer
    this.budget = budget
    this.share = new Share(budget)
    this.guard = guard
    const { diff, maxCoded } = options
    this.comparer = diff === null ? new HashComparer(maxCoded, budget, guard) : new AnswerComparer(diff, budget, guard)
    this.maxCapture = diff?.maxBodyCapture ?? maxCoded
    this.#connector = this.#connectorOf(options.connect)
  }

  #connectorOf (given: TargetOptions['connect']): ReturnType<typeof buildConnector> {
    const hostname = new URL(this.origin).hostname.replace(/^\[|\]$/g, '')
    // undici takes an empty one for none.
    this.servername = (given.servername as string | undefined) || hostname
    // RFC 6066, section 3: no literal address is a server name.
    this.#sni = isIP(this.servername) === 0 ? this.servername : undefined
    this.#localAddress = given.localAddress
    // The copy's own timeout bounds the connection, unless the user wants a shorter time for it. HTTP/1.1 alone: one
    // copy a connection, paced by its reads, is what everything here rests on.
    const { timeout = 0, lookup = lookups.lookup } = given
    const connect = { ...given, timeout, lookup, onread: this.budget.blocks?.onread, allowH2: false, useH2c: false }
    return buildConnector(connect as buildConnector.BuildOptions)
  }

  /** A connection of one's own, open or not; the one used last comes first. */
  acquire (copy: Copy): Slot {
    const slot = this.#idle.pop() ?? this.#add()
    slot.copy = copy
    return slot
  }

  release (slot: Slot): void {
    slot.copy = null
    if (slot.dead) this.#slots.delete(slot)
    else this.#idle.push(slot)
  }

  /**
   * From now on every copy gets another connection than there are. Those that are in use end with their copy. `connect`: options of the new
   * ones, where they are others than before.
   */
  retire (connect?: TargetOptions['connect']): void {
    if (connect !== undefined) this.#connector = this.#connectorOf(connect)
    this.#idle.length = 0
    for (const slot of this.#slots) {
      if (slot.copy === null) this.#slots.delete(slot)
      slot.retire()
    }
  }

  #add (): Slot {
    const slot = new Slot(this)
    this.#slots.add(slot)
    return slot
  }

  connect (options: buildConnector.Options, callback: buildConnector.Callback): Socket {
    // The types hide that a connector returns its socket; undici's own tests and this file rely on it.
    return (this.#connector as Function)({ ...options, servername: this.#sni, localAddress: this.#localAddress }, callback)
  }

  /** Ends every copy that has a connection, and all connections. */
  async close (error: Error): Promise<void> {
    const slots = [...this.#slots]
    for (const slot of slots) if (slot.copy !== null) this.guard.enter(slot.copy, abort, error)
    this.deadlines.close()
    this.stalls.close()
    await Promise.all(slots.map(slot => slot.client.destroy(error)))
  }
}

/** One connection. */
export class Slot implements Holder {
  copy: Copy | null = null
  /** Not to be used again. */
  dead = false
  readonly client: Client
  /** While it connects. */
  #connecting: Socket | null = null
  /** The last one that connected. */
  #socket: Socket | null = null
  #reads: Reads | null = null
  /** It has served an answer. */
  #used = false

  constructor (target: Target) {
    this.client = new Client(target.origin, {
      connect: (options: buildConnector.Options, callback: buildConnector.Callback) => {
        this.#connecting = target.connect(options, (...result) => {
          target.guard.enter<Slot, Target, Socket | null, void>(this, connected, target, result[1])
          callback(...result)
        })
      },
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0
    })
  }

  /** It has a connection, or could not get one. */
  connected (target: Target, socket: Socket | null | undefined): void {
    this.#connecting = null
    // After a certificate for another name, undici's client takes its failed request for a running one, and begins no other.
    this.dead ||= socket == null
    if (socket == null) return
    this.#socket = socket
    timeSocket(socket, target.guard.loopTime)
    this.#reads = Reads.attach(socket, this, target.pacer, target.guard)
    this.#used = false
  }

  fail (error: unknown): void {
    this.dead = true
    if (this.copy === null) this.client.destroy(error as Error, noop)
    else this.copy.fail(error)
  }

  /** Not to be used again, once its copy has ended. */
  retire (): void {
    this.dead = true
    this.client.close(noop)
  }

  /** The connection has nothing left to write. */
  get flushed (): boolean {
    return this.#socket !== null && this.#socket.writableLength === 0
  }

  /** A request is about to be written. */
  begin (): void {
    (this.#reads as Reads).begin()
  }

  /**
   * Nothing of an answer came on a connection that has served others: most likely the backend closed it as idle before it saw the request. No
   * client can know (RFC 9112, section 9.3.1), so it says nothing of the backend.
   */
  get stale (): boolean {
    return this.#used && !(this.#reads as Reads).heard
  }

  /** How the connection broke, or `null`. An answer that ends with its connection is complete to undici even then. */
  get broken (): Error | null {
    return (this.#socket as Socket).errored
  }

  /**
   * The answer is complete. A backend that did not take all of the request first gets the next one on another connection: what
   * it did not take would be held where nobody counts it. TLS tells late of what it has sent: there, less than a socket's buffer is none.
   */
  rest (): void {
    this.#used = true
    const socket = this.#socket as TLSSocket
    if (socket.writableLength > (socket.encrypted ? socket.writableHighWaterMark : 0)) socket.destroy()
  }

  /**
   * Ends the request that is under way, by undici's own way to do it, and the client with it: that would connect anew for an
   * aborted request, on no copy's time.
   */
  abandon (abort: (error: Error) => void, error: Error): void {
    this.dead = true
    abort(error)
    this.client.destroy(error, noop)
  }

  /** Ends the request that waits for this connection. */
  kill (error: Error): void {
    if (this.#connecting !== null) {
      this.#connecting.destroy(error)
    } else {
      this.dead = true
      this.client.destroy(error, noop)
    }
  }
}

function connected (slot: Slot, target: Target, socket: Socket | null): void {
  slot.connected(target, socket)
}

function abort (copy: Copy, error: Error): void {
  copy.abort('aborted', error)
}

function noop (): void {}
