import type { RouteOptions } from 'fastify'
import type { CurlSide, MirrorOptions, MirrorSnapshot, Mirrors } from '../types/index'
import { connectFault } from './engine/connect'
import type { Engine } from './engine/types'
import { FST_MIRROR_CONFLICTING_OPTIONS, FST_MIRROR_DUPLICATE_ID } from './errors'
import type { BoundedLog } from './log'
import { Mirror } from './mirror'
import type { OnMismatch } from './mirror'
import { invalid, readMirrorOptions, showRoute } from './options'
import type { MirrorConfig } from './options/config'

/** Every mirror of a scope, made from its routes' options. */
export class Registry {
  readonly #engine: Engine
  readonly #defaults: Readonly<Record<string, unknown>>
  readonly #log: BoundedLog
  readonly #onMismatch: OnMismatch
  readonly #byId = new Map<string, Mirror>()
  /** By the user's own object: routes that share it are one mirror. */
  readonly #byOptions = new Map<object, Mirror>()

  constructor (engine: Engine, defaults: Readonly<Record<string, unknown>>, onMismatch: OnMismatch, log: BoundedLog) {
    this.#engine = engine
    this.#defaults = defaults
    this.#onMismatch = onMismatch
    this.#log = log
  }

  /** The mirror that a route's options ask for; `null`: none. Throws an `FST_MIRROR_` error. */
  mirrorOf (route: RouteOptions): Mirror | null {
    const options = optionsOf(route)
    if (options === undefined || options === false) return null
    const mirror = this.#byOptions.get(options) ?? this.#create(options, route)
    mirror.addRoute(route.method, route.url)
    return mirror
  }

  #create (options: MirrorOptions, route: RouteOptions): Mirror {
    const { config, warnings } = readMirrorOptions(options, this.#defaults, route)
    const other = this.#byId.get(config.id)
    if (other !== undefined) {
      throw new FST_MIRROR_DUPLICATE_ID(showRoute(route), JSON.stringify(config.id), showRoute(other.routes[0]))
    }
    this.#checkConnects(config, route)
    const mirror = new Mirror(config, this.#engine, this.#log, this.#onMismatch)
    for (const warning of warnings) this.#log.warn({ mirror: config.id }, warning)
    this.#byId.set(config.id, mirror)
    this.#byOptions.set(options, mirror)
    return mirror
  }

  #checkConnects ({ backends }: MirrorConfig, route: RouteOptions): void {
    for (const [index, { origin, connect }] of backends.entries()) {
      const fault = connectFault(origin, connect, this.#engine.threaded)
      if (fault === null) continue
      const { key, allowed } = fault
      const keys = ['backends', String(index), 'connect', ...key === null ? [] : [key]]
      throw invalid({ owner: showRoute(route), root: 'mirror' }, keys, allowed, key === null ? connect : connect[key])
    }
  }

  /** For each backend of a mirror, whether its name is the user's. */
  readonly named = (id: string): boolean[] => {
    return (this.#byId.get(id) as Mirror).backends.map(backend => backend.config.named)
  }

  /** `fastify.mirrors`. */
  readonly api: Mirrors = Object.freeze({
    list: () => {
      const snapshots: Record<string, MirrorSnapshot> = {}
      for (const [id, mirror] of this.#byId) define(snapshots, id, mirror.snapshot())
      return snapshots
    },
    get: (id: string) => this.#byId.get(id)?.snapshot(),
    mismatches: (id: string) => this.#byId.get(id)?.mismatches.groups.list(),
    clear: (id: string) => {
      const mirror = this.#byId.get(id)
      mirror?.mismatches.groups.clear()
      return mirror !== undefined
    },
    verdict: (id: string) => this.#byId.get(id)?.verdict(),
    reset: (id: string) => {
      const mirror = this.#byId.get(id)
      mirror?.reset()
      return mirror !== undefined
    },
    curl: (id: string, group: string, side: CurlSide, base?: string) => this.#byId.get(id)?.curl(group, side, base)
  })
}

function optionsOf (route: RouteOptions): MirrorOptions | false | undefined {
  const own = route.mirror
  const ofConfig = route.config?.mirror
  if (own !== undefined && ofConfig !== undefined) {
    throw new FST_MIRROR_CONFLICTING_OPTIONS(showRoute(route), 'mirror', 'config.mirror')
  }
  // Not `??`: `null` is a mistake that is told of.
  return own !== undefined ? own : ofConfig
}

/** An id may be any text, `__proto__` among them. */
function define<T> (record: Record<string, T>, key: string, value: T): void {
  Object.defineProperty(record, key, { value, enumerable: true, configurable: true, writable: true })
}
