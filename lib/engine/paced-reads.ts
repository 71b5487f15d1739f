import type { Socket } from 'node:net'
import type { Pacer } from './pacer'

/**
 * Lets the client library read from a connection as far as the pacer allows. Past that it is told that there is nothing to read, until
 * the connection's turn comes.
 *
 * Not by pausing its parser: a connection that ends while its parser is paused makes undici 7 throw in an event of the
 * socket, which ends the process.
 * @see https://github.com/nodejs/undici/issues/5360
 *
 * @param mayWait whether an answer is awaited. Without one nothing is held back: what comes unasked must be seen before the next
 * request is sent, else it would be taken for its answer.
 */
export function paceReads (socket: Socket, pacer: Pacer, mayWait: () => boolean): void {
  const { read } = socket
  let waiting = false
  const goOn = () => {
    waiting = false
    socket.emit('readable')
  }
  socket.read = function pacedRead (size?: number) {
    // Node itself asks for a certain size, to have the buffer filled.
    if (size !== undefined) return read.call(socket, size)
    if (waiting && mayWait()) return null
    const chunk = read.call(socket) as Buffer | null
    if (chunk !== null && !waiting) waiting = !pacer.spend(chunk.length, goOn)
    return chunk
  }
}
