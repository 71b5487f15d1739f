import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { answer } from './answers'

export interface Primary {
  url: string
  /** Requests that bore what only copies may. */
  marked: number
  /** Ends all connections. */
  hangUp (): void
  close (): void
}

/** It makes no mistakes: whatever goes wrong behind it is the gateway's fault. */
export async function startPrimary (): Promise<Primary> {
  const server = http.createServer({ keepAliveTimeout: 600_000, requestTimeout: 0 }, (request, response) => {
    if (request.headers['x-mirrored-from'] !== undefined && request.headers['x-looped'] === undefined) primary.marked++
    answer(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const primary = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    marked: 0,
    hangUp: () => server.closeAllConnections(),
    close: () => {
      server.close()
      server.closeAllConnections()
    }
  }
  return primary
}
