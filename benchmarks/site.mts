import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { MirrorSnapshot } from '../types/index.js'
import type { Backends, Behaviour } from './backends.mjs'
import { Child } from './calls.mjs'
import type { Contender } from './contenders.mjs'
import type { Effort } from './effort.mjs'
import type { Gateway, Usage } from './gateway.mjs'
import type { Load, LoadGenerator } from './load.mjs'
import type { Places } from './machine.mjs'
import { Nginx } from './nginx.mjs'

export type Shadow = Behaviour | 'refusing'
/** `own`: fast, and no other gateway's. */
type FirstShadow = Shadow | 'own'
export type Request = Pick<Load, 'method' | 'path' | 'length'>

/** A gateway under test, in a process of its own. */
export interface Running {
  readonly contender: Contender
  /** How the shadow behaves. */
  shadow: Shadow
  readonly port: number
  readonly shadowPort: number
  begin (): Promise<void>
  end (): Promise<Usage>
  forgetPeak (): Promise<void>
  /** Bytes. */
  peak (): Promise<number>
  /** Collects garbage while there is nothing to do, where there is any. */
  collect (): Promise<void>
  /** Switches mirroring on or off, where it can be. */
  mirror (enabled: boolean): Promise<void>
  books (): Promise<MirrorSnapshot | null>
  stop (): Promise<void>
}

/** One measurement. */
export interface Sample {
  /** Requests answered a second. */
  throughput: number
  /** Milliseconds. */
  p50: number
  p99: number
  /** Microseconds a request in which the event loop of the main thread was busy; NaN: there is none. */
  loop: number
  /** Microseconds of processor time a request, of the main thread. */
  main: number
  /** The same of all threads. */
  cpu: number
  /** Copies that the shadow received a request. */
  copies: number
  errors: number
  /** Most memory held, in bytes. */
  peak: number
}

/** How a sample is taken. Times in seconds. */
export interface Timing {
  /** Load in front of it. */
  runIn: number
  sample: number
  /** Rest behind it. */
  rest: number
}

/** What stands around a gateway under test: backends and load generator, each in a process of its own. */
export class Site {
  readonly #files: string
  readonly #plugin: string
  readonly #places: Places | null
  readonly #backends: { primary: Child<Backends>, shadow: Child<Backends> }
  readonly #load: Child<LoadGenerator>
  readonly #ports = new Map<Shadow | 'primary', Promise<number>>()

  constructor (files: string, dist: string, places: Places | null) {
    this.#files = files
    this.#plugin = join(dist, 'index.js')
    this.#places = places
    const beside = { cpus: places?.rest ?? null }
    const backends = join(files, 'backends.mjs')
    this.#backends = { primary: new Child(backends, beside), shadow: new Child(backends, beside) }
    this.#load = new Child(join(files, 'load.mjs'), beside)
  }

  async #portOf (of: FirstShadow | 'primary'): Promise<number> {
    if (of === 'own') return await this.#backends.shadow.call('listen', 'fast')
    let port = this.#ports.get(of)
    if (port === undefined) {
      if (of === 'refusing') port = portOfNobody()
      else if (of === 'primary') port = this.#backends.primary.call('listen', 'fast')
      else port = this.#backends.shadow.call('listen', of)
      this.#ports.set(of, port)
    }
    return await port
  }

  /** Starts a gateway. `nodeOptions`: for its process. */
  async start (contender: Contender, first: FirstShadow, request: Request, nodeOptions?: string[]): Promise<Running> {
    first = contender.shadow ?? first
    const shadow = first === 'own' ? 'fast' : first
    const shadowPort = await this.#portOf(first)
    const [primaryUrl, shadowUrl] = [await this.#portOf('primary'), shadowPort].map(port => `http://127.0.0.1:${port}`)
    const cpus = this.#places?.gateway ?? null
    if (contender.kind === 'nginx' || contender.kind === 'nginx mirror') {
      const nginx = await Nginx.start(primaryUrl, contender.kind === 'nginx' ? null : shadowUrl, cpus)
      return {
        contender,
        shadow,
        port: nginx.port,
        shadowPort,
        begin: async () => nginx.begin(),
        end: async () => nginx.end(),
        forgetPeak: async () => nginx.forgetPeak(),
        peak: async () => nginx.peak(),
        collect: async () => {},
        mirror: async () => {},
        books: async () => null,
        stop: () => nginx.stop()
      }
    }
    const child = new Child<Gateway>(join(this.#files, 'gateway.mjs'), { cpus, nodeOptions })
    const port = await child.call('start', {
      contender,
      primary: primaryUrl,
      shadow: shadowUrl,
      plugin: this.#plugin,
      threadCpus: this.#places?.thread ?? null,
      request
    })
    return {
      contender,
      shadow,
      port,
      shadowPort,
      begin: () => child.call('begin'),
      end: () => child.call('end'),
      forgetPeak: () => child.call('forgetPeak'),
      peak: () => child.call('peak'),
      collect: () => child.call('collect'),
      mirror: enabled => child.call('mirror', enabled),
      books: () => child.call('books'),
      stop: async () => {
        if (nodeOptions === undefined) return child.kill()
        await child.call('close')
        await child.disconnect()
      }
    }
  }

  /**
   * What any gateway has lived through: load, clients that leave before their answer, connections that backends close,
   * a quiet moment in which all garbage is collected, load again. V8 compiles for what it has seen, so the first of
   * each costs a new process more than a thousand later ones, whoever caused it.
   */
  async warmUp (
    running: Running, load: Omit<Load, 'port' | 'rate'>, effort: Effort['warmUp'], mirrored: boolean
  ): Promise<void> {
    await running.mirror(mirrored)
    await this.#loadFor(running, load, effort)
    await running.mirror(false)
    await this.#load.call('leave', { port: running.port, clients: load.connections })
    await untilIdle(running)
    await Promise.all([this.#backends.primary.call('hangUp'), this.#backends.shadow.call('hangUp')])
    await running.collect()
    await running.mirror(mirrored)
    await this.#loadFor(running, load, effort)
    await running.mirror(true)
  }

  /** From now on a gateway's own shadow behaves so. */
  async turn (running: Running, to: Shadow): Promise<void> {
    await this.#backends.shadow.call('turn', { port: running.shadowPort, to })
    running.shadow = to
  }

  /** Full load until so many requests have been answered, or so many seconds have passed. */
  async #loadFor (
    running: Running, load: Omit<Load, 'port' | 'rate'>, { requests, atMost }: Effort['warmUp']
  ): Promise<void> {
    await this.#load.call('start', { ...load, port: running.port, rate: 0 })
    await this.#load.call('begin')
    const until = performance.now() + atMost * 1000
    while (performance.now() < until && await this.#load.call('count') < requests) await sleep(50)
    await this.#load.call('stop')
  }

  async measure (running: Running, load: Omit<Load, 'port'>, { runIn, sample, rest }: Timing): Promise<Sample> {
    const { port, shadow } = running
    await this.#load.call('start', { ...load, port })
    await sleep(runIn * 1000)
    await running.forgetPeak()
    const before = await this.#received(shadow)
    await Promise.all([running.begin(), this.#load.call('begin')])
    await sleep(sample * 1000)
    const [usage, seen] = await Promise.all([running.end(), this.#load.call('end')])
    const received = await this.#received(shadow) - before
    const peak = await running.peak()
    await this.#load.call('stop')
    await sleep(rest * 1000)
    return {
      throughput: seen.requests / seen.seconds,
      p50: seen.p50,
      p99: seen.p99,
      loop: usage.loop * 1000 / seen.requests,
      main: usage.main * 1000 / seen.requests,
      cpu: usage.cpu * 1000 / seen.requests,
      copies: received / seen.requests,
      errors: seen.errors,
      peak
    }
  }

  /** One large request or answer through a gateway, at most so many bytes a second. Seconds. */
  transfer (running: Running, direction: 'up' | 'down', bytes: number, pace: number): Promise<number> {
    return this.#load.call('transfer', { port: running.port, direction, bytes, pace })
  }

  #received (shadow: Shadow): Promise<number> {
    return shadow === 'refusing' ? Promise.resolve(0) : this.#backends.shadow.call('received', shadow)
  }

  async close (): Promise<void> {
    await Promise.all([this.#backends.primary.kill(), this.#backends.shadow.kill(), this.#load.kill()])
  }
}

/** No copy is in flight. */
export async function untilIdle (running: Running): Promise<void> {
  for (;;) {
    const backend = (await running.books())?.backends[0]
    if (backend === undefined || backend.inFlight + backend.comparing === 0) return
    await sleep(20)
  }
}

/** A port on which nobody listens. */
async function portOfNobody (): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => { server.close(resolve) })
  return port
}
