import type { Test } from 'tap'
import { until } from './until'

const FAULTS = ['uncaughtExceptionMonitor', 'unhandledRejection', 'warning']
/** Node 26 on module.register(), by which tap's loader is put into workers. */
const OF_LOADER = 'DEP0205'

/** Whatever reaches the process while the test runs: uncaught exceptions, unhandled rejections and warnings. */
export function watchProcess (t: Test): unknown[] {
  const heard: unknown[] = []
  const hear = (fault: unknown) => { if ((fault as NodeJS.ErrnoException | undefined)?.code !== OF_LOADER) heard.push(fault) }
  for (const name of FAULTS) process.on(name, hear)
  t.teardown(() => { for (const name of FAULTS) process.off(name, hear) })
  return heard
}

/** What keeps the process alive: sockets, servers, timers, workers. By kind. */
export function activeResources (): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const kind of process.getActiveResourcesInfo()) counts[kind] = (counts[kind] ?? 0) + 1
  return counts
}

/** Resolves when no more is active than at `base`. */
export async function nothingLeft (base: Record<string, number>): Promise<void> {
  const excess = () => Object.entries(activeResources()).filter(([kind, count]) => count > (base[kind] ?? 0))
  try {
    await until('nothing is left', () => excess().length === 0)
  } catch {
    throw new Error(`left behind: ${excess().map(([kind, count]) => `${count} ${kind}, before ${base[kind] ?? 0}`).join('; ')}`)
  }
}

/**
 * For a process that runs an example: without tap's loader, and not measured, as its loader compiles lib to another text, whose coverage
 * would be mixed up with that of the tests.
 */
export function exampleEnvironment (): NodeJS.ProcessEnv {
  return { ...process.env, NODE_OPTIONS: '', _TAPJS_PROCESSINFO_COVERAGE_: '0' }
}
