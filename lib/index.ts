// First: before anything loads undici.
import './engine/http/own-fetch'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { FastifyMirrorOptions } from '../types/index'
import { adminRoutes } from './admin'
import { Budget } from './engine/budget'
import { InlineEngine } from './engine/inline'
import { keepTicksQuick } from './engine/quick-ticks'
import { ThreadEngine } from './engine/thread/main-engine'
import type { OnDeath } from './engine/thread/main-engine'
import { startWorker } from './engine/thread/main-start'
import type { Engine } from './engine/types'
import { FST_MIRROR_ALREADY_REGISTERED, FST_MIRROR_THREAD_NOT_ALLOWED } from './errors'
import { Guard } from './guard'
import { installAppHooks, installRouteHooks } from './hooks'
import { markMirrored, tellOfUnmirrored } from './hooks/unmirrored'
import { BoundedLog } from './log'
import { LoopTime } from './loop-time'
import { ExampleMemory } from './mismatches/memory'
import { expose } from './metrics/prometheus'
import { readPluginOptions } from './options'
import { Registry } from './mirror/registry'
import { bodylessMethods } from './tap/request-body'

export const fastifyMirror = fp(mirrorPlugin, { fastify: '5.x', name: 'fastify-mirror' })
export default fastifyMirror
module.exports = fastifyMirror

// Async, so that what it throws rejects the registration: with a callback it would end the process.
async function mirrorPlugin (fastify: FastifyInstance, options: FastifyMirrorOptions): Promise<void> {
  if (fastify.hasDecorator('mirrors')) throw new FST_MIRROR_ALREADY_REGISTERED()
  const config = readPluginOptions(options)
  const { defaults, admin, thread, maxBufferedBytes, closeTimeout, onMismatch, prometheus, strict } = config
  if (thread && process.permission?.has('worker') === false) throw new FST_MIRROR_THREAD_NOT_ALLOWED()

  if (config.keepTicksQuick) keepTicksQuick()
  const log = new BoundedLog(fastify.log)
  const onDeath: OnDeath = (err, { pause, early, hopeless }) => log.warn({ err }, hopeless
    ? `the mirrors' thread has ended at its start ${early} times in a row, and is tried again in ${pause / 1000} s; ` +
      'until it runs, copies are dropped (dropped.thread). ' +
      'What to do: mend what err says (memory, processes, permissions), or leave out thread: true'
    : 'the mirrors\' thread ended, and will be started again')
  const guard = new Guard((err, mirror) => {
    log.warn(mirror === undefined ? { err } : { mirror, err }, 'mirroring failed')
  }, new LoopTime(prometheus !== null))
  const engine = thread
    ? new ThreadEngine(maxBufferedBytes, onDeath, startWorker, guard)
    : new InlineEngine(new Budget(maxBufferedBytes), guard)
  const context = {
    engine: engine as Engine,
    log,
    onMismatch,
    bodyless: bodylessMethods(fastify),
    histograms: prometheus !== null,
    endpointTotals: prometheus?.endpoints === true,
    examples: new ExampleMemory(engine.budget)
  }
  const registry = new Registry(defaults, context, fastify.log)
  fastify.decorate('mirrors', registry.api)

  installAppHooks(fastify)
  fastify.addHook('onRoute', function (this: FastifyInstance, route) {
    const mirror = registry.mirrorOf(route)
    if (mirror === null) return
    installRouteHooks(route, mirror, this)
    markMirrored(route)
  })
  tellOfUnmirrored(fastify, strict, log)
  if (admin !== null) fastify.register(adminRoutes, { admin, named: registry.named, all: registry.mirrors })

  fastify.addHook('preClose', async () => engine.stop())
  fastify.addHook('onClose', async () => {
    await engine.close(closeTimeout)
    guard.close()
  })

  if (prometheus !== null) {
    const conceal = expose(prometheus.register, () => {
      return { mirrors: registry.totals(), bufferedBytes: engine.bufferedBytes, loopSeconds: engine.loopSeconds }
    }, prometheus.endpoints)
    fastify.addHook('onClose', async () => conceal())
  }
}
