import type { OnReadOpts, Socket } from 'node:net'
import type { Pacer } from './pacer'

/** Whose connection it is. */
export interface Reader {
  /** The copy whose answer is awaited or comes, if any. `status` 0: its head is not complete. */
  readonly copy: { readonly running: boolean, readonly status: number } | null
}

const READS = Symbol('reads')

type ReadSocket = Socket & { [READS]?: Reads }

/**
 * What one connection gives to the client library: as far as the pacer allows. Past that it is told that there is nothing to read, until
 * the connection's turn comes.
 *
 * Not by pausing its parser: a connection that ends while its parser is paused makes undici 7 throw in an event of the
 * socket, which ends the process.
 * @see https://github.com/nodejs/undici/issues/5360
 */
export class Reads {
  readonly #socket: Socket
  readonly #reader: Reader
  readonly #pacer: Pacer
  readonly #read: Socket['read']
  readonly #goOn: () => void
  #waiting = false
  /** What has just come, handed over without the stream's buffer. */
  #fresh: Buffer | null = null

  private constructor (socket: Socket, reader: Reader, pacer: Pacer) {
    this.#socket = socket
    this.#reader = reader
    this.#pacer = pacer
    this.#read = socket.read
    this.#goOn = () => {
      this.#waiting = false
      socket.emit('readable')
    }
  }

  /** From now on all that the client library reads from a connection goes this way. */
  static attach (socket: Socket, reader: Reader, pacer: Pacer): Reads {
    const reads = new Reads(socket, reader, pacer)
    // Node itself asks for a certain size, to have the buffer filled.
    socket.read = size => size === undefined ? reads.#paced() : reads.#read.call(socket, size)
    ;(socket as ReadSocket)[READS] = reads
    return reads
  }

  #paced (): Buffer | null {
    // Without an answer that is awaited nothing is held back: what comes unasked must be seen before the next request is sent, else it
    // would be taken for its answer.
    if (this.#waiting && this.#reader.copy?.running === true) return null
    const chunk = this.#fresh ?? this.#read.call(this.#socket) as Buffer | null
    this.#fresh = null
    if (chunk !== null && !this.#waiting) this.#waiting = !this.#pacer.spend(chunk.length, this.#goOn)
    return chunk
  }

  /** Hands over what lies in memory that is written to again; `false`: nothing more is to be read until the client library asks. */
  hand (bytes: Buffer): boolean {
    const socket = this.#socket
    if (this.#waiting || socket.readableLength > 0) return socket.push(Buffer.from(bytes))
    // The client library keeps pieces of a head until it is complete, and nothing of a body.
    const { copy } = this.#reader
    this.#fresh = copy !== null && copy.status !== 0 ? bytes : Buffer.from(bytes)
    socket.emit('readable')
    if (this.#fresh === null) return !this.#waiting
    this.#fresh = null
    return socket.push(Buffer.from(bytes))
  }
}

/**
 * Reads into one piece of memory for all connections: by default every read brings memory of its own, which on a thread that has little
 * other garbage waits long to be collected. Whoever keeps what is read has to copy it.
 * @see https://nodejs.org/api/net.html#new-netsocketoptions `onread`
 */
export function readInto (buffer: Buffer): OnReadOpts {
  return { buffer, callback: handOver }
}

/** Node calls it as the socket's own. */
function handOver (this: ReadSocket, length: number, memory: Uint8Array): boolean {
  const bytes = (memory as Buffer).subarray(0, length)
  // Before it counts as connected.
  const reads = this[READS]
  return reads === undefined ? this.push(Buffer.from(bytes)) : reads.hand(bytes)
}
