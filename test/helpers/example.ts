import type { Test } from 'tap'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { exampleEnvironment } from './process'

/** An example under way, as a process of its own. */
export interface Example {
  /** What it has printed. */
  stdout: string
  stderr: string
  /** Its exit code, when it has ended and all that it printed is here. */
  ended: Promise<unknown[]>
  /** To the started command alone. */
  kill (): void
  /** To the command and all below it, as a terminal does. */
  signal (name: NodeJS.Signals): void
}

/** Starts a command in the project's folder, as a user does; what it prints is piped. */
export function startExample (t: Test, command: string, args: string[]): Example {
  const child = spawn(command, args, {
    cwd: join(__dirname, '../..'), env: exampleEnvironment(), detached: true, stdio: ['ignore', 'pipe', 'pipe']
  })
  const example: Example = {
    stdout: '',
    stderr: '',
    ended: once(child, 'close'),
    kill: () => child.kill('SIGTERM'),
    signal: name => process.kill(-(child.pid as number), name)
  }
  child.stdout.setEncoding('utf8').on('data', text => { example.stdout += text })
  child.stderr.setEncoding('utf8').on('data', text => { example.stderr += text })
  t.teardown(() => {
    try {
      example.signal('SIGKILL')
    } catch {
      // It has ended already.
    }
  })
  return example
}
