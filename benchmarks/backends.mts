import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { answerCalls } from './calls.mjs'
import { MessageReader } from './wire.mjs'

/** How a backend behaves. `differs`: its JSON is another at every answer. */
export type Behaviour = 'fast' | 'differs' | 'slow' | 'hung'

/** Milliseconds before a slow backend answers. */
export const SLOW = 2_000

const PATH = /^\w+ \/(\w*)\/?(\d*)/
const PIECE = Buffer.alloc(64 * 1024, 'x')
const JSON_BODY = '{"id":4711,"name":"a small answer","tags":["one","two"],"ok":true,"total":1.5}'

const answers: Record<string, Buffer> = {
  json: answer('application/json', Buffer.from(JSON_BODY)),
  large: answer('application/octet-stream', Buffer.alloc(1024 * 1024, 'x'))
}

function answer (type: string, body: Buffer): Buffer {
  return Buffer.concat([head(type, body.length), body])
}

function head (type: string, length: number): Buffer {
  return Buffer.from(`HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\ncontent-length: ${length}\r\n\r\n`)
}

/** Requests that each behaviour was sent, as a whole. */
const received: Record<Behaviour, number> = { fast: 0, differs: 0, slow: 0, hung: 0 }
let answered = 0

function respond (socket: Socket, requestHead: string, behaviour: Behaviour): void {
  const [, name, count] = PATH.exec(requestHead) ?? []
  if (name === 'never') return
  if (behaviour === 'differs') {
    socket.write(answer('application/json', Buffer.from(JSON_BODY.replace('4711', String(answered++ % 9000 + 1000)))))
  } else if (name === 'stream') {
    socket.write(head('application/octet-stream', Number(count)))
    pour(socket, Number(count))
  } else {
    socket.write(answers[name] ?? answers.json)
  }
}

/** Writes so many bytes at the pace of the socket. */
function pour (socket: Socket, bytes: number): void {
  while (bytes > 0 && !socket.destroyed) {
    const piece = bytes < PIECE.length ? PIECE.subarray(0, bytes) : PIECE
    bytes -= piece.length
    if (!socket.write(piece)) {
      socket.once('drain', () => pour(socket, bytes))
      return
    }
  }
}

class Backend {
  behaviour: Behaviour
  readonly server: Server
  readonly #sockets = new Set<Socket>()

  constructor (behaviour: Behaviour) {
    this.behaviour = behaviour
    this.server = createServer({ noDelay: true }, socket => this.#serve(socket))
  }

  #serve (socket: Socket): void {
    this.#sockets.add(socket)
    const reader = new MessageReader(requestHead => {
      const { behaviour } = this
      received[behaviour]++
      if (behaviour === 'slow') setTimeout(respond, SLOW, socket, requestHead, behaviour)
      else if (behaviour !== 'hung') respond(socket, requestHead, behaviour)
    })
    socket.on('data', bytes => reader.read(bytes))
    socket.on('error', () => socket.destroy())
    socket.on('close', () => this.#sockets.delete(socket))
  }

  hangUp (): void {
    for (const socket of this.#sockets) socket.end()
  }

  stop (): void {
    this.server.close()
    for (const socket of this.#sockets) socket.destroy()
  }
}

/** By port. */
const backends = new Map<number, Backend>()

const calls = {
  /** A server that behaves so. Its port. */
  async listen (behaviour: Behaviour): Promise<number> {
    const backend = new Backend(behaviour)
    await new Promise<void>(resolve => { backend.server.listen(0, '127.0.0.1', 2048, resolve) })
    const { port } = backend.server.address() as AddressInfo
    backends.set(port, backend)
    return port
  },

  /** From now on a backend behaves so; `refusing`: it is gone. */
  turn ({ port, to }: { port: number, to: Behaviour | 'refusing' }): void {
    const backend = backends.get(port) as Backend
    if (to === 'refusing') backend.stop()
    else backend.behaviour = to
  },

  received: (behaviour: Behaviour): number => received[behaviour],

  /** Ends all connections, as backends do with those that idle. */
  hangUp (): void {
    for (const backend of backends.values()) backend.hangUp()
  }
}

export type Backends = typeof calls

answerCalls(calls)
