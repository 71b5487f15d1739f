import { once } from 'node:events'
import net from 'node:net'
import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Cell } from './cell'

export const methods = ['GET', 'POST', 'POST, chunked'] as const
export type Method = typeof methods[number]

/** How a client behaves. */
export interface CallerKind {
  name: string
  /** Does not wait for its answer. */
  leaves?: boolean
  /** Sends its body in steps. */
  staged?: boolean
  call (call: Call): Promise<void>
}

/** A client's connection, and the request that it makes on it. */
export interface Call {
  socket: Socket
  cell: Cell
  /** Of the request, with what is added to the head. */
  pieces (...headers: string[]): string[]
  write (text: string): void
  /** The client has so many answers, or no connection any more. */
  answered (count: number): Promise<void>
  /** The primary has all that was sent, or its answer has come. */
  taken (bytes: number): Promise<void>
}

const PARTS = ['the first half, ', 'the second half']

export const callers: readonly CallerKind[] = [
  {
    name: 'normal',
    async call ({ pieces, write, answered }) {
      write(pieces().join(''))
      await answered(1)
    }
  },
  {
    name: 'slow in its upload',
    staged: true,
    async call ({ pieces, write, answered, taken }) {
      const [head, first, second] = pieces()
      write(head)
      if (first !== '') {
        await taken(0)
        write(first)
        await taken(PARTS[0].length)
        write(second)
      }
      await answered(1)
    }
  },
  {
    name: 'slow in its download',
    async call ({ socket, pieces, write, answered }) {
      socket.on('data', async () => {
        socket.pause()
        await delay(1)
        socket.resume()
      })
      write(pieces('x-size: 300000').join(''))
      await answered(1)
    }
  },
  leaving('leaving before its upload', async ({ cell, pieces, write }) => {
    write(pieces()[0])
    await cell.when('the gateway has begun', () => cell.seen > 0)
  }, socket => socket.destroy()),
  leaving('leaving in the middle of its upload', async ({ pieces, write, taken }) => {
    const [head, first] = pieces()
    write(head + first)
    await taken(first === '' ? 0 : PARTS[0].length)
  }, socket => socket.resetAndDestroy()),
  leaving('leaving after its upload', async ({ cell, pieces, write }) => {
    write(pieces().join(''))
    await cell.when('the primary has it', () => cell.complete > 0 || cell.heard)
  }, socket => socket.destroy()),
  leaving('leaving in the middle of its answer', async ({ cell, pieces, write }) => {
    write(pieces().join(''))
    await cell.when('an answer begins', () => cell.heard)
  }, socket => socket.resetAndDestroy()),
  {
    name: 'pipelining',
    async call ({ pieces, write, answered }) {
      write(pieces().join('').repeat(3))
      await answered(3)
    }
  },
  {
    name: 'expecting to be told to go on',
    staged: true,
    async call ({ cell, pieces, write, answered }) {
      const [head, ...body] = pieces('expect: 100-continue')
      write(head)
      await cell.when('it is told', () => cell.heard)
      write(body.join(''))
      await answered(1)
    }
  },
  {
    name: 'using its connection again',
    async call ({ cell, pieces, write, answered }) {
      for (let i = 1; i <= 3 && !cell.closed; i++) {
        write(pieces().join(''))
        await answered(i)
      }
    }
  },
  leaving('closing its side at once', async ({ socket, cell, pieces, write }) => {
    write(pieces().join(''))
    socket.end()
    // Node cuts what such a client is owed, wherever it is.
    await cell.when('the gateway has closed', () => cell.closed)
  }, socket => socket.destroy())
]

function leaving (name: string, until: (call: Call) => Promise<void>, leave: (socket: Socket) => void): CallerKind {
  return {
    name,
    leaves: true,
    staged: true,
    async call (call) {
      await until(call)
      call.cell.over = true
      leave(call.socket)
    }
  }
}

/** Makes a request of that kind, and resolves when the client has gone. `early`: the primary answers before it has the body. */
export async function runCaller (kind: CallerKind, port: number, path: string, method: Method, cell: Cell, early: boolean): Promise<void> {
  const socket = net.connect(port, '127.0.0.1')
  socket.on('error', () => {})
  socket.on('data', data => {
    cell.received += data.toString('latin1')
    cell.touch()
  })
  socket.on('close', () => {
    cell.closed = true
    cell.touch()
  })
  await once(socket, 'connect')
  try {
    await kind.call({
      socket,
      cell,
      pieces: (...headers) => piecesOf(path, method, cell, headers),
      write: text => { if (!socket.destroyed) socket.write(text, 'latin1') },
      async answered (count) {
        await cell.when(`answer ${count} is there`, () => cell.answers >= count || cell.closed)
        if (/\nconnection: close/i.test(cell.received)) await cell.when('the gateway has closed', () => cell.closed)
      },
      taken: bytes => cell.when('the primary has it', () => {
        // The primary's request may not begin before the first bytes of its body.
        if (bytes === 0) return cell.seen > 0
        return cell.heard || (!early && (cell.complete > 0 || cell.got >= bytes))
      })
    })
  } finally {
    // Also when it has failed: an open connection would hold up the gateway's close, and with it the whole run.
    cell.over = true
    cell.touch()
    socket.destroy()
  }
}

/** Head, first and second half of the body, framed. */
function piecesOf (path: string, method: Method, cell: Cell, headers: string[]): string[] {
  const head = (...more: string[]) => [
    `${method.slice(0, 4).trim().replace(',', '')} ${path} HTTP/1.1`, 'host: gateway.test', `x-cell: ${cell.id}`, ...headers, ...more, '', ''
  ].join('\r\n')
  if (method === 'GET') return [head(), '', '']
  if (method === 'POST') return [head('content-type: a/b', `content-length: ${PARTS.join('').length}`), ...PARTS]
  const [first, second] = PARTS.map(part => `${part.length.toString(16)}\r\n${part}\r\n`)
  return [head('content-type: a/b', 'transfer-encoding: chunked'), first, `${second}0\r\n\r\n`]
}
