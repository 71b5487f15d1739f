import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify'
import { subscribe } from 'node:diagnostics_channel'
import { FST_MIRROR_NOT_MIRRORED } from '../errors'
import type { BoundedLog } from '../log'
import { showRoute } from '../options'
import { HTTP_PROXY } from '../proxy/reply-from'

/** A route with a mirror, as it was added. */
interface Asking {
  /** The object that every onRoute hook gets. */
  readonly route: RouteOptions
  readonly mirror: object
  readonly method: RouteOptions['method']
  readonly url: string
  readonly scope: FastifyInstance
}

/** Routes with a mirror, whoever adds them when, of apps that were made after this module was loaded. */
const askingOf = new WeakMap<object, Asking[]>()
/** Routes that a plugin has seen, and the options of their mirrors. */
const mirrored = new WeakSet<object>()
/** Routes, and options of their mirrors, that a warning has told of. */
const told = new WeakSet<object>()

/** How many requests are looked at for routes that could not be seen as they were added. */
const LOOKS = 1000
const EARLY = 'it was added before fastify-mirror had loaded; write "await app.register(mirror)" before it'
const ELSEWHERE =
  'fastify-mirror is not registered in its scope; register it in the app that both belong to, and await it'

/** Fastify tells of every app that is made, before it has a route. */
export function onInitialization (message: unknown): void {
  const { fastify } = message as { fastify: FastifyInstance }
  const asking: Asking[] = []
  askingOf.set(fastify, asking)
  fastify.addHook('onRoute', function (route) {
    const mirror = mirrorOf(route)
    if (mirror !== null) asking.push({ route, mirror, method: route.method, url: route.url, scope: this })
  })
}

subscribe('fastify.initialization', onInitialization)

/** A plugin mirrors this route. */
export function markMirrored (route: RouteOptions): void {
  mirrored.add(route)
  mirrored.add(mirrorOf(route) as object)
}

/** Tells, when the app is ready, of routes whose mirror no plugin has seen. `strict`: the app does not become ready. */
export function tellOfUnmirrored (fastify: FastifyInstance, strict: boolean, log: BoundedLog): void {
  const proxies: string[] = []
  fastify.addHook('onRegister', (instance, options: Record<string, unknown>) => {
    if (options.mirror === undefined || instance.pluginName !== HTTP_PROXY) return
    proxies.push(`http-proxy at "${instance.prefix || '/'}" does not hand on its option "mirror", ` +
      'and nothing of it is mirrored; give it as config: { mirror: ... }')
  })
  const asking = askingIn(fastify)
  if (asking === null) lookAtRequests(fastify, log)

  fastify.addHook('onReady', async () => {
    const missed = missedOf(asking ?? [])
    if (strict && missed.length + proxies.length > 0) {
      throw new FST_MIRROR_NOT_MIRRORED([...missed.map(one => show(one, fastify)), ...proxies].join('\n'))
    }
    // The rate is not bounded: each is told once.
    for (const one of missed) {
      if (!told.has(one.route)) fastify.log.warn(show(one, fastify))
      told.add(one.route)
    }
    for (const proxy of proxies) fastify.log.warn(proxy)
  })
}

/** `null`: the app was made before this module was loaded. */
function askingIn (fastify: FastifyInstance): Asking[] | null {
  // A scope has the app that it belongs to as its prototype.
  for (let instance: object | null = fastify; instance !== null; instance = Object.getPrototypeOf(instance)) {
    const asking = askingOf.get(instance)
    if (asking !== undefined) return asking
  }
  return null
}

function missedOf (asking: readonly Asking[]): Asking[] {
  const missed = asking.filter(({ route }) => !mirrored.has(route))
  // Fastify adds a HEAD route, or two, to a GET.
  const gets = new Set(missed.filter(({ method }) => [method].flat().includes('GET')).map(({ mirror }) => mirror))
  return missed.filter(({ method, mirror }) => method !== 'HEAD' || !gets.has(mirror))
}

function show ({ method, url, scope }: Asking, plugin: FastifyInstance): string {
  const early = scope === plugin || Object.prototype.isPrototypeOf.call(plugin, scope)
  return `${showRoute({ method, url })} is not mirrored, as ` + (early ? EARLY : ELSEWHERE)
}

/** Finds a mirror of a route that was added unseen: a request shows the `config` of its route. */
function lookAtRequests (fastify: FastifyInstance, log: BoundedLog): void {
  let looks = LOOKS
  fastify.addHook('onRequest', (request, _reply, done) => {
    if (looks > 0) {
      looks--
      look(request, log)
    }
    done()
  })
}

function look ({ routeOptions: { config, method, url } }: FastifyRequest, log: BoundedLog): void {
  const mirror: unknown = config?.mirror
  if (typeof mirror !== 'object' || mirror === null || mirrored.has(mirror) || told.has(mirror)) return
  told.add(mirror)
  log.warn({}, `${showRoute({ method: method as string, url: url as string })} is not mirrored, as ${EARLY}`)
}

function mirrorOf (route: RouteOptions): object | null {
  const mirror: unknown = route.mirror !== undefined ? route.mirror : route.config?.mirror
  return typeof mirror === 'object' ? mirror : null
}
