import { door } from '../guard'
import { executionAsyncResource } from 'node:async_hooks'

let kept: object | null = null

/**
 * Keeps `process.nextTick` as quick as it is in a new process. A proxied request takes twenty of them, its copy two.
 *
 * V8 compiles it for the one kind of object that it makes, and forgets that kind when garbage is collected in a moment
 * in which there is none of them. From then on it makes each in its slowest way, for as long as the thread lives: on
 * Node 20 to 26 a call takes 200 to 300 ns instead of 40. One of them that is held on to prevents that.
 */
export function keepTicksQuick (): void {
  if (kept === null) process.nextTick(door(() => { kept = executionAsyncResource() }))
}
