import type { Test } from 'tap'
import { once } from 'node:events'
import http from 'node:http'
import type { IncomingHttpHeaders, IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import net from 'node:net'
import type { AddressInfo, Socket } from 'node:net'

/** A request as a backend got it. */
export interface Received {
  method: string
  url: string
  headers: IncomingHttpHeaders
  rawHeaders: string[]
  /** The whole body; `null` while it has not ended, or when it was cut. */
  body: Buffer | null
  /** The body was cut. */
  cut: boolean
}

export interface TestBackend {
  url: string
  host: string
  port: number
  /** In the order of their heads. */
  requests: Received[]
  /** Open connections. */
  sockets: Set<Socket>
  /** Connections ever made. */
  connections: number
  close (): Promise<void>
}

export type Answer = (request: IncomingMessage, response: ServerResponse, received: Received) => void

/** A real HTTP server on a free port that notes what it gets; answers `ok` unless told otherwise, once the body is there. */
export async function startBackend (t: Test, answer: Answer = (_, response) => response.end('ok')): Promise<TestBackend> {
  const requests: Received[] = []
  const listener: RequestListener = (request, response) => {
    const received: Received = {
      method: request.method as string,
      url: request.url as string,
      headers: request.headers,
      rawHeaders: request.rawHeaders,
      body: null,
      cut: false
    }
    requests.push(received)
    const chunks: Buffer[] = []
    request.on('data', chunk => chunks.push(chunk))
    request.on('error', () => { received.cut = true })
    request.on('end', () => {
      received.body = Buffer.concat(chunks)
      answer(request, response, received)
    })
  }
  return Object.assign(await track(t, http.createServer(listener)), { requests })
}

/** A TCP server that does what it likes with its connections. */
export async function startTcp (t: Test, onSocket: (socket: Socket) => void): Promise<Omit<TestBackend, 'requests'>> {
  return track(t, net.createServer({ allowHalfOpen: true }, socket => {
    // A listener for every request that it brings, and it may bring many.
    socket.setMaxListeners(0)
    onSocket(socket)
  }))
}

export async function track (t: Test, server: net.Server | http.Server, port = 0) {
  const sockets = new Set<Socket>()
  const tracked = { url: '', host: '', port: 0, sockets, connections: 0, close }
  server.on('connection', (socket: Socket) => {
    tracked.connections++
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  tracked.port = (server.address() as AddressInfo).port
  tracked.host = `127.0.0.1:${tracked.port}`
  tracked.url = `http://${tracked.host}`
  t.teardown(close)
  return tracked

  async function close () {
    for (const socket of sockets) socket.destroy()
    // A TLS connection does not end with its socket.
    if ('closeAllConnections' in server) server.closeAllConnections()
    if (server.listening) await new Promise(resolve => server.close(resolve))
  }
}

/** Where nothing listens, and nothing will: the system gives no port below 1024 to a server that asks for any. */
export const REFUSED = { url: 'http://127.0.0.1:1', host: '127.0.0.1:1', port: 1 }
