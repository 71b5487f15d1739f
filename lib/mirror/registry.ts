import type { FastifyBaseLogger, RouteOptions } from 'fastify'
import type {
  CompareRule, CurlSide, MirrorOptions, MirrorPatch, MirrorSnapshot, Mirrors, MismatchQuery, NoiseDecision,
  SwitchState
} from '../../types/index'
import { connectFault } from '../engine/http/connect-fault'
import { FST_MIRROR_CONFLICTING_OPTIONS, FST_MIRROR_DUPLICATE_ID } from '../errors'
import type { MirrorTotals } from '../metrics/families'
import { Mirror } from './mirror'
import type { MirrorContext } from './mirror'
import {
  asked, invalid, readConnect, readMirrorOptions, readMirrorPatch, readMismatchQuery, readNoiseDecision,
  readSwitchPatch, showPath, showRoute, showValue
} from '../options'
import type { ConnectOptions, EndConfig, MirrorConfig } from '../options/config'
import type { Place } from '../options/fail'
import { markedSlugOf } from '../options/slug'
import { tryRules } from './rule-trial'
import { change, isChange } from './switch'
import type { MainSwitch } from './switch'
import { atOnce } from '../steps'
import { worst } from '../verdict/judge'

/** A mirror, and what of it was named by the user, so that it may be shown to whoever reaches the app. */
export interface Named {
  id: string
  /** Whether the id is. */
  given: boolean
  /** Whether each backend's name is the user's. */
  backends: boolean[]
}

/** Who has accepted proposals of noise. */
const BY_PERSON = 'noise'

/** Every mirror of a scope, made from its routes' options. */
export class Registry {
  readonly #defaults: Readonly<Record<string, unknown>>
  readonly #context: MirrorContext
  readonly #main: MainSwitch = { enabled: true }
  /** Where changes are logged that nobody else logs. */
  readonly #log: FastifyBaseLogger
  /** Mirrors in the order of their registration. */
  #byId = new Map<string, Mirror>()
  /** Default ids that routes have had at first. */
  readonly #slugs = new Set<string>()
  /** Ids for mirrors that cannot keep their default id. */
  readonly #markedIds = new Map<MirrorConfig, string>()
  /** Mirrors by the user's own object: routes that share it are one mirror. */
  readonly #byOptions = new Map<object, Mirror>()

  constructor (
    defaults: Readonly<Record<string, unknown>>, context: Omit<MirrorContext, 'main'>, log: FastifyBaseLogger
  ) {
    this.#defaults = defaults
    this.#context = { ...context, main: this.#main }
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
    const config = readMirrorOptions(options, this.#defaults, route)
    for (const [index, { origin, connect }] of config.backends.entries()) {
      const root = showPath('mirror', ['backends', `${index}`])
      this.#checkConnect(origin, connect, { owner: showRoute(route), root })
    }
    if (config.noise !== null && config.noise.from !== 'shadow') {
      const { origin, connect } = config.noise.from
      this.#checkConnect(origin, connect, { owner: showRoute(route), root: showPath('mirror', ['noise', 'from']) })
    }
    this.#settleId(config, route)
    const mirror = new Mirror(config, this.#context)
    this.#byId.set(config.id, mirror)
    this.#byOptions.set(options, mirror)
    return mirror
  }

  /**
   * Settles the mirror's id. Where several routes have one default id, none of them keeps it, whichever comes first: so
   * an id never stands for one route in this process and for another one in that. What a user has given goes before.
   */
  #settleId (config: MirrorConfig, route: RouteOptions): void {
    const { id } = config
    const other = this.#byId.get(id)
    const marked = markedSlugOf(route)
    if (!config.named) {
      if (other !== undefined || this.#slugs.has(id)) config.id = marked
      this.#slugs.add(id)
      this.#markedIds.set(config, marked)
    }
    if (other?.config.named === false) this.#rename(other)
    this.#mustBeFree(config.id, showRoute(route))
  }

  #rename (mirror: Mirror): void {
    const { config, routes: [route] } = mirror
    const id = this.#markedIds.get(config) as string
    if (id === config.id) return
    this.#mustBeFree(id, showRoute(route))
    config.id = id
    // Anew, for the order.
    this.#byId = new Map(Array.from(this.#byId.values(), one => [one.id, one]))
  }

  #mustBeFree (id: string, owner: string): void {
    const other = this.#byId.get(id)
    if (other !== undefined) throw new FST_MIRROR_DUPLICATE_ID(owner, JSON.stringify(id), showRoute(other.routes[0]))
  }

  #checkConnect (origin: string, connect: ConnectOptions, place: Place): void {
    const fault = connectFault(origin, connect, this.#context.engine.threaded)
    if (fault === null) return
    const { key, allowed } = fault
    throw invalid(place, key === null ? ['connect'] : ['connect', key], allowed, key === null ? connect : connect[key])
  }

  /**
   * For each backend of a mirror, and for the other instance that it asks once more, what its function gives now;
   * `undefined`: it has none.
   */
  #readConnects ({ id, backends, noise }: MirrorConfig): Array<ConnectOptions | undefined> {
    const read = ({ origin, connectSource }: EndConfig, root: string) => {
      if (connectSource === null) return undefined
      const place = { owner: `mirror ${showValue(id)}`, root }
      const connect = readConnect(connectSource, new URL(origin).protocol, place)
      this.#checkConnect(origin, connect, place)
      return connect
    }
    const from = noise?.from ?? 'shadow'
    return asked(() => [
      ...backends.map(backend => read(backend, showPath('backends', [backend.name]))),
      ...from === 'shadow' ? [] : [read(from, showPath('noise', ['from']))]
    ])
  }

  /** Counts of every mirror since it was made. */
  totals (): MirrorTotals[] {
    return Array.from(this.#byId.values(), mirror => mirror.totals())
  }

  /** Every mirror by id, in the order of registration, for what takes too long to be read at once. */
  readonly mirrors = (): ReadonlyMap<string, Mirror> => this.#byId

  /** All mirrors, and which of their names are the user's. */
  readonly named = (): Named[] => {
    return Array.from(this.#byId.values(), ({ id, config, backends }) => {
      return { id, given: config.named, backends: backends.map(backend => backend.config.named) }
    })
  }

  /** `fastify.mirrors`. */
  readonly api: Mirrors = freezeApi(() => this.#main.enabled, {
    list: () => {
      const snapshots: Record<string, MirrorSnapshot> = {}
      for (const [id, mirror] of this.#byId) define(snapshots, id, mirror.snapshot())
      return snapshots
    },
    get: (id: string) => this.#byId.get(id)?.snapshot(),
    mismatches: (id: string, query: MismatchQuery = {}) => {
      return this.#byId.get(id)?.mismatchList(readMismatchQuery(query, id))
    },
    clear: (id: string) => {
      const mirror = this.#byId.get(id)
      mirror?.period.places.clear()
      return mirror !== undefined
    },
    noise: (id: string) => this.#byId.get(id)?.noiseList(),
    decideNoise: (id: string, decision: NoiseDecision, log = this.#log) => {
      const mirror = this.#byId.get(id)
      if (mirror === undefined) return undefined
      const { accept, dismiss } = readNoiseDecision(decision, id)
      const rules = mirror.decideNoise(accept, dismiss)
      if (rules.length > 0) this.api.update(id, { rules: [...mirror.rulebook.rules, ...rules], by: BY_PERSON }, log)
      if (dismiss.length > 0) log.info({ mirror: id, dismiss }, 'noise dismissed')
      return mirror.noiseList()
    },
    endpoints: (id: string) => this.#byId.get(id)?.endpoints(),
    verdict: (id: string) => this.#byId.get(id)?.verdict(),
    verdictAll: () => {
      const mirrors = Array.from(this.#byId.values(), mirror => mirror.verdict())
      return { verdict: worst(mirrors.map(({ verdict }) => verdict)), mirrors }
    },
    reset: (id: string) => {
      const mirror = this.#byId.get(id)
      mirror?.reset()
      return mirror !== undefined
    },
    curl: (id: string, place: string, side: CurlSide, base?: string) => this.#byId.get(id)?.curl(place, side, base),
    update: (id: string, patch: MirrorPatch, log = this.#log) => {
      const mirror = this.#byId.get(id)
      if (mirror === undefined) return undefined
      const wanted = readMirrorPatch(
        patch, id, mirror.backends.map(({ name }) => name), mirror.config.compare.detailedDiff
      )
      // Before anything is changed, as it may be wrong.
      const connects = wanted.reconnect === true ? this.#readConnects(mirror.config) : null
      const changed = mirror.update(wanted)
      if (connects !== null) {
        for (const [index, backend] of mirror.backends.entries()) backend.reconnect(connects[index])
        mirror.repeats?.reference?.reconnect(connects.at(-1))
        changed.after.reconnect = true
      }
      if (isChange(changed)) log.info({ mirror: id, ...changed }, 'mirror switched')
      return mirror.snapshot()
    },
    tryRules: (id: string, rules: CompareRule[]) => {
      const mirror = this.#byId.get(id)
      return mirror === undefined ? undefined : atOnce(tryRules(mirror, rules))
    },
    updateAll: (patch: Partial<SwitchState>, log = this.#log) => {
      const changed = change(this.#main, readSwitchPatch(patch))
      if (isChange(changed)) log.info({ ...changed }, 'all mirrors switched')
      return { enabled: this.#main.enabled }
    }
  })
}

function optionsOf (route: RouteOptions): MirrorOptions | false | undefined {
  const own = route.mirror
  const ofConfig = route.config?.mirror
  if (own !== undefined && ofConfig !== undefined) {
    throw new FST_MIRROR_CONFLICTING_OPTIONS(showRoute(route), 'mirror', 'config.mirror')
  }
  // `??` would hide `null`, a mistake that is told of.
  return own !== undefined ? own : ofConfig
}

function freezeApi (enabled: () => boolean, methods: Omit<Mirrors, 'enabled'>): Mirrors {
  return Object.freeze(Object.defineProperty(methods, 'enabled', { get: enabled, enumerable: true }) as Mirrors)
}

/** An id may be any text, `__proto__` among them. */
function define<T> (record: Record<string, T>, key: string, value: T): void {
  Object.defineProperty(record, key, { value, enumerable: true, configurable: true, writable: true })
}
