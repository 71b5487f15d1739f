import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'

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
  /** The processors that it may use, as taskset takes them; `null`: all. */
  cpus: string | null
  nodeOptions?: string[]
}

/** In the parent: a child process of its own for a file, and calls to it. */
export class Child<T extends { [K in keyof T]: (argument: never) => unknown }> {
  readonly #process: ChildProcess
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void, reject: (error: Error) => void }>()
  #nextId = 0

  constructor (file: string, { cpus, nodeOptions = [] }: ChildOptions) {
    const command = [...(cpus === null ? [] : ['taskset', '-c', cpus]), process.execPath, ...nodeOptions, file]
    this.#process = spawn(command[0], command.slice(1), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.#process.on('message', ({ id, value, error }: Answer) => {
      const call = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (error === undefined) call?.resolve(value)
      else call?.reject(new Error(error))
    })
    this.#process.on('exit', (code, signal) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`${file} ended (${signal ?? code})`))
      this.#waiting.clear()
    })
  }

  call<K extends keyof T & string> (name: K, ...[argument]: Parameters<T[K]>): Promise<Awaited<ReturnType<T[K]>>> {
    return new Promise((resolve, reject) => {
      const id = this.#nextId++
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject })
      this.#process.send({ id, name, argument } satisfies Call)
    })
  }

  kill (): Promise<void> {
    return new Promise(resolve => {
      if (this.#process.exitCode !== null || this.#process.signalCode !== null) return resolve()
      this.#process.once('exit', () => resolve())
      this.#process.kill('SIGKILL')
    })
  }

  /** Lets it end by itself. */
  disconnect (): Promise<void> {
    return new Promise(resolve => {
      this.#process.once('exit', () => resolve())
      this.#process.disconnect()
    })
  }
}
