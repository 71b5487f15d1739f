'use strict'

// Loaded before a test file of another project: gives every Fastify instance the plugin and every route a mirror, as if the project's
// apps had them, and writes down at exit what the mirrors have counted. `EVERY_ROUTE` says how, as JSON.

const { appendFileSync } = require('node:fs')
const Module = require('node:module')

/** @type {{ plugin: string, fastify: string, report: string, options: import('../../types/index').FastifyMirrorOptions }} */
const { plugin, fastify: ofFastify, report, options } = JSON.parse(process.env.EVERY_ROUTE)

const apps = []
const faults = []
let routes = 0

// When the project loads Fastify, and not before: what it prepares first, such as mocks, stays first.
const load = Module._extensions['.js']
Module._extensions['.js'] = function (module, filename) {
  load.apply(this, arguments)
  if (filename === ofFastify) module.exports = withMirrors(module.exports)
}

function withMirrors (fastify) {
  const proxy = new Proxy(fastify, {
    apply (target, thisArg, args) {
      const app = Reflect.apply(target, thisArg, args)
      mirrorEveryRoute(app)
      return app
    },
    // `fastify.fastify` and `fastify.default` are the function itself.
    get: (target, key) => target[key] === target ? proxy : target[key]
  })
  return proxy
}

function mirrorEveryRoute (app) {
  app.addHook('onRoute', route => {
    if (route.mirror !== undefined || route.config?.mirror !== undefined) return
    // Routes may differ in their constraints alone.
    route.mirror = { id: `route ${++routes}` }
  })
  // Called, not registered: it is there at once, so that no route is too early for it, and it is no plugin of the project's.
  require(plugin)(app, options).catch(error => faults.push(`the plugin failed: ${error.stack}`))
  apps.push(app)
}

process.on('exit', () => {
  if (apps.length === 0) return
  const mirrors = []
  for (const app of apps) {
    try {
      mirrors.push(...Object.values(app.mirrors.list()).filter(({ seen }) => seen > 0))
    } catch (error) {
      faults.push(`the numbers can not be read: ${error.stack}`)
    }
  }
  appendFileSync(report, JSON.stringify({ apps: apps.length, routes, faults, mirrors }) + '\n')
})
