import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { BroadcastChannel, isMainThread } from 'node:worker_threads'

// Loaded before the gateway, and so, too, by each thread that it starts: heaps are told of without their garbage.

/** Bytes of a thread. */
export interface Heap { heapUsed: number, external: number }

const NAME = 'soak'
/** Milliseconds for a thread to answer. */
const PATIENCE = 60_000

setFlagsFromString('--expose-gc')
const gc: () => void = runInNewContext('gc')

function collectHere (): Heap {
  gc()
  const { heapUsed, external } = process.memoryUsage()
  return { heapUsed, external }
}

if (!isMainThread) {
  const channel = new BroadcastChannel(NAME)
  channel.onmessage = () => channel.postMessage(collectHere())
  channel.unref()
}

/** What is left of all heaps by full garbage collections. `thread`: there is one, besides this. */
export async function collect (thread: boolean): Promise<Heap> {
  const other = thread ? await collectThere() : { heapUsed: 0, external: 0 }
  const own = collectHere()
  return { heapUsed: own.heapUsed + other.heapUsed, external: own.external + other.external }
}

function collectThere (): Promise<Heap> {
  const channel = new BroadcastChannel(NAME)
  return new Promise<Heap>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('no thread tells of its heap')), PATIENCE)
    channel.onmessage = message => {
      clearTimeout(timer)
      resolve((message as { data: Heap }).data)
    }
    channel.postMessage('collect')
  }).finally(() => channel.close())
}
