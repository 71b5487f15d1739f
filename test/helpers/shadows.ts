import type { Test } from 'tap'
import type { Socket } from 'node:net'
import type { BackendOptions, FailureReason } from '../../types/index'
import { REFUSED, startTcp } from './backend'
import type { TestBackend } from './backend'

export type Fate = 'success' | FailureReason

/** A backend that a mirror must be able to live with. */
export interface ShadowKind {
  name: string
  /** What may become of the copy of a small request that is given less than 2 s. */
  fates: readonly Fate[]
  /** What may become of the copy of an upload of many MiB. */
  uploadFates: readonly Fate[]
  start (t: Test): Promise<Shadow>
}

export interface Shadow extends Omit<TestBackend, 'requests'> {
  backend: BackendOptions
  /** Reads on where it had stopped, so that it sees which of its connections were closed. */
  readOn (): void
}

export type OnSocket = (socket: Socket) => void

export const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'
const CHUNK = Buffer.alloc(64 * 1024, 'x')

/** Every kind of shadow but the absent one, for which no mirror is given at all. */
export const shadows: readonly ShadowKind[] = [
  tcp('fast', 'success', answering(socket => socket.write(OK))),
  // A deadline stands still while this process is too busy to read: then the answer may come first.
  tcp('2 s slow', ['timeout', 'success'], answering(socket => {
    const timer = setTimeout(() => socket.write(OK), 2000)
    socket.on('close', () => clearTimeout(timer))
  })),
  {
    name: 'refusing',
    fates: ['connect'],
    uploadFates: ['connect', 'slow', 'memory'],
    async start (t) {
      const shadow = await startShadow(t, () => {})
      await shadow.close()
      return Object.assign(shadow, { ...REFUSED, backend: { url: REFUSED.url } })
    }
  },
  tcp('hung', 'timeout', socket => socket.resume()),
  tcp('hung in the middle of its head', 'timeout', answering(socket => socket.write('HTTP/1.1 200 OK\r\nx-a: '))),
  tcp('resetting at once', ['connect', 'reset'], socket => socket.resetAndDestroy()),
  tcp('resetting at its head', 'reset', answering(socket => socket.resetAndDestroy())),
  tcp('closing at its head', 'reset', answering(socket => socket.end())),
  // A reset takes what has not been read with it.
  tcp('resetting in the middle of its body', ['body', 'reset'], answering(socket => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nthe begin', () => setTimeout(() => socket.resetAndDestroy(), 5))
  })),
  tcp('closing in the middle of its body', 'body', answering(socket => {
    socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n')
  })),
  tcp('sending garbage', 'reset', answering(socket => socket.write('\0\x01 no HTTP at all \xff\r\n\r\n'))),
  tcp('sending garbage in its body', 'body', answering(socket => {
    socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\nno length\r\n')
  })),
  tcp('sending garbage after its answer', 'success', answering(socket => socket.write(OK + '\0\x01 more \r\n'))),
  tcp('sending endless headers', 'reset', answering(socket => {
    socket.write('HTTP/1.1 200 OK\r\n')
    pour(socket, Buffer.from(`x-filler: ${'y'.repeat(1000)}\r\n`.repeat(16)))
  })),
  tcp('sending early hints for ever', 'timeout', answering(socket => {
    drip(socket, 'HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n')
  })),
  tcp('sending 100 Continue unasked', 'success', answering(socket => socket.write('HTTP/1.1 100 Continue\r\n\r\n' + OK))),
  tcp('switching protocols unasked', 'reset', answering(socket => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n')
  })),
  tcp('sending an endless body at full speed', 'timeout', answering(socket => {
    socket.write('HTTP/1.1 200 OK\r\n\r\n')
    pour(socket, CHUNK)
  })),
  tcp('dripping its body', 'timeout', answering(socket => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n')
    drip(socket, '.')
  })),
  { ...tcp('never reading the request', 'timeout', socket => socket.pause()), uploadFates: ['slow'] },
  tcp('answering before the upload is done', 'success', socket => {
    socket.resume()
    socket.once('data', () => socket.write(OK.replace('\r\n', '\r\nconnection: close\r\n')))
  }),
  tcp('stalled in its TLS handshake', 'connect', socket => socket.resume(), 'https:'),
  tcp('speaking no TLS on its https port', 'connect', socket => { socket.end('HTTP/1.1 400 Bad Request\r\n\r\n') }, 'https:')
]

/** The shadow of that name. */
export function shadowOf (name: string): ShadowKind {
  const kind = shadows.find(shadow => shadow.name === name)
  if (kind === undefined) throw new Error(`no shadow is ${name}`)
  return kind
}

/** One that does so with each of its connections, and answers for small requests and large ones alike. */
export function tcp (name: string, fates: Fate | readonly Fate[], onSocket: OnSocket, protocol = 'http:'): ShadowKind {
  fates = typeof fates === 'string' ? [fates] : fates
  // At full speed a body may run away from any copy that shares its machine with this test.
  return { name, fates, uploadFates: [...fates, 'slow', 'memory', 'thread'], start: t => startShadow(t, onSocket, protocol) }
}

export async function startShadow (t: Test, onSocket: OnSocket, protocol = 'http:'): Promise<Shadow> {
  const server = await startTcp(t, socket => {
    // Only a socket that is being read notices its end.
    socket.on('end', () => socket.destroy())
    onSocket(socket)
  })
  return Object.assign(server, {
    backend: { url: server.url.replace('http:', protocol) },
    readOn () {
      for (const socket of server.sockets) socket.removeAllListeners('data').resume()
    }
  })
}

/** Calls `answer` for each complete request on a connection, as far as the frames that undici makes can be told apart. */
export function answering (answer: OnSocket): OnSocket {
  return socket => {
    let head = ''
    let missing = 0
    let tail = ''
    socket.on('data', data => {
      let piece = data.toString('latin1')
      while (piece !== '') {
        if (missing === 0) {
          head += piece
          const end = head.indexOf('\r\n\r\n')
          if (end === -1) return
          piece = head.slice(end + 4)
          missing = /transfer-encoding: chunked/i.test(head.slice(0, end)) ? Infinity : Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)
          head = ''
          tail = '\r\n'
          if (missing === 0) answer(socket)
        } else if (missing === Infinity) {
          tail = (tail + piece).slice(-7)
          piece = ''
          if (!tail.endsWith('\r\n0\r\n\r\n')) return
          missing = 0
          answer(socket)
        } else {
          const taken = Math.min(missing, piece.length)
          missing -= taken
          piece = piece.slice(taken)
          if (missing === 0) answer(socket)
        }
      }
    })
  }
}

/** Writes as fast as the other side takes it, for ever or so many times. */
export function pour (socket: Socket, chunk: Buffer, times = Infinity): void {
  const more = () => { while (times-- > 0 && !socket.destroyed && socket.write(chunk)); }
  socket.on('drain', more)
  more()
}

/** Writes for ever, a little at a time. */
export function drip (socket: Socket, text: string): void {
  const timer = setInterval(() => socket.write(text), 10)
  socket.on('close', () => clearInterval(timer))
}
