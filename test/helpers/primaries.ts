import type { Test } from 'tap'
import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { REFUSED, startTcp } from './backend'
import type { Cell, Cells } from './cell'
import { RequestReader } from './wire'

/** One request as a primary answers it. */
export interface Asked {
  socket: Socket
  /** Of the request. */
  cell: Cell
  head: string
}

/** How a primary behaves. What it does next to what a client sees waits for the client, so that each run is like the other. */
export interface PrimaryKind {
  name: string
  /** Answers before it has the request body. */
  early?: boolean
  /** May answer before it has taken the request body, as the gateway does for it when it is not there. */
  cuts?: boolean
  /** One request at a time: others would find a connection that is about to be closed. */
  alone?: boolean
  /** `false`: nothing listens. */
  listens?: boolean
  answer (asked: Asked): void | Promise<void>
}

const BEGIN = 'the begin'

export const primaries: readonly PrimaryKind[] = [
  { name: 'fast', answer: ({ socket, head }) => { socket.write(ok(head)) } },
  {
    name: 'slow in its head',
    async answer ({ socket, head }) {
      const text = ok(head)
      for (const [from, to] of [[0, 12], [12, 20], [20, undefined]]) {
        await delay(5)
        socket.write(text.slice(from, to))
      }
    }
  },
  {
    name: 'slow in its body, a byte at a time',
    async answer ({ socket }) {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${BEGIN.length}\r\n\r\n`)
      for (const byte of BEGIN) {
        await delay(2)
        socket.write(byte)
      }
    }
  },
  {
    name: 'sending chunks',
    async answer ({ socket, cell }) {
      socket.write(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\n${BEGIN}\r\n`)
      await begun(cell)
      socket.write('7\r\nthe end\r\n0\r\n\r\n')
    }
  },
  {
    name: 'ending its answer with its connection',
    async answer ({ socket, cell }) {
      socket.write(`HTTP/1.0 200 OK\r\n\r\n${BEGIN}`)
      await begun(cell)
      socket.end('the end')
    }
  },
  { name: 'resetting at its head', answer: ({ socket }) => { socket.resetAndDestroy() } },
  { name: 'closing at its head', answer: ({ socket }) => { socket.end() } },
  {
    name: 'resetting in the middle of its body',
    async answer ({ socket, cell }) {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n${BEGIN}`)
      await begun(cell)
      socket.resetAndDestroy()
    }
  },
  {
    name: 'closing in the middle of its chunks',
    async answer ({ socket, cell }) {
      socket.write(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\n${BEGIN}\r\n`)
      await begun(cell)
      socket.end()
    }
  },
  { name: 'sending garbage', answer: ({ socket }) => { socket.write('\0\x01 no HTTP at all \xff\r\n\r\n') } },
  {
    name: 'sending garbage in its body',
    async answer ({ socket, cell }) {
      socket.write(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\n${BEGIN}\r\n`)
      await begun(cell)
      socket.write('no length\r\n')
    }
  },
  {
    name: 'promising more than it sends',
    async answer ({ socket, cell }) {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n${BEGIN}`)
      await begun(cell)
      socket.end()
    }
  },
  { name: 'promising less than it sends', answer: ({ socket }) => { socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok, and more') } },
  {
    name: 'answering early',
    early: true,
    cuts: true,
    answer: ({ socket, head }) => { socket.write(ok(head)) }
  },
  {
    name: 'answering early and closing',
    early: true,
    cuts: true,
    answer: ({ socket, head }) => { socket.end(ok(head).replace('\r\n', '\r\nconnection: close\r\n')) }
  },
  {
    name: 'sending 1xx first',
    answer: ({ socket, head }) => { socket.write(`HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${ok(head)}`) }
  },
  {
    name: 'switching protocols unasked',
    answer: ({ socket }) => { socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n') }
  },
  { name: 'sending nothing but a head', answer: ({ socket }) => { socket.write('HTTP/1.1 304 Not Modified\r\netag: "a"\r\n\r\n') } },
  { name: 'failing', answer: ({ socket }) => { socket.write('HTTP/1.1 500 Oops\r\ncontent-length: 4\r\n\r\noops') } },
  { name: 'closing between requests', alone: true, answer: ({ socket, head }) => { socket.end(ok(head)) } },
  { name: 'refusing', listens: false, cuts: true, answer: () => {} }
]

/** As much as the request asks for in `x-size`. */
function ok (head: string): string {
  const size = Number(/\nx-size: (\d+)/.exec(head)?.[1] ?? 10)
  return `HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nx-from: primary\r\ncontent-length: ${size}\r\n\r\n${'0123456789'.repeat(size / 10)}`
}

/** The client has the first piece of the body. */
function begun (cell: Cell): Promise<void> {
  return cell.when('the client has a piece', () => cell.received.includes(BEGIN) || cell.closed || cell.over)
}

/** Servers of all kinds, as URLs in their order. They note in each cell what they are asked. */
export async function startPrimaries (t: Test, cells: Cells) {
  const servers = await Promise.all(primaries.map(kind => startTcp(t, socket => {
    socket.on('end', () => socket.destroy())
    let asked: Asked | null = null
    let index = 0
    const reader = new RequestReader({
      onHead (head) {
        const cell = cells.of(head) as Cell
        asked = { socket, cell, head }
        index = cell.asked.push(head.replace(/\nx-cell: \d+/, '\nx-cell: 0') + '\r\n\r\n') - 1
        if (kind.early) kind.answer(asked)
        cell.touch()
      },
      onBody (piece) {
        const { cell } = asked as Asked
        cell.asked[index] += piece
        cell.got += piece.length
        cell.touch()
      },
      onEnd () {
        const { cell } = asked as Asked
        cell.complete++
        if (!kind.early) kind.answer(asked as Asked)
        cell.touch()
      }
    })
    socket.on('data', data => reader.feed(data.toString('latin1')))
  })))
  for (const [i, { listens }] of primaries.entries()) {
    if (listens !== false) continue
    await servers[i].close()
    Object.assign(servers[i], REFUSED)
  }
  return servers
}
