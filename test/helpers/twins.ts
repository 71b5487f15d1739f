import httpProxy from '@fastify/http-proxy'
import type { FastifyHttpProxyOptions } from '@fastify/http-proxy'
import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import type { Test } from 'tap'
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Client, Dispatcher } from 'undici'
import type { CompareOptions, FailureReason, FastifyMirrorOptions, MirrorOptions, MismatchEvent, NotComparedReason } from '../../types/index'
import { startBackend } from './backend'
import type { TestBackend } from './backend'
import { keepAlive, startGateway } from './gateway'
import type { Gateway } from './gateway'
import { until } from './until'

/** An answer of one of the twins; a function writes it itself. */
export type Reply =
  { status?: number, headers?: OutgoingHttpHeaders | string[], body?: string | Buffer } |
  ((response: ServerResponse) => void)

export type Ask = Partial<Dispatcher.RequestOptions> & { path?: string }

export interface Outcome {
  response: Dispatcher.ResponseData
  /** What became of the copy. */
  fate: 'matched' | 'mismatched' | NotComparedReason | FailureReason
  /** `null`: none was told of. */
  mismatch: MismatchEvent | null
}

/** A gateway in front of a primary, with a shadow; both answer each request as they are told for it. */
export interface Twins {
  gateway: Gateway
  primary: TestBackend
  shadow: TestBackend
  client: Client
  /** In the order in which they came. */
  events: MismatchEvent[]
  /** Sends a request, and resolves once its copy has been compared, has been found not comparable or has failed. */
  ask (primary: Reply, shadow: Reply, request?: Ask): Promise<Outcome>
}

export interface TwinsSetup {
  plugin?: FastifyMirrorOptions
  server?: FastifyServerOptions
  proxy?: Partial<FastifyHttpProxyOptions>
  /** Behind the shadow's URL. */
  base?: string
  /** Further routes, to be mirrored by the same mirror. */
  routes?: (app: FastifyInstance, mirror: MirrorOptions) => void
  mirror?: Omit<MirrorOptions, 'backends' | 'compare'>
  compare?: CompareOptions
}

/** Milliseconds that a busy machine is given. */
export const PATIENCE = 30_000

export async function startTwins (t: Test, setup: TwinsSetup): Promise<Twins> {
  const replies: { primary: Reply, shadow: Reply } = { primary: {}, shadow: {} }
  const primary = await startBackend(t, (_, response) => answer(response, replies.primary))
  const shadow = await startBackend(t, (_, response) => answer(response, replies.shadow))
  const events: MismatchEvent[] = []
  const mirror: MirrorOptions = {
    id: 'twins',
    timeout: PATIENCE,
    backends: [{ url: shadow.url + (setup.base ?? ''), name: 'shadow' }],
    ...setup.mirror,
    compare: { enabled: true, detailedDiff: true, ...setup.compare }
  }
  const gateway = await startGateway(t, {
    plugin: { onMismatch: event => { events.push(event) }, ...setup.plugin },
    server: setup.server,
    async routes (app) {
      setup.routes?.(app, mirror)
      await app.register(httpProxy, { upstream: primary.url, ...setup.proxy, config: { mirror } })
    }
  })
  const client = keepAlive(t, gateway.url)
  return { gateway, primary, shadow, client, events, ask }

  async function ask (ofPrimary: Reply, ofShadow: Reply, request: Ask = {}): Promise<Outcome> {
    replies.primary = ofPrimary
    replies.shadow = ofShadow
    const before = fates()
    const told = events.length
    const response = await client.request({ method: 'GET', path: '/', ...request })
    await response.body.arrayBuffer()
    let fate: string | undefined
    await until('the copy has ended', () => {
      const after = fates()
      fate = Object.keys(after).find(name => after[name] > before[name])
      return fate
    }, PATIENCE)
    return { response, fate: fate as Outcome['fate'], mismatch: events[told] ?? null }
  }

  function fates (): Record<string, number> {
    const { matched, mismatched, notCompared, failure } = gateway.mirror(mirror.id).backends[0]
    const fates: Record<string, number> = { matched, mismatched, ...notCompared }
    // Some reasons are of both kinds.
    for (const [reason, count] of Object.entries(failure)) fates[reason] = (fates[reason] ?? 0) + count
    return fates
  }
}

export function answer (response: ServerResponse, reply: Reply): void {
  if (typeof reply === 'function') {
    reply(response)
  } else {
    response.writeHead(reply.status ?? 200, reply.headers as OutgoingHttpHeaders)
    response.end(reply.body)
  }
}
