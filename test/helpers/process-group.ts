import { spawn } from 'node:child_process'

/** A process that has ended, and what it wrote. */
export interface Ended {
  stdout: string
  stderr: string
  /** Its exit code, or the signal that ended it. */
  code: number | NodeJS.Signals | null
  /** It was ended, because it took too long. */
  late: boolean
}

export interface Setting {
  cwd: string
  /** Beside this process's own, without its NODE_OPTIONS: tap puts a loader there. */
  env: Record<string, string>
  /** Milliseconds until it is ended, with all that it has started. */
  patience: number
}

/** Runs Node in a process group of its own, which is ended as a whole. */
export function runNode (args: readonly string[], { cwd, env, patience }: Setting): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const all = { ...process.env, NODE_OPTIONS: '', ...env }
    const child = spawn(process.execPath, args, { cwd, detached: true, env: all })
    const ended: Ended = { stdout: '', stderr: '', code: null, late: false }
    child.stdout.setEncoding('utf8').on('data', chunk => { ended.stdout += chunk })
    child.stderr.setEncoding('utf8').on('data', chunk => { ended.stderr += chunk })
    const timer = setTimeout(() => {
      ended.late = true
      endGroup(child.pid as number)
    }, patience)
    child.once('error', reject)
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      resolve({ ...ended, code: code ?? signal })
    })
  })
}

function endGroup (pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}

/** Does something with each, `atOnce` of them at a time; the results come in the order in which they are ready. */
export async function each<T, R> (all: readonly T[], atOnce: number, work: (one: T) => Promise<R>): Promise<R[]> {
  const waiting = [...all]
  const results: R[] = []
  await Promise.all(Array.from({ length: atOnce }, async () => {
    for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) results.push(await work(one))
  }))
  return results
}
