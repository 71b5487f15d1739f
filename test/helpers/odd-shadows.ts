import type { Test } from 'tap'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import type { Socket } from 'node:net'
import tls from 'node:tls'
import type { BackendOptions } from '../../types/index'
import { track } from './backend'
import { OK, answering, pour, startShadow, tcp } from './shadows'
import type { Fate, OnSocket, ShadowKind } from './shadows'
import * as pair from './tls'

/** More of what a shadow may do, most of it wrong: what it takes a small request to find. */
export const oddShadows: readonly ShadowKind[] = [
  tcp('dripping its head', 'success', answering(socket => { trickle(socket, OK) })),
  tcp('dripping its body', 'success', answering(socket => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n')
    trickle(socket, '0123456789')
  })),
  tcp('sending 1xx first', 'success', answering(socket => {
    socket.write(`HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${OK}`)
  })),
  tcp('sending a header of 100 MB', 'reset', answering(socket => {
    socket.write('HTTP/1.1 200 OK\r\nx-long: ')
    pour(socket, Buffer.alloc(64 * 1024, 'y'), 1600)
  })),
  tcp('promising more than it sends', 'body', answering(socket => {
    socket.end('HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nthe begin')
  })),
  tcp('promising less than it sends', 'success', answering(socket => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok, and more')
  })),
  tcp('of two minds on its length', 'reset', answering(socket => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok')
  })),
  tcp('telling its length twice over', 'reset', answering(socket => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n')
  })),
  tcp('of a length that is no number', 'reset', answering(socket => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\nok')
  })),
  tcp('sending a chunk longer than numbers go', 'body', answering(socket => {
    socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\nok')
  })),
  tcp('sending a NUL in its head', 'reset', answering(socket => {
    socket.write('HTTP/1.1 200 OK\r\nx-a: \0\r\ncontent-length: 2\r\n\r\nok')
  })),
  tcp('speaking HTTP/2', 'reset', answering(socket => { socket.write('\0\0\0\x04\0\0\0\0\0') })),
  // RFC 9110, section 8.6: a 204 has no length. It is an answer all the same, and what follows belongs to none.
  tcp('answering a 204 with a body', ['success', 'body'], answering(socket => {
    socket.write('HTTP/1.1 204 No Content\r\ncontent-length: 2\r\n\r\nok')
  })),
  tcp('answering twice', 'success', answering(socket => { socket.write(OK + OK) })),
  tcp('sending a coding that is none', 'success', answering(socket => {
    socket.write(OK.replace('\r\n', '\r\ncontent-encoding: gzip\r\n'))
  })),
  tcp('answering early, and reading no more', ['success', 'timeout'], socket => {
    socket.once('data', () => {
      socket.pause()
      socket.write(OK)
    })
  }),
  // Whoever meets a connection that is about to be closed is not answered, and is not sent again.
  tcp('closing after each answer', ['success', 'reset', 'staleConnection'], answering(socket => { socket.end(OK) })),
  // The reset may come before the next copy is written: then there was no connection for it.
  tcp('resetting after each answer', ['success', 'reset', 'staleConnection', 'connect'], answering(socket => {
    socket.write(OK, () => socket.resetAndDestroy())
  })),
  tcp('mute after its first answer', ['success', 'timeout'], socket => {
    socket.resume()
    let answered = false
    answering(socket => {
      if (!answered) socket.write(OK)
      answered = true
    })(socket)
  }),
  secure('speaking TLS', 'success', { ca: pair.cert }),
  secure('speaking TLS behind a certificate that nobody signed', 'connect', {}),
  secure('speaking TLS behind a certificate for somebody else', 'connect', { ca: pair.cert, servername: 'other.test' }),
  {
    name: 'of a name that is none',
    fates: ['connect'],
    uploadFates: ['connect', 'slow'],
    start: async t => Object.assign(await startShadow(t, () => {}), { backend: { url: 'http://no-such-host.invalid' } })
  },
  {
    name: 'hung before it accepts',
    // Where the system takes more connections than it was told, they are made, and hang later.
    fates: ['connect', 'timeout'],
    uploadFates: ['connect', 'timeout', 'slow'],
    async start (t) {
      const shadow = await startShadow(t, () => {})
      const { close: closeShadow } = shadow
      const { url, close } = await startUnaccepting(t)
      return Object.assign(shadow, {
        backend: { url },
        async close () {
          await closeShadow()
          await close()
        }
      })
    }
  }
]

/** Writes a text byte by byte. */
function trickle (socket: Socket, text: string): void {
  let at = 0
  const timer = setInterval(() => {
    socket.write(text[at++])
    if (at === text.length) clearInterval(timer)
  }, 2)
  socket.on('close', () => clearInterval(timer))
}

function secure (name: string, fate: Fate, connect: BackendOptions['connect']): ShadowKind {
  const onSocket: OnSocket = answering(socket => { socket.write(OK) })
  return {
    name,
    fates: [fate],
    uploadFates: [fate, 'slow'],
    async start (t) {
      const server = await track(t, tls.createServer(pair, socket => {
        socket.on('error', () => {})
        socket.on('end', () => socket.destroy())
        onSocket(socket)
      }))
      return Object.assign(server, { backend: { url: server.url.replace('http:', 'https:'), connect }, readOn () {} })
    }
  }
}

/** A server in a process that never comes to accept a connection, and whose queue for them is full. */
async function startUnaccepting (t: Test) {
  const child = spawn(process.execPath, ['-e', `
    const server = require('node:net').createServer()
    server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
      require('node:fs').writeSync(1, String(server.address().port))
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
    })
  `], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, NODE_OPTIONS: '' } })
  t.teardown(close)
  const exited = once(child, 'exit')
  const [data] = await once(child.stdout, 'data')
  const port = Number(String(data))
  const fillers = Array.from({ length: 4 }, () => net.connect(port, '127.0.0.1').on('error', () => {}))
  return { url: `http://127.0.0.1:${port}`, close }

  async function close () {
    for (const socket of fillers) socket.destroy()
    child.kill('SIGKILL')
    await exited
  }
}
