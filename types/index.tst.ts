import httpProxy from '@fastify/http-proxy'
import Fastify from 'fastify'
import type {
  FastifyInstance,
  FastifyPluginCallback,
  FastifyReply,
  FastifyRequest,
  onRequestAsyncHookHandler,
  onRequestHookHandler
} from 'fastify'
import mirror, { fastifyMirror } from 'fastify-mirror'
import type {
  BackendOptions,
  BackendSnapshot,
  BreakerOptions,
  EndpointRequest,
  FastifyMirrorOptions,
  LatencySummary,
  MirrorOptions,
  MirrorSnapshot,
  SwitchState,
  VerdictOptions
} from 'fastify-mirror'
import type { BackendBlock, MirrorBlock, PluginBlock } from '../lib/options/blocks'
import type { BreakerConfig, VerdictConfig } from '../lib/options/config'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'tstyche'

/** The keys of an object of options, without the gateway's own spelling. */
type InOneSpelling<T> = Exclude<keyof T, `${string}_${string}`>

const app = Fastify()
const backends = ['http://shadow:9000']

const complete = {
  id: 'api',
  enabled: true,
  percentage: 12.5,
  sampleBy: 'x-user-id',
  backends: [
    'http://shadow:9000',
    {
      url: 'https://shadow:9443/base',
      name: 'shadow',
      percentage: 50,
      connect: { ca: readFileSync(__filename), cert: 'pem', key: 'pem', servername: 'shadow.test', rejectUnauthorized: true, socketPath: '/run/shadow.sock' }
    }
  ],
  conditions: { methods: ['GET', 'post'], headers: { 'X-Mirror': 'true', 'X-Trace': true }, pathRegex: '^/api/v2/.*' },
  timeout: 5000,
  bodyTimeout: 5000,
  endpoint: 'auto',
  maxEndpoints: 200,
  maxPlaces: 2000,
  maxInFlight: 256,
  maxBacklogBytes: 1048576,
  breaker: { failures: 50, cooldown: 5000 },
  preserveHost: false,
  removeHeaders: ['authorization', 'cookie'],
  rewriteRequestHeaders: (request, headers) => ({ ...headers, 'x-url': request.url }),
  compare: {
    enabled: true,
    logMismatches: true,
    detailedDiff: true,
    maxBodyCapture: 1048576,
    ignoreHeaders: ['server'],
    ignoreJsonFields: ['/items/*/updatedAt', 'user.lastSeen'],
    redact: ['email']
  },
  noise: { from: { url: 'https://v1', name: 'old', connect: { servername: 'a' } }, percentage: 5, methods: ['GET'], accept: 'auto' },
  verdict: {
    maxMismatchRate: 0.001, maxFailureRate: 0.01, maxEndpointMismatchRate: 0.01, minEndpointShare: 0.001, maxSlowdown: 20, minCoverage: 0.9, minDuration: '1h', confidence: 0.95
  }
} satisfies MirrorOptions

declare function accept (options: MirrorOptions): void
declare function acceptPlugin (options: FastifyMirrorOptions): void
declare const callbackHook: onRequestHookHandler
declare const asyncHook: onRequestAsyncHookHandler

describe('the plugin', () => {
  test('is the default export and a named one', () => {
    expect(mirror).type.toBe<FastifyPluginCallback<FastifyMirrorOptions>>()
    expect(fastifyMirror).type.toBe<FastifyPluginCallback<FastifyMirrorOptions>>()
  })

  test('registers without options, with them, and awaited', () => {
    expect(app.register(mirror)).type.toBeAssignableTo<PromiseLike<undefined>>()
    app.register(mirror, {})
    app.register(fastifyMirror, {
      defaults: { percentage: 10, compare: { enabled: true } },
      admin: { prefix: '/internal/mirrors', onRequest: asyncHook, routeOptions: { logLevel: 'warn', constraints: { host: 'internal' } } },
      thread: true,
      maxBufferedBytes: 67108864,
      closeTimeout: 1000,
      strict: true
    })
  })

  test('registers on servers of every kind', () => {
    Fastify({ http2: true }).register(mirror, { thread: true })
    Fastify({ https: {} }).register(mirror, { admin: false })
  })

  test('refuses options that it does not have', () => {
    expect(acceptPlugin).type.not.toBeCallableWith({ threads: true })
    expect(acceptPlugin).type.not.toBeCallableWith({ thread: 'yes' })
    expect(acceptPlugin).type.not.toBeCallableWith({ admin: true })
    expect(acceptPlugin).type.not.toBeCallableWith({ admin: { path: '/mirrors' } })
    expect(acceptPlugin).type.not.toBeCallableWith({ admin: { routeOptions: { url: '/elsewhere' } } })
    expect(acceptPlugin).type.not.toBeCallableWith({ maxBufferedBytes: '64 MiB' })
    expect(acceptPlugin).type.not.toBeCallableWith({ defaults: { percent: 50 } })
    // @ts-expect-error Object literal may only specify known properties
    app.register(mirror, { threads: true })
  })
})

describe('the guard', () => {
  test('is a hook with a callback or an async one, or several', () => {
    expect(acceptPlugin).type.toBeCallableWith({ admin: { onRequest: callbackHook } })
    expect(acceptPlugin).type.toBeCallableWith({ admin: { onRequest: asyncHook } })
    expect(acceptPlugin).type.toBeCallableWith({ admin: { onRequest: [callbackHook, asyncHook] } })
  })

  test('written in place knows its parameters', () => {
    app.register(mirror, {
      admin: {
        onRequest: async (request, reply) => {
          expect(request).type.toBe<FastifyRequest>()
          expect(reply).type.toBe<FastifyReply>()
        }
      }
    })
    app.register(mirror, {
      admin: {
        onRequest (request, reply, done) {
          expect(this).type.toBe<FastifyInstance>()
          expect(request).type.toBe<FastifyRequest>()
          expect(reply).type.toBe<FastifyReply>()
          expect(done).type.toBeCallableWith(new Error('no'))
          done()
        }
      }
    })
    app.register(mirror, {
      admin: {
        onRequest: [
          async (request) => { expect(request).type.toBe<FastifyRequest>() },
          (_request, _reply, done) => { done() }
        ]
      }
    })
  })

  test('is nothing else', () => {
    expect(acceptPlugin).type.not.toBeCallableWith({ admin: { onRequest: 'basic' } })
    expect(acceptPlugin).type.not.toBeCallableWith({ admin: { onRequest: [true] } })
  })
})

describe('the route option', () => {
  test('is taken by every way of making a route', () => {
    app.get('/users/:id', { mirror: complete }, async () => 'ok')
    app.post<{ Body: { name: string } }>('/users', { mirror: { backends } }, async (request) => request.body.name)
    app.all('/all', { mirror: false, handler: async () => 'ok' })
    app.route({ method: ['GET', 'POST'], url: '/route', mirror: { backends }, handler: async () => 'ok' })
    Fastify({ http2: true }).get('/', { mirror: { backends } }, async () => 'ok')
  })

  test('is taken in config, where the request shows it', () => {
    app.get('/users/:id', { config: { mirror: complete } }, async () => 'ok')
    app.get('/users', async (request) => {
      expect(request.routeOptions.config.mirror).type.toBe<MirrorOptions | false | undefined>()
      return 'ok'
    })
    app.route({ method: 'GET', url: '/none', config: { mirror: false }, handler: async () => 'ok' })
  })

  test('is taken by http-proxy in config', () => {
    app.register(httpProxy, { upstream: 'http://production:9000', prefix: '/api', config: { mirror: complete } })
  })

  test('is refused with a wrong type', () => {
    // @ts-expect-error Type 'string' is not assignable to type 'number'.
    app.get('/', { mirror: { backends, percentage: '50' } }, async () => 'ok')
    // @ts-expect-error Type 'string' is not assignable to type 'number'.
    app.get('/', { config: { mirror: { backends, percentage: '50' } } }, async () => 'ok')
    // @ts-expect-error Type 'true' is not assignable to type
    app.route({ method: 'GET', url: '/', mirror: true, handler: async () => 'ok' })
  })
})

describe('the options as they are read', () => {
  test('have the keys that users may write, in one spelling', () => {
    expect<keyof MirrorBlock>().type.toBe<InOneSpelling<MirrorOptions>>()
    expect<keyof BackendBlock | 'weight'>().type.toBe<InOneSpelling<BackendOptions>>()
    expect<keyof PluginBlock>().type.toBe<InOneSpelling<FastifyMirrorOptions>>()
    expect<keyof VerdictConfig>().type.toBe<InOneSpelling<VerdictOptions>>()
    expect<keyof BreakerConfig>().type.toBe<InOneSpelling<BreakerOptions>>()
  })

  test('have values that users may write', () => {
    expect<Omit<MirrorBlock, 'backends' | 'compare' | 'noise'>>().type.toBeAssignableTo<MirrorOptions>()
  })
})

describe('the mirror options', () => {
  test('may all be left out, for the defaults of the plugin', () => {
    expect(accept).type.toBeCallableWith({})
    expect<keyof typeof complete>().type.toBe<Exclude<keyof MirrorOptions, 'max_backlog_bytes' | 'body_timeout' | 'max_endpoints' | 'max_places'>>()
  })

  test('take a function as the key to sample by', () => {
    accept({
      backends,
      sampleBy: (request) => {
        expect(request).type.toBe<FastifyRequest>()
        return request.ip
      }
    })
    expect(accept).type.toBeCallableWith({ sampleBy: () => undefined })
    expect(accept).type.not.toBeCallableWith({ sampleBy: () => 5 })
    expect(accept).type.not.toBeCallableWith({ sampleBy: async () => 'later' })
  })

  test('take headers rewritten synchronously', () => {
    expect(accept).type.toBeCallableWith({ rewriteRequestHeaders: () => ({ 'set-cookie': ['a=b'] }) })
    expect(accept).type.not.toBeCallableWith({ rewriteRequestHeaders: async () => ({}) })
    expect(accept).type.not.toBeCallableWith({ rewriteRequestHeaders: () => 'x-a: b' })
  })

  test('take no breaker at all', () => {
    expect(accept).type.toBeCallableWith({ breaker: false })
    expect(accept).type.toBeCallableWith({ breaker: { failures: 3 } })
    expect(accept).type.not.toBeCallableWith({ breaker: true })
  })

  test("take the gateway's own spelling", () => {
    expect(accept).type.toBeCallableWith({
      enabled: true,
      percentage: 50,
      backends: [{ url: 'http://shadow:9000', weight: 1 }],
      conditions: { path_regex: '^/api/v2/.*' },
      compare: {
        enabled: true,
        log_mismatches: true,
        detailed_diff: true,
        max_body_capture: 1048576,
        ignore_headers: ['server'],
        ignore_json_fields: ['user.lastSeen']
      }
    })
    expect(accept).type.not.toBeCallableWith({ conditions: { path_regex: /v2/ } })
    expect(accept).type.not.toBeCallableWith({ compare: { max_body_capture: '1MiB' } })
  })

  test('refuse unknown keys and wrong types', () => {
    expect(accept).type.not.toBeCallableWith({ backends, percent: 50 })
    expect(accept).type.not.toBeCallableWith({ backends: 'http://shadow:9000' })
    expect(accept).type.not.toBeCallableWith({ backends: [{ name: 'no url' }] })
    expect(accept).type.not.toBeCallableWith({ backends: [{ url: 'http://shadow:9000', percent: 1 }] })
    expect(accept).type.toBeCallableWith({ backends: [{ url: 'https://shadow:9000', connect: () => ({ ca: 'PEM' }) }] })
    expect(accept).type.not.toBeCallableWith({ backends: [{ url: 'https://shadow:9000', connect: async () => ({ ca: 'PEM' }) }] })
    expect(accept).type.not.toBeCallableWith({ backends: [{ url: 'https://shadow:9000', connect: () => ({ caa: 'PEM' }) }] })
    expect(accept).type.not.toBeCallableWith({ backends, conditions: { methods: 'GET' } })
    expect(accept).type.not.toBeCallableWith({ backends, conditions: { headers: { 'x-mirror': false } } })
    expect(accept).type.not.toBeCallableWith({ backends, conditions: { pathRegex: /v2/ } })
    expect(accept).type.not.toBeCallableWith({ backends, removeHeaders: 'cookie' })
    expect(accept).type.not.toBeCallableWith({ backends, compare: true })
    expect(accept).type.toBeCallableWith({ backends, endpoint: 'graphql', maxEndpoints: 10, verdict: { min_endpoint_share: 0.1 } })
    expect(accept).type.toBeCallableWith({ backends, endpoint: (request: EndpointRequest) => request.bodyHead.toString() })
    expect(accept).type.not.toBeCallableWith({ backends, endpoint: 'path' })
    expect(accept).type.not.toBeCallableWith({ backends, endpoint: async () => 'a' })
    expect(accept).type.not.toBeCallableWith({ backends, compare: { redact: [/token/] } })
  })
})

describe('fastify.mirrors', () => {
  test('gives the numbers of every mirror, and of one', () => {
    expect(app.mirrors.list()).type.toBe<Record<string, MirrorSnapshot>>()
    expect(app.mirrors.get('api')).type.toBe<MirrorSnapshot | undefined>()
    expect(app.mirrors.get).type.not.toBeCallableWith(1)
    expect(app.mirrors.endpoints('api')?.endpoints[0]?.backends[0]?.p99).type.toBe<number | null | undefined>()
  })

  test('switches one mirror, and all', () => {
    expect(app.mirrors.update('api', { enabled: false, percentage: 12.5, backends: { shadow: { enabled: true, percentage: 1 } } }))
      .type.toBe<MirrorSnapshot | undefined>()
    expect(app.mirrors.update).type.toBeCallableWith('api', {}, app.log)
    expect(app.mirrors.update).type.not.toBeCallableWith('api')
    expect(app.mirrors.update).type.not.toBeCallableWith('api', { percentage: '50' })
    expect(app.mirrors.update).type.not.toBeCallableWith('api', { timeout: 1 })
    expect(app.mirrors.update).type.toBeCallableWith('api', { reconnect: true })
    expect(app.mirrors.update).type.not.toBeCallableWith('api', { reconnect: false })
    expect(app.mirrors.updateAll({ enabled: false }, app.log)).type.toBe<SwitchState>()
    expect(app.mirrors.updateAll).type.not.toBeCallableWith({ percentage: 0 })
    expect(app.mirrors.enabled).type.toBe<boolean>()
  })

  test('is on servers of every kind and in every scope', () => {
    expect(Fastify({ http2: true }).mirrors).type.toBe<typeof app.mirrors>()
    app.register(async (scope) => {
      expect(scope.mirrors).type.toBe<typeof app.mirrors>()
    })
  })

  test('gives counters that are always there', () => {
    const snapshot = app.mirrors.list()['api'] as MirrorSnapshot
    expect(snapshot.seen).type.toBe<number>()
    expect(snapshot.backends).type.toBe<BackendSnapshot[]>()

    const backend = snapshot.backends[0] as BackendSnapshot
    expect(backend.dropped.inFlight).type.toBe<number>()
    expect(backend.failure.timeout).type.toBe<number>()
    expect(backend.notCompared.primaryFailed).type.toBe<number>()
    expect(backend.mismatches.body).type.toBe<number>()
    expect(backend.status['5xx']).type.toBe<number>()
    expect(backend.latency.shadow).type.toBe<LatencySummary>()
    expect(backend.latency.difference.p99).type.toBe<number | null>()
    expect(backend.breaker).type.toBe<'closed' | 'open' | 'half-open'>()
    expect(backend).type.not.toHaveProperty('errors')
  })
})
