import { mkdtempSync, readFileSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { contender } from './contenders.mjs'
import { steady } from './scenarios.mjs'
import type { Shadow, Site } from './site.mjs'

interface CpuProfile {
  nodes: Array<{
    id: number, children?: number[], callFrame: { functionName: string, url: string, lineNumber: number }
  }>
  /** Microseconds, as all times here. */
  endTime: number
  startTime: number
  /** The node at each sample, and the time since the one before. */
  samples: number[]
  timeDeltas: number[]
}

const FUNCTIONS = 80

/**
 * Takes a V8 profile of a gateway under full load, one for each of its threads, and tells in which functions the time
 * went.
 * @param dist the compiled plugin, whose functions are listed apart
 */
export async function profile (
  site: Site, name: string, shadow: Shadow, seconds: number, dist: string
): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'bench-profile-'))
  const running = await site.start(
    contender(name), shadow, steady, ['--cpu-prof', '--cpu-prof-interval', '200', '--cpu-prof-dir', directory]
  )
  const { throughput } = await site.measure(running, steady, { runIn: 2, sample: seconds, rest: 0 })
  await running.stop()
  return readdirSync(directory).map(file => {
    const taken = JSON.parse(readFileSync(join(directory, file), 'utf8')) as CpuProfile
    return `${join(directory, file)}\n${summary(taken, seconds * 1e6, throughput * seconds, dist)}`
  }).join('\n\n')
}

/** Microseconds a request, at the profile's end: of each function itself, and of the plugin's with all they call. */
function summary (
  { nodes, samples, timeDeltas, startTime, endTime }: CpuProfile, time: number, requests: number, dist: string
): string {
  const byId = new Map(nodes.map(node => [node.id, node]))
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map(child => [child, id])))
  const own = new Map<string, number>()
  const total = new Map<string, number>()
  const add = (times: Map<string, number>, name: string, delta: number) =>
    times.set(name, (times.get(name) ?? 0) + delta)
  let now = startTime
  let busy = 0
  for (const [index, sample] of samples.entries()) {
    // A delta is the time before its sample.
    const delta = timeDeltas[index + 1] ?? 0
    now += timeDeltas[index]
    const { callFrame } = byId.get(sample) as CpuProfile['nodes'][number]
    if (now < endTime - time || callFrame.functionName === '(idle)') continue
    busy += delta
    add(own, nameOf(callFrame), delta)
    const stack = new Set<string>()
    for (let id: number | undefined = sample; id !== undefined; id = parents.get(id)) {
      const frame = (byId.get(id) as CpuProfile['nodes'][number]).callFrame
      if (frame.url.includes(dist)) stack.add(nameOf(frame))
    }
    for (const name of stack) add(total, name, delta)
  }
  const list = (times: Map<string, number>) => [...times].sort((a, b) => b[1] - a[1]).slice(0, FUNCTIONS)
    .map(([name, spent]) => `${(spent / requests).toFixed(2).padStart(6)}  ${name}`).join('\n')
  return `${(busy / requests).toFixed(2)} µs a request, in ${requests.toFixed(0)} requests\n\nby itself\n${list(own)}\n\nthe plugin's, with all they call\n${list(total)}`
}

function nameOf ({ functionName, url, lineNumber }: CpuProfile['nodes'][number]['callFrame']): string {
  return `${functionName === '' ? '(anonymous)' : functionName} ${url.replace(/^.*\/node_modules\//, '').replace(/^file:\/\//, '')}:${lineNumber + 1}`
}
