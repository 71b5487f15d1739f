import type { OnReadOpts, Socket } from 'node:net'
import { UNTOLD, door } from '../../guard'
import type { Guard, Holder } from '../../guard'
import { Interim } from './interim'
import type { Pacer } from './pacer'

/** Whose connection it is. */
export interface Reader extends Holder {
  /** An answer is awaited, or comes. */
  readonly awaited: boolean
  /** Its head is complete. */
  readonly hasHead: boolean
}

/** Bytes that the client library is given at once: one run of its parser can't be stopped. */
const LARGEST_PIECE = 16 * 1024
const SMALLEST_PIECE = 1024
/** Milliseconds that it should take for a piece. */
const MS_A_PIECE = 0.2
/** Milliseconds of work past which an answer lives on the credit that all have together, and past which it rests. */
const SHORT_MS = 0.2
const LONG_MS = 1

const READS = Symbol('reads')

type ReadSocket = Socket & { [READS]?: Reads }

/**
 * What one connection gives to the client library: as far as the pacer allows, in pieces that it works through soon.
 * Past that it is told that there is nothing to read, until the connection's turn comes.
 *
 * Not by pausing its parser: a connection that ends while its parser is paused makes undici 7 throw in an event of the
 * socket, which ends the process.
 * @see https://github.com/nodejs/undici/issues/5360
 */
export class Reads {
  /** Something has come since `begin`. */
  heard = false
  readonly #socket: Socket
  readonly #reader: Reader
  readonly #pacer: Pacer
  readonly #read: Socket['read']
  readonly #goOn: () => void
  readonly #guard: Guard
  readonly #interim = new Interim()
  #waiting = false
  /** It is its turn. */
  #resumed = false
  /**
   * What has just come, and lies in memory that is written to again: handed over without the stream's buffer, as far as
   * it goes.
   */
  #fresh: Buffer | null = null
  /** Bytes of the next piece at most. */
  #size = LARGEST_PIECE / 4
  /** Length of the last piece, while the client library works on it. */
  #given = 0
  #givenAt = 0
  /** Milliseconds that have been worked on this answer. */
  #ms = 0
  /** Milliseconds for which this answer had come, and waited for its turn. */
  heldMs = 0
  #heldAt = 0

  private constructor (socket: Socket, reader: Reader, pacer: Pacer, guard: Guard) {
    this.#guard = guard
    this.#socket = socket
    this.#reader = reader
    this.#pacer = pacer
    this.#read = socket.read
    this.#goOn = guard.door(reader, () => this.#resume()) as () => void
  }

  /** From now on all that the client library reads from a connection goes this way. */
  static attach (socket: Socket, reader: Reader, pacer: Pacer, guard = UNTOLD): Reads {
    const reads = new Reads(socket, reader, pacer, guard)
    // Node itself asks for a certain size, to have the buffer filled.
    socket.read = size => {
      return size === undefined ? guard.enter(reader, paced, reads) ?? null : reads.#read.call(socket, size)
    }
    ;(socket as ReadSocket)[READS] = reads
    return reads
  }

  /** A request is about to be written: what comes from now on is its answer. */
  begin (): void {
    this.heard = false
    this.#ms = this.heldMs = 0
    this.#interim.begin()
  }

  #resume (): void {
    this.#waiting = false
    this.heldMs += performance.now() - this.#heldAt
    this.#resumed = true
    this.#socket.emit('readable')
    this.#resumed = false
  }

  /** @internal The next piece, as far as there may be one now. */
  paced (): Buffer | null {
    if (this.#given > 0) this.#worked()
    const hasCome = this.#fresh !== null || this.#socket.readableLength > 0
    // Without an answer that is awaited nothing is held back: what comes unasked must be seen before the next request
    // is sent, else it would be taken for its answer.
    if (hasCome && this.#reader.awaited && !this.#mayGoOn()) return null
    const piece = this.#next()
    if (piece === null) return null
    this.heard = true
    this.#interim.pass(piece)
    this.#given = piece.length
    this.#givenAt = performance.now()
    return piece
  }

  #mayGoOn (): boolean {
    if (this.#waiting) return false
    const long = this.#ms > LONG_MS || (this.#ms > SHORT_MS && !this.#pacer.credit)
    if (this.#pacer.room && (this.#resumed || !long)) return true
    this.#waiting = true
    this.#heldAt = performance.now()
    this.#pacer.wait(this.#goOn, long)
    return false
  }

  #next (): Buffer | null {
    if (this.#fresh === null) {
      const length = this.#socket.readableLength
      return this.#read.call(this.#socket, length > this.#size ? this.#size : undefined) as Buffer | null
    }
    const piece = this.#fresh.subarray(0, this.#size)
    this.#fresh = piece.length < this.#fresh.length ? this.#fresh.subarray(piece.length) : null
    // The client library keeps pieces of a head until it is complete, and nothing of a body.
    return this.#reader.hasHead ? piece : Buffer.from(piece)
  }

  /** The client library is done with a piece: how long it took says how much may be given to it at once. */
  #worked (): void {
    const ms = performance.now() - this.#givenAt
    const past = Math.max(0, this.#ms - SHORT_MS)
    this.#ms += ms
    this.#pacer.spend(this.#given, ms, Math.max(0, this.#ms - SHORT_MS) - past)
    if (ms > MS_A_PIECE) this.#size = Math.max(SMALLEST_PIECE, this.#size >> Math.ceil(Math.log2(ms / MS_A_PIECE)))
    else if (ms < MS_A_PIECE / 2 && this.#given === this.#size) this.#size = Math.min(LARGEST_PIECE, this.#size * 2)
    this.#given = 0
  }

  /** Behind the guard. @see enterBytes */
  enterHand (bytes: Buffer): boolean {
    return this.#guard.enter(this.#reader, hand, this, bytes) ?? false
  }

  /**
   * Hands over what lies in memory that is written to again; `false`: nothing more is to be read until the client
   * library asks.
   */
  hand (bytes: Buffer): boolean {
    const socket = this.#socket
    if (this.#waiting || socket.readableLength > 0) return socket.push(Buffer.from(bytes))
    this.#fresh = bytes
    socket.emit('readable')
    const rest = this.#fresh as Buffer | null
    this.#fresh = null
    if (rest !== null) return socket.push(Buffer.from(rest))
    return !this.#waiting
  }
}

/**
 * Reads into one piece of memory for all connections: by default every read brings memory of its own, which on a thread
 * that has little other garbage waits long to be collected. Whoever keeps what is read has to copy it.
 * @see https://nodejs.org/api/net.html#new-netsocketoptions `onread`
 */
export function readInto (buffer: Buffer): OnReadOpts {
  return { buffer, callback: enterBytes as OnReadOpts['callback'] }
}

/** Node calls it as the socket's own. */
const enterBytes = door(function (this: ReadSocket, length: number, memory: Uint8Array): boolean {
  const bytes = (memory as Buffer).subarray(0, length)
  // Before it counts as connected.
  const reads = this[READS]
  return reads === undefined ? this.push(Buffer.from(bytes)) : reads.enterHand(bytes)
})

function paced (_: Reader, reads: Reads): Buffer | null {
  return reads.paced()
}

function hand (_: Reader, reads: Reads, bytes: Buffer): boolean {
  return reads.hand(bytes)
}
