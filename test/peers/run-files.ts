import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { each, runNode } from '../helpers/process-group'

/** The name of a failure that is none of a test's. */
export const FILE = '(the file)'

export interface Result { file: string, name: string, outcome: 'passed' | 'failed' | 'skipped', error?: string }

/** Milliseconds for a whole test file. */
const PATIENCE = 120_000
/** Much of a test's time is waiting. */
const AT_ONCE = 2 * availableParallelism()
const REPORTER = join(__dirname, 'reporter.mjs')

/** Runs test files of node:test, each in a process of its own. `preload`: a module that is loaded before them. */
export async function runFiles (
  cwd: string, files: readonly string[], preload: string | null, env: Record<string, string>, atOnce = AT_ONCE
): Promise<Result[]> {
  return (await each(files, atOnce, file => runFile(cwd, file, preload, env))).flat()
}

async function runFile (cwd: string, file: string, preload: string | null, env: Record<string, string>): Promise<Result[]> {
  // As `node --test` runs it, which keeps apps open that a file run alone would close before its last tests.
  const args = [...preload === null ? [] : ['--require', preload], '--test', '--test-reporter', REPORTER, '--test-reporter-destination', 'stdout', file]
  const { stdout, stderr, code, late } = await runNode(args, { cwd, env, patience: PATIENCE })
  const results = read(cwd, file, stdout)
  if (late) {
    results.push({ file, name: FILE, outcome: 'failed', error: `it took longer than ${PATIENCE} ms` })
  } else if (code !== 0 && !results.some(({ outcome }) => outcome === 'failed')) {
    results.push({ file, name: FILE, outcome: 'failed', error: `it ended with ${code}\n${stderr}` })
  }
  return results
}

/** Tests may write to stdout, too. */
function read (cwd: string, file: string, stdout: string): Result[] {
  const results: Result[] = []
  for (const line of stdout.split('\n')) {
    const start = line.indexOf('{"name":')
    if (start === -1) continue
    try {
      const { name, outcome, error } = JSON.parse(line.slice(start))
      // What no test is to blame for has the file's own name, wherever it lies.
      if (outcome !== undefined) results.push({ file, name: name === join(cwd, file) ? FILE : name, outcome, error })
    } catch {
      // Not ours.
    }
  }
  return results
}
