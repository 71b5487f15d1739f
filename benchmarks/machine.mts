import { execFileSync } from 'node:child_process'
import { cpus } from 'node:os'

/** Who may run where, as taskset takes it; `null`: not pinned. */
export interface Places {
  gateway: string
  /** All threads of the gateway but the main one. */
  thread: string
  /** Backends and load generator. */
  rest: string
}

/** The gateway's main thread has a processor for itself; its other threads have one, too, where there are enough. */
export function findPlaces (): Places | null {
  const count = cpus().length
  if (count < 2 || output('taskset', ['-c', '0,1', 'true']) === null) return null
  if (count === 2) return { gateway: '0', thread: '1', rest: '1' }
  return { gateway: '0', thread: '1', rest: count === 3 ? '2' : `2-${count - 1}` }
}

export function hasNginx (): boolean {
  return output('nginx', ['-v']) !== null
}

/** What the figures were taken on. */
export function describeMachine (places: Places | null): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor'
  const commit = output('git', ['rev-parse', '--short', 'HEAD'])?.trim() ?? 'no commit'
  const changed = output('git', ['status', '--porcelain', 'lib'])?.trim() ? ' with changes in lib' : ''
  const pinned = places === null
    ? 'nothing pinned'
    : `the gateway's main thread on processor ${places.gateway}, its other threads on ${places.thread}, backends and load generator on ${places.rest}`
  return `${model}, ${cpus().length} processors, ${process.platform} ${process.arch}, Node.js ${process.version}, ` +
    `${new Date().toISOString().slice(0, 10)}, commit ${commit}${changed}; ${pinned}.`
}

function output (command: string, args: string[]): string | null {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  } catch {
    return null
  }
}
