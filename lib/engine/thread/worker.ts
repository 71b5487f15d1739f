import { parentPort, workerData } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { keepTicksQuick } from '../quick-ticks'
import { Host } from './worker-host'
import type { ThreadData } from './protocol'

keepTicksQuick()

/** The thread's entry. The host lives as long as the port that it listens to. */
export const host = new Host(parentPort as MessagePort, workerData as ThreadData)
