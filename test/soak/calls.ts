import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { exampleEnvironment } from '../helpers/process'

/** What a child process offers: functions of plain data. */
export type Calls = Record<string, (argument: never) => unknown>

interface Call { id: number, name: string, argument: unknown }
interface Answer { id: number, value?: unknown, error?: string }

/** In a child process: answers its parent's calls. It ends with its parent. */
export function answerCalls (calls: Calls): void {
  process.on('disconnect', () => process.exit())
  process.on('message', async ({ id, name, argument }: Call) => {
    const answer: Answer = { id }
    try {
      answer.value = await calls[name](argument as never)
    } catch (error) {
      answer.error = String((error as Error).stack)
    }
    process.send?.(answer)
  })
}

export interface ChildOptions {
  nodeOptions?: string[]
  env?: NodeJS.ProcessEnv
}

/** In the parent: a process of its own for a TypeScript file, and calls to it. */
export class Child<T extends { [K in keyof T]: (argument: never) => unknown }> {
  /** What it wrote there. */
  stderr = ''
  /** Resolves with its exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>
  readonly #process: ChildProcess
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void, reject: (error: Error) => void }>()
  #gone: Error | null = null
  #nextId = 0

  constructor (file: string, { nodeOptions = [], env = {} }: ChildOptions = {}) {
    // By tsx's newer way threads would not be able to load TypeScript.
    this.#process = spawn(process.execPath, ['--require', 'tsx/cjs', ...nodeOptions, file], {
      env: { ...exampleEnvironment(), ...env },
      stdio: ['ignore', 'inherit', 'pipe', 'ipc']
    })
    this.#process.stderr?.setEncoding('utf8').on('data', text => { this.stderr += text })
    this.#process.on('message', ({ id, value, error }: Answer) => {
      const call = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (error === undefined) call?.resolve(value)
      else call?.reject(new Error(error))
    })
    this.ended = once(this.#process, 'close').then(([code, signal]) => {
      this.#gone = new Error(`${file} ended (${signal ?? code})\n${this.stderr}`)
      for (const { reject } of this.#waiting.values()) reject(this.#gone)
      this.#waiting.clear()
      return signal ?? code
    })
  }

  call<K extends keyof T & string> (name: K, ...[argument]: Parameters<T[K]>): Promise<Awaited<ReturnType<T[K]>>> {
    return new Promise((resolve, reject) => {
      if (this.#gone !== null) return reject(this.#gone)
      const id = this.#nextId++
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject })
      this.#process.send({ id, name, argument } satisfies Call, error => { if (error !== null) reject(error) })
    })
  }

  async kill (): Promise<void> {
    this.#process.kill('SIGKILL')
    await this.ended
  }
}
