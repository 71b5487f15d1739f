import type { Socket } from 'node:net'
import { timed } from '../../loop-time'
import type { LoopTime } from '../../loop-time'

/** By what the client library is called, and by what it writes, at times of its own choosing. */
const METHODS = ['emit', 'write', 'uncork'] as const

/** Times what is done on a connection for mirrors. Does nothing where nobody wants to know. */
export function timeSocket (socket: Socket, loopTime: LoopTime): void {
  if (!loopTime.on) return
  for (const method of METHODS) {
    const value = timed(loopTime, socket[method] as () => unknown)
    Object.defineProperty(socket, method, { value, configurable: true, writable: true })
  }
}
