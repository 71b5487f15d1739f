import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import type { AddressInfo } from 'node:net'
import type { FastifyMirrorOptions } from '../../types/index'

/** A way of running a suite: without the plugin, or with a mirror on every route. */
export interface Way {
  name: string
  /** `null`: without the plugin. */
  plugin: FastifyMirrorOptions | null
}

export const BARE = 'none'
const SHADOWS = ['fast', 'hung', 'refusing'] as const
const THREADS = { inline: false, thread: true }
export const WAYS = [BARE, ...Object.keys(THREADS).flatMap(thread => SHADOWS.map(shadow => `${thread}-${shadow}`))]
export const QUICK_WAYS = [BARE, 'inline-fast', 'thread-hung']

/** Starts the shadows, which do not keep the process alive. */
export async function makeWays (): Promise<Way[]> {
  const fast = http.createServer((request, response) => {
    request.resume()
    response.setHeader('content-type', 'application/json')
    response.end('{"shadow":true}')
  })
  const hung = net.createServer(socket => { socket.on('error', () => {}) })
  const urls = {
    fast: await listen(fast),
    hung: await listen(hung),
    // Nobody listens there without being root.
    refusing: 'http://127.0.0.1:1'
  }
  const ways: Way[] = [{ name: BARE, plugin: null }]
  for (const [name, thread] of Object.entries(THREADS)) {
    for (const shadow of SHADOWS) {
      const compare = { enabled: true, detailedDiff: true }
      const defaults = { backends: [urls[shadow]], timeout: 1000, compare }
      ways.push({ name: `${name}-${shadow}`, plugin: { admin: false, thread, closeTimeout: 50, defaults } })
    }
  }
  return ways
}

async function listen (server: net.Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  server.unref()
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
