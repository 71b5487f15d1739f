import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { door } from '../guard'
import { kQueued } from '../symbols'

type Listener = (this: ServerResponse) => void
type Watched = Socket & { [kQueued]?: Map<ServerResponse, Listener> }

/**
 * Calls `enterClose`, a door, when a response is closed, whatever happened to it, once or twice. `false`: it is closed
 * already.
 */
export function onceClosed (request: IncomingMessage, response: ServerResponse, enterClose: Listener): boolean {
  // An older hook may have let the client wait until it left. Only HTTP/2 takes a response's socket away altogether.
  if (response.closed || response.socket === undefined) return false
  if (response.socket === null) {
    // Node takes the request's socket away, too, when all is done.
    if (request.socket?.closed !== false) return false
    watchSocket(request.socket, response, enterClose)
  }
  // `once` would cost an object, and listeners must bear hearing it twice anyway.
  response.on('close', enterClose)
  return true
}

/**
 * Node does not close a response that waits for its turn on the connection (RFC 9112, section 9.3.2) when the client
 * leaves, as it has no socket yet. One listener a socket: pipelined requests can be many.
 */
function watchSocket (socket: Watched, response: ServerResponse, listener: Listener): void {
  if (socket[kQueued] === undefined) {
    socket[kQueued] = new Map()
    socket.once('close', enterSocketClose)
  }
  const queued = socket[kQueued].set(response, listener)
  response.once('close', door(() => queued.delete(response)))
}

const enterSocketClose = door(function (this: Watched): void {
  const queued = this[kQueued] as Map<ServerResponse, Listener>
  for (const [response, listener] of queued) listener.call(response)
  queued.clear()
})
