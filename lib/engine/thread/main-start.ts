import { extname, join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { WorkerOptions } from 'node:worker_threads'
import type { ThreadData } from './protocol'

/** Runs the other side: a worker, or in tests anything that speaks like one. */
export type Thread = Pick<Worker, 'postMessage' | 'on' | 'unref' | 'terminate' | 'performance'>

/**
 * Options of Node that change how a thread speaks to shadows, what it trusts and what it may. All others are the
 * process's, or run the user's code.
 */
const KEPT = new RegExp('^--(?:max-http-header-size|dns-result-order|' +
  '(?:no-|enable-)?network-family-autoselection(?:-attempt-timeout)?|' +
  'tls-m(?:in|ax)-v1\\.[0-3]|use-system-ca|preserve-symlinks|(?:experimental-)?permission|allow-[a-z-]+)(?==|$)')
/** An option of the whole process in Node 22, which refuses it in a thread. */
const SYSTEM_CA = '--use-system-ca'

/** The part of a process that concerns the start of a thread. */
export interface Parent {
  readonly execArgv: readonly string[]
  readonly env: Readonly<NodeJS.ProcessEnv>
  readonly versions: Readonly<Record<string, string | undefined>>
}

/** Starts the worker that is beside this file. */
export function startWorker (workerData: ThreadData): Thread {
  const file = join(__dirname, `worker${extname(__filename)}`)
  return new Worker(file, { workerData, name: 'fastify-mirror', ...workerOptions(file, process) })
}

/**
 * A preload of the user's (telemetry, metrics that open a port) is of the process, once: in the thread it would run
 * again, and may end it. Node runs preloads of `execArgv`, of NODE_OPTIONS and of its configuration file in every
 * worker that is not told otherwise. As TypeScript the worker needs the loader that this file came by.
 */
export function workerOptions (
  file: string, { execArgv, env, versions }: Parent, resolve: (name: string) => string = require.resolve
): Pick<WorkerOptions, 'execArgv' | 'env'> {
  if (extname(file) === '.ts') return {}
  const given = [...wordsOf(env.NODE_OPTIONS ?? ''), ...execArgv]
  const kept = given.flatMap((word, index) => {
    if (!KEPT.test(word) || (word === SYSTEM_CA && parseInt(versions.node as string) < 24)) return []
    const next = given[index + 1]
    // `--allow-fs-read /a` as two words.
    const isWhole = word.includes('=') || next === undefined || next.startsWith('-') || /v1\.\d$/.test(word)
    return isWhole ? [word] : [word, next]
  })
  // Yarn's Plug'n'Play is a preload, too, and finds what the thread requires.
  const finder = versions.pnp === undefined ? [] : ['--require', resolve('pnpapi')]
  return { execArgv: [...finder, ...kept], env: { ...env, NODE_OPTIONS: '' } }
}

/** Takes NODE_OPTIONS apart as Node does: by spaces, but not in double quotes, where a backslash escapes. */
function wordsOf (options: string): string[] {
  const words = options.match(/(?:[^\s"]|"(?:[^"\\]|\\.)*"?)+/g) ?? []
  return words.map(word => word.replace(/"((?:[^"\\]|\\.)*)"?/g, (_, quoted: string) => quoted.replace(/\\(.)/g, '$1')))
}
