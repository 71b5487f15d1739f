import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions, onSendHookHandler } from 'fastify'
import type { CurlSide, MirrorPatch, NoiseDecision, SwitchState } from '../../types/index'
import type { AdminConfig } from '../options/config'
import type { Mirror } from '../mirror/mirror'
import type { Named } from '../mirror/registry'
import type { MismatchFilter } from '../options/mismatch-query'
import { asGuard, unlessAnswered, watchReply } from './guard'
import { keepHeaders, setHeaders } from './headers'
import { answerOnlyTo } from './hosts'
import { EndpointLists, endpointPage } from './endpoint-page'
import { placePage } from './place-page'
import { Numbers, tellAll, tellRedacted } from './numbers'
import type { Page } from './numbers'
import { JSON_TYPE, changeLog, unchecked } from './route'
import type { AddRoute, MoreOptions } from './route'
import { PageRows } from './page-data'
import { addRules, withCaller } from './rules'
import { refuseButLinks, refuseOtherOrigins } from './same-origin'
import * as schemas from './schemas'
import { addPage } from './ui'
import { addVerdicts } from './verdict'
import { Verdicts } from './verdicts'

/**
 * Bytes of a PATCH's body: a hundred backends with the longest of names, or as many rules as there may be, and much
 * air.
 */
const MAX_PATCH = 512 * 1024

const ORIGIN_CHECKS = { none: [refuseOtherOrigins], link: [refuseButLinks], load: [] }

interface Options {
  admin: AdminConfig
  /** All mirrors, as soon as the app is ready. */
  named: () => Named[]
  /** The same by id, for what takes too long to be read at once. */
  all: () => ReadonlyMap<string, Mirror>
}

type WithId = FastifyRequest & { params: { id: string } }

/** The routes that `fastify.mirrors` is read and switched by. */
export async function adminRoutes (fastify: FastifyInstance, { admin, named, all }: Options): Promise<void> {
  const { mirrors } = fastify
  const guarded = admin.onRequest.length > 0
  const numbers = new Numbers(mirrors, () => (guarded ? tellAll : tellRedacted)(named()))
  const verdicts = new Verdicts(all)
  const rows = new PageRows(verdicts)
  const endpoints = new EndpointLists()
  const { ignoreTrailingSlash, routerOptions } = fastify.initialConfig
  const slashes = ignoreTrailingSlash !== true && routerOptions?.ignoreTrailingSlash !== true
  // In this order: whatever comes of the guard has the headers, and a page that is in disguise learns nothing of the
  // guard.
  const hooks = [
    setHeaders,
    watchReply,
    ...admin.hosts === null ? [] : [answerOnlyTo(admin.hosts)],
    ...admin.onRequest.map(asGuard)
  ]

  addNumbers()
  if (guarded) {
    // Whatever else this app reads its bodies with, or leaves to a proxy.
    fastify.removeContentTypeParser('application/json')
    fastify.addContentTypeParser(
      'application/json', { parseAs: 'string', bodyLimit: MAX_PATCH }, fastify.getDefaultJsonParser('error', 'error')
    )
    addMismatches()
    addEndpoints()
    addNoise()
    addVerdict()
    addSwitch()
    addPage(mirrors, verdicts, endpoints, rows, add)
  } else {
    add('GET', '/ui', schemas.pageWithoutGuard, async (_request, reply) => {
      return reply.code(404).send({ statusCode: 404, error: 'Not Found', message: NO_GUARD })
    })
    fastify.addHook('onReady', async () => {
      fastify.log.warn(
        { prefix: admin.prefix },
        'the numbers of the mirrors can be read by whoever reaches this app: give admin.onRequest to guard them'
      )
    })
  }

  function addNumbers () {
    add('GET', '', schemas.list, async (request, reply) => {
      return sendPage(request, reply, (most, after) => numbers.page(most, after))
    })
    add('GET', '/:id', schemas.get, async (request, reply) => {
      const body = numbers.one((request as WithId).params.id)
      return body === null ? notFound(request as WithId, reply) : reply.type(JSON_TYPE).send(body)
    })
  }

  function addMismatches () {
    add('GET', '/:id/mismatches', schemas.mismatches, async (request, reply) => {
      const mirror = all().get((request as WithId).params.id)
      if (mirror === undefined) return notFound(request as WithId, reply)
      const { sort, endpoint } = request.query as MismatchFilter
      return sendPage(request, reply, (most, after) => {
        return placePage(mirror.period.places.index(sort, endpoint), mirror.backends, most, after)
      })
    })
    add('DELETE', '/:id/mismatches', schemas.clear, async (request, reply) => {
      return mirrors.clear((request as WithId).params.id) ? reply.code(204).send() : notFound(request as WithId, reply)
    })
    add('GET', '/:id/mismatches/:place/curl', schemas.curl, async (request, reply) => {
      const { id, place } = request.params as { id: string, place: string }
      const { side, base } = request.query as { side: CurlSide, base?: string }
      // The primary's side is this app, as whoever asks has reached it: never the Host of the mirrored request, which
      // anybody chose.
      const own = side === 'primary' ? `${request.protocol}://${request.host}` : undefined
      const command = mirrors.curl(id, place, side, base ?? own)
      return command === undefined
        ? notFound(request as WithId, reply)
        : reply.type('text/plain; charset=utf-8').send(command + '\n')
    })
  }

  function addEndpoints () {
    add('GET', '/:id/endpoints', schemas.endpoints, async (request, reply) => {
      const mirror = all().get((request as WithId).params.id)
      if (mirror === undefined) return notFound(request as WithId, reply)
      return sendPage(request, reply, async (most, after) => endpointPage(await endpoints.of(mirror), most, after))
    })
  }

  function addNoise () {
    add('GET', '/:id/noise', schemas.noise, async (request, reply) => {
      return mirrors.noise((request as WithId).params.id) ?? notFound(request as WithId, reply)
    })
    add('POST', '/:id/noise', schemas.decideNoise, async (request, reply) => {
      forget()
      const { params: { id }, body } = request as WithId
      return mirrors.decideNoise(id, body as NoiseDecision, changeLog(request)) ?? notFound(request as WithId, reply)
    }, unchecked)
  }

  function addVerdict () {
    const endWaiting = addVerdicts(verdicts, add, (request, reply) => notFound(request as WithId, reply))
    fastify.addHook('preClose', async () => endWaiting())
    add('POST', '/:id/reset', schemas.reset, async (request, reply) => {
      forget()
      return mirrors.reset((request as WithId).params.id) ? reply.code(204).send() : notFound(request as WithId, reply)
    })
  }

  function addSwitch () {
    add('PATCH', '', schemas.switchAll, async request => {
      forget()
      return mirrors.updateAll(request.body as SwitchState, changeLog(request))
    }, unchecked)
    add('PATCH', '/:id', schemas.update, async (request, reply) => {
      const { id } = (request as WithId).params
      forget()
      const patch = withCaller(request.body as MirrorPatch, request)
      return mirrors.update(id, patch, changeLog(request)) ?? notFound(request as WithId, reply)
    }, unchecked)
    addRules(all, add, (request, reply) => notFound(request as WithId, reply))
  }

  /** Forgets what was told: whoever asks next sees the change. */
  function forget () {
    numbers.forget()
    verdicts.forget()
    rows.forget()
    endpoints.forget()
  }

  function add (...[method, path, schema, handler, more = {}]: Parameters<AddRoute>): void {
    addOne(method, path, schema, handler, more)
    // The second is hidden from documentations.
    if (slashes && more.others !== 'load') addOne(method, `${path}/`, { ...schema, hide: true }, handler, more)
  }

  function addOne (
    method: string, path: string, schema: object, handler: RouteOptions['handler'], more: MoreOptions
  ): void {
    const { schema: users, onSend = [], ...rest } = admin.routeOptions as Partial<RouteOptions>
    const { others = 'none', ...own } = more
    fastify.route({
      ...rest,
      ...own,
      method: method as 'GET',
      url: admin.prefix + path,
      schema: { ...schema, ...users },
      // An array of its own: other plugins add to it in their onRoute hooks.
      onRequest: [...hooks, ...ORIGIN_CHECKS[others]] as RouteOptions['onRequest'],
      onSend: [onSend, keepHeaders].flat() as onSendHookHandler[],
      handler: unlessAnswered(handler)
    })
  }
}

async function sendPage (
  request: FastifyRequest, reply: FastifyReply, read: (most: number, after: string | undefined) => Promise<Page>
) {
  const { after, ...rest } = request.query as { limit: number, after?: string }
  const { body, last } = await read(rest.limit, after)
  if (last !== null) {
    const query = Object.entries({ ...rest, after: last }).map(([key, value]) => `${key}=${encodeURIComponent(value)}`)
    reply.header('link', `<?${query.join('&')}>; rel="next"`)
  }
  return reply.type(JSON_TYPE).send(body)
}

const NO_GUARD = 'the page is only there behind a guard, and there is none: give the plugin admin.onRequest, ' +
  'a hook that answers 401 to whom is no operator, such as the one for passwords in docs/admin.md of fastify-mirror'

function notFound ({ params }: WithId, reply: FastifyReply) {
  const what = 'place' in params ? 'such place of mismatches, or no example of it' : 'mirror'
  return reply.code(404).send({
    statusCode: 404,
    error: 'Not Found',
    message: `there is no ${what} ${JSON.stringify(params)}`
  })
}
