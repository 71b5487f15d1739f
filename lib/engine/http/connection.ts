import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { Client } from 'undici'
import type { Dispatcher, buildConnector } from 'undici'
import type { Guard, Holder } from '../../guard'
import type { Connector } from './connector'
import type { Pacer } from './pacer'
import { Reads } from './reads'
import { timeSocket } from './timed-socket'

/** A request as it goes out. */
export interface OutgoingRequest {
  readonly method: string
  /** With query. */
  readonly path: string
  /** Names and values in turn. */
  readonly headers: string[]
  readonly body: Buffer | AsyncIterable<Buffer> | null
}

/** Hears of one request, behind the guard: of its end once, by `onEnd` or `onError`. */
export interface ResponseHandler extends Holder {
  readonly guard: Guard
  /** It is about to be written: a connection stands. */
  onStart (): void
  /** A head has come, of a 1xx answer too. */
  onHead (status: number, headers: Buffer[]): void
  onData (chunk: Buffer): void
  onEnd (): void
  onError (error: NodeJS.ErrnoException): void
  /** All connections are about to be ended. */
  onClose (error: Error): void
}

/** The part of a backend that a connection needs. */
export interface Dialer {
  readonly origin: string
  readonly guard: Guard
  readonly pacer: Pacer
  /** Options of a connection that is opened now. */
  readonly connector: Connector
}

/**
 * One connection to a backend, and all of undici. It has an undici `Client` of its own: so nothing waits inside the
 * client library behind another request, and a request that still waits for its connection, which undici can't cancel,
 * is ended by ending the connection.
 *
 * | state     | event                                  | next      |
 * |-----------|----------------------------------------|-----------|
 * | `idle`    | `send`                                 | `waiting` |
 * | `waiting` | undici is about to write the request   | `running` |
 * | `waiting` | `abort`: what connects is ended        |           |
 * | `running` | `abort`: undici ends it                |           |
 * | both      | undici has let go of the request       | `idle`    |
 *
 * undici's callbacks are those of its older set: the newer one (`onRequestStart` and so on) costs an object and a
 * parsed record of headers an answer, some 3 µs. Only this file knows.
 */
export class Connection implements Holder {
  /** Somebody has it. */
  taken = false
  /** Whether it must not be used again. */
  dead = false
  /** The final head of the answer that comes is complete. */
  hasHead = false
  readonly client: Client
  readonly #dialer: Dialer
  #state: 'idle' | 'waiting' | 'running' = 'idle'
  #handler: ResponseHandler | null = null
  #abort: ((error?: Error) => void) | null = null
  /** The error that aborted the request before it had a connection. */
  #calledOff: Error | null = null
  /** While it connects. */
  #connecting: Socket | null = null
  /** The last one that connected. */
  #socket: Socket | null = null
  #reads: Reads | null = null
  /** It has served an answer. */
  #used = false

  constructor (dialer: Dialer) {
    this.#dialer = dialer
    this.client = new Client(dialer.origin, {
      connect: (options: buildConnector.Options, callback: buildConnector.Callback) => {
        this.#connecting = dialer.connector.connect(options, (...result) => {
          dialer.guard.enter<Connection, Socket | null, void>(this, connected, result[1])
          callback(...result)
        })
      },
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0
    })
  }

  /** @internal It has a connection, or could not get one. */
  connected (socket: Socket | null | undefined): void {
    const { guard, pacer } = this.#dialer
    this.#connecting = null
    // After a certificate for another name, undici's client takes its failed request for a running one, and begins no
    // other.
    this.dead ||= socket == null
    if (socket == null) return
    this.#socket = socket
    timeSocket(socket, guard.loopTime)
    this.#reads = Reads.attach(socket, this, pacer, guard)
    this.#used = false
  }

  fail (error: unknown): void {
    this.dead = true
    if (this.#handler === null) this.client.destroy(error as Error, noop)
    else this.#handler.fail(error)
  }

  /** An answer is awaited, or comes. */
  get awaited (): boolean {
    return this.#state === 'running'
  }

  send ({ method, path, headers, body }: OutgoingRequest, handler: ResponseHandler): void {
    const { origin, connector: { servername } } = this.#dialer
    this.#handler = handler
    this.#calledOff = null
    this.#state = 'waiting'
    this.client.dispatch({ origin, path, method, headers, body, servername } as Dispatcher.DispatchOptions, this)
  }

  /** Ends the request. `false`: undici has let go of it, and nobody will hear of it any more. */
  abort (error: Error): boolean {
    if (this.#state === 'idle') return false
    if (this.#state === 'waiting') this.#kill(error)
    else this.#abandon(error)
    return true
  }

  #kill (error: Error): void {
    this.#calledOff = error
    if (this.#connecting !== null) {
      this.#connecting.destroy(error)
    } else {
      this.dead = true
      this.client.destroy(error, noop)
    }
  }

  /**
   * By undici's own way to do it, and the client with it: that would connect anew for an aborted request, on nobody's
   * time.
   */
  #abandon (error: Error): void {
    this.dead = true
    ;(this.#abort as (error: Error) => void)(error)
    this.client.destroy(error, noop)
  }

  /** Forbids its use once its request has ended. */
  retire (): void {
    this.dead = true
    this.client.close(noop)
  }

  /** Tells whoever has it that it is about to be ended. */
  onClose (error: Error): void {
    if (this.#handler !== null) this.#handler.guard.enter(this.#handler, closes, error)
  }

  /** It has nothing left to write. */
  get flushed (): boolean {
    return this.#socket !== null && this.#socket.writableLength === 0
  }

  /**
   * Nothing of an answer came on a connection that has served others: most likely the backend closed it as idle before
   * it saw the request. No client can know (RFC 9112, section 9.3.1), so it says nothing of the backend.
   */
  get stale (): boolean {
    return this.#used && !(this.#reads as Reads).heard
  }

  /** Milliseconds for which the answer had come, and was not read: others had their turn. */
  get heldMs (): number {
    return (this.#reads as Reads).heldMs
  }

  /** How it broke, or `null`. An answer that ends with its connection is complete to undici even then. */
  get broken (): Error | null {
    return (this.#socket as Socket).errored
  }

  /**
   * The answer is complete. A backend that did not take all of the request first gets the next one on another
   * connection: what it did not take would be held where nobody counts it. TLS tells late of what it has sent: there,
   * less than a socket's buffer is none.
   */
  rest (): void {
    this.#used = true
    const socket = this.#socket as TLSSocket
    if (socket.writableLength > (socket.encrypted ? socket.writableHighWaterMark : 0)) socket.destroy()
  }

  // undici's callbacks.

  onConnect (abort: (error?: Error) => void): void {
    if (this.#calledOff !== null) {
      abort(this.#calledOff)
      return
    }
    this.#abort = abort
    this.#state = 'running'
    this.#dialer.guard.enter<Connection, void>(this, starts)
  }

  /** @internal The request is about to be written. */
  starts (): void {
    (this.#reads as Reads).begin()
    ;(this.#handler as ResponseHandler).onStart()
  }

  onHeaders (status: number, headers: Buffer[]): boolean {
    const handler = this.#handler as ResponseHandler
    if (status >= 200) this.hasHead = true
    handler.guard.enter(handler, heads, status, headers)
    return true
  }

  // `false` would pause the answer.
  onData (chunk: Buffer): boolean {
    const handler = this.#handler as ResponseHandler
    handler.guard.enter(handler, adds, chunk)
    return true
  }

  onComplete (): void {
    const handler = this.#letGo()
    handler.guard.enter(handler, ends)
  }

  onError (error: NodeJS.ErrnoException): void {
    const handler = this.#letGo()
    handler.guard.enter(handler, breaks, error)
  }

  #letGo (): ResponseHandler {
    const handler = this.#handler as ResponseHandler
    this.#handler = null
    this.#abort = null
    this.#state = 'idle'
    this.hasHead = false
    return handler
  }
}

function connected (connection: Connection, socket: Socket | null): void {
  connection.connected(socket)
}

function starts (connection: Connection): void {
  connection.starts()
}

function heads (handler: ResponseHandler, status: number, headers: Buffer[]): void {
  handler.onHead(status, headers)
}

function adds (handler: ResponseHandler, chunk: Buffer): void {
  handler.onData(chunk)
}

function ends (handler: ResponseHandler): void {
  handler.onEnd()
}

function breaks (handler: ResponseHandler, error: NodeJS.ErrnoException): void {
  handler.onError(error)
}

function closes (handler: ResponseHandler, error: Error): void {
  handler.onClose(error)
}

function noop (): void {}
