import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { answer } from './answers'
import type { Random } from './random'

type Fault = (request: IncomingMessage, response: ServerResponse, random: Random) => void

const CHUNK = Buffer.alloc(64 * 1024, 'x')

/** What a shadow may do instead of answering as the primary does. Each is given its weight. */
const faults: Record<string, [weight: number, fault: Fault]> = {
  'another body': [30, (request, response) => { answer(request, response, 1) }],
  'other headers': [15, (request, response, random) => {
    response.setHeader('x-version', String(random.whole(1, 3)))
    response.setHeader('set-cookie', ['session=secret', `visit=${random.whole(1, 1000)}`])
    answer(request, response)
  }],
  'early hints': [5, (request, response) => {
    response.writeEarlyHints({ link: '</style.css>; rel=preload' })
    answer(request, response)
  }],
  'another coding': [5, (request, response) => {
    response.setHeader('content-encoding', 'br')
    answer(request, response)
  }],
  slow: [15, (request, response, random) => {
    const timer = setTimeout(() => answer(request, response), random.size(20, 3000))
    response.on('close', () => clearTimeout(timer))
  }],
  hung: [3, request => { request.resume() }],
  'never reading': [3, () => {}],
  'an answer before the upload is done': [5, (_, response) => { response.end('early') }],
  'reset at the head': [5, request => reset(request.socket)],
  'reset in the head': [5, raw(socket => { socket.write('HTTP/1.1 200 OK\r\nx-a: ', () => reset(socket)) })],
  'hung in the head': [2, raw(socket => { socket.write('HTTP/1.1 200 OK\r\nx-a: ') })],
  'reset in the body': [5, raw(socket => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nthe begin', () => setTimeout(reset, 5, socket))
  })],
  'closed in the body': [5, raw(socket => { socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n') })],
  'a length too long': [5, raw(socket => { socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort') })],
  'a length too short': [5, raw(socket => { socket.write('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nlonger than that') })],
  'until it closes': [5, raw(socket => { socket.end('HTTP/1.1 200 OK\r\n\r\nthe whole answer') })],
  garbage: [5, raw(socket => { socket.write('\0\x01 no HTTP at all \xff\r\n\r\n') })],
  'garbage in the body': [5, raw(socket => {
    socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\nno length\r\n')
  })],
  'a coding that is none': [3, raw(socket => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: 8\r\n\r\nno gzip!')
  })],
  'endless headers': [1, raw(socket => pour(socket, Buffer.from(`x-filler: ${'y'.repeat(1000)}\r\n`.repeat(16)), 'HTTP/1.1 200 OK\r\n'))],
  'an endless body': [1, raw(socket => pour(socket, CHUNK, 'HTTP/1.1 200 OK\r\n\r\n'))],
  'a body in drips': [3, raw(socket => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n')
    const timer = setInterval(() => socket.write('.'), 20)
    socket.on('close', () => clearInterval(timer))
  })],
  'a switch of protocols': [1, raw(socket => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n')
  })]
}

const weights = Object.fromEntries(Object.entries(faults).map(([name, [weight]]) => [name, weight]))

/** Bytes of one's own, once the head of the request is there. */
function raw (write: (socket: Socket) => void): Fault {
  return request => {
    request.resume()
    write(request.socket)
  }
}

/** What is below TLS can not be reset from above. */
function reset (socket: Socket): void {
  if (socket instanceof TLSSocket) socket.destroy()
  else socket.resetAndDestroy()
}

function pour (socket: Socket, chunk: Buffer, head: string): void {
  const more = () => { while (!socket.destroyed && socket.write(chunk)); }
  socket.write(head)
  socket.on('drain', more)
  more()
}

/** Does something wrong, and returns what. */
export function misbehave (request: IncomingMessage, response: ServerResponse, random: Random): string {
  const name = random.weighted(weights)
  faults[name][1](request, response, random)
  return name
}

/** The same for a connection, before anything was read. */
export function refuse (socket: Socket, random: Random): void {
  const kind = random.weighted({ reset: 3, close: 3, 'never reads': 2, garbage: 1 })
  if (kind === 'reset') socket.resetAndDestroy()
  else if (kind === 'close') socket.end()
  else if (kind === 'garbage') socket.end('no HTTP and no TLS\r\n\r\n')
  else setTimeout(() => socket.destroy(), 10_000).unref()
}
