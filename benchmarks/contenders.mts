import type { MirrorOptions } from '../types/index.js'

/** Who is measured. */
export interface Contender {
  name: string
  /**
   * `plain`: a gateway on @fastify/http-proxy. The others add to it: the plugin; a hook that does nothing but dispatch;
   * a hook as one writes it first. Or nginx, alone or with its `mirror` directive.
   */
  kind: 'plain' | 'plugin' | 'floor' | 'naive' | 'nginx' | 'nginx mirror'
  thread?: boolean
  /** The route's mirror, but for its backend. */
  mirror?: Omit<MirrorOptions, 'backends'>
  /** What the shadow is. Default: as fast as the primary, with the same answers. */
  shadow?: 'differs'
}

const compare = { enabled: true }
const diff = { enabled: true, detailedDiff: true }

const list: Contender[] = [
  { name: 'base', kind: 'plain' },
  { name: 'control', kind: 'plain' },
  { name: 'no mirror', kind: 'plugin' },
  { name: '0 %', kind: 'plugin', mirror: { percentage: 0 } },
  { name: 'floor', kind: 'floor' },
  { name: 'inline', kind: 'plugin', mirror: {} },
  { name: 'inline compare', kind: 'plugin', mirror: { compare } },
  { name: 'inline diff', kind: 'plugin', mirror: { compare: diff } },
  { name: 'inline diff, all differ', kind: 'plugin', mirror: { compare: diff }, shadow: 'differs' },
  { name: 'thread 0 %', kind: 'plugin', thread: true, mirror: { percentage: 0 } },
  { name: 'thread', kind: 'plugin', thread: true, mirror: {} },
  { name: 'thread compare', kind: 'plugin', thread: true, mirror: { compare } },
  { name: 'thread diff', kind: 'plugin', thread: true, mirror: { compare: diff } },
  { name: 'thread diff, all differ', kind: 'plugin', thread: true, mirror: { compare: diff }, shadow: 'differs' },
  { name: 'naive', kind: 'naive' },
  { name: 'nginx', kind: 'nginx' },
  { name: 'nginx control', kind: 'nginx' },
  { name: 'nginx mirror', kind: 'nginx mirror' }
]

export function contender (name: string): Contender {
  const found = list.find(one => one.name === name)
  if (found === undefined) throw new Error(`no contender is called ${name}: ${list.map(one => one.name).join(', ')}`)
  return found
}
