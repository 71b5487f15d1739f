import { EventEmitter } from 'node:events'
import { MessageChannel } from 'node:worker_threads'
import { Host } from '../../lib/engine/thread/worker-host'
import type { ThreadData } from '../../lib/engine/thread/protocol'
import type { Thread } from '../../lib/engine/thread/main-start'

/** The other side of a thread on this one: a channel instead of a worker. */
export function inProcess (data: ThreadData): EventEmitter & Thread {
  const { port1, port2 } = new MessageChannel()
  const host = new Host(port1, data)
  // It lives as long as its port.
  const thread = Object.assign(new EventEmitter(), { host })
  port2.on('message', message => thread.emit('message', message))
  port2.on('close', () => thread.emit('exit', 0))
  return Object.assign(thread, {
    postMessage: port2.postMessage.bind(port2) as Thread['postMessage'],
    unref: () => {},
    performance: { eventLoopUtilization: () => ({ active: 0 }) },
    terminate: async () => { port2.close(); return 0 }
  }) as unknown as EventEmitter & Thread
}
