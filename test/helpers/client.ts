import type { Test } from 'tap'
import { once } from 'node:events'
import http from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'
import net from 'node:net'
import type { Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { until } from './until'

export interface Sent {
  method?: string
  path?: string
  headers?: http.OutgoingHttpHeaders
  body?: Buffer | string
  /** Not `content-length`. */
  chunked?: boolean
}

export interface Answered {
  status: number
  headers: IncomingHttpHeaders
  body: Buffer
}

/** A client of Node's own, which sends any method with any body, over one keep-alive connection. */
export function client (t: Test, url: string): (sent: Sent) => Promise<Answered> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  return async ({ method, path, headers, body, chunked = false }) => {
    const request = http.request(url + (path ?? '/'), { agent, method, headers })
    if (body !== undefined) request.setHeader(...framing(body, chunked))
    request.end(body)
    const [response] = await once(request, 'response') as [http.IncomingMessage]
    return { status: response.statusCode as number, headers: response.headers, body: await buffer(response) }
  }
}

function framing (body: Buffer | string, chunked: boolean): [string, string] {
  return chunked ? ['transfer-encoding', 'chunked'] : ['content-length', String(Buffer.byteLength(body))]
}

export interface RawClient {
  socket: Socket
  /** All that was received, as latin1. */
  received: string
  /** Resolves with all that was received when it matches. */
  until (pattern: RegExp): Promise<string>
}

/** Sends bytes, given as latin1, and notes what comes. */
export async function rawClient (t: Test, port: number, bytes = ''): Promise<RawClient> {
  const socket = net.connect(port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  const client: RawClient = {
    socket,
    received: '',
    async until (pattern) {
      await until(`${pattern} is received`, () => pattern.test(client.received))
      return client.received
    }
  }
  socket.on('error', () => {})
  socket.on('data', chunk => { client.received += chunk.toString('latin1') })
  await once(socket, 'connect')
  socket.write(bytes, 'latin1')
  return client
}
