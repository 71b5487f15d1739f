import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import type { CurlSide, MirrorPatch, MirrorSnapshot, SwitchState } from '../../types/index'
import { redactSnapshot } from '../metrics/snapshot'
import type { AdminConfig } from '../options/config'
import { changeLog, unchecked } from './route'
import type { AddRoute } from './route'
import { refuseOtherOrigins } from './same-origin'
import * as schemas from './schemas'
import { addPage } from './ui'

/** Bytes of a PATCH's body: a hundred backends with the longest of names and much air. */
const MAX_PATCH = 64 * 1024

interface Options {
  admin: AdminConfig
  /** For each backend of a mirror, whether its name is the user's. */
  named: (id: string) => boolean[]
}

type WithId = FastifyRequest & { params: { id: string } }

/** The routes that `fastify.mirrors` is read and switched by. */
export async function adminRoutes (fastify: FastifyInstance, { admin, named }: Options): Promise<void> {
  const { mirrors } = fastify
  const guarded = admin.onRequest.length > 0

  if (guarded) {
    addNumbers(snapshot => snapshot)
    addMismatches()
    addVerdict()
    addSwitch()
    addPage(mirrors, add)
  } else {
    addNumbers(snapshot => redactSnapshot(snapshot, named(snapshot.id)))
    fastify.addHook('onReady', async () => {
      fastify.log.warn(
        { prefix: admin.prefix },
        'the numbers of the mirrors can be read by whoever reaches this app: give admin.onRequest to guard them'
      )
    })
  }

  function addNumbers (shown: (snapshot: MirrorSnapshot) => object) {
    add('GET', '', schemas.list, async () => {
      return Object.fromEntries(Object.entries(mirrors.list()).map(([id, snapshot]) => [id, shown(snapshot)]))
    })
    add('GET', '/:id', schemas.get, async (request, reply) => {
      const snapshot = mirrors.get((request as WithId).params.id)
      return snapshot === undefined ? notFound(request as WithId, reply) : shown(snapshot)
    })
  }

  function addMismatches () {
    add('GET', '/:id/mismatches', schemas.mismatches, async (request, reply) => {
      return mirrors.mismatches((request as WithId).params.id) ?? notFound(request as WithId, reply)
    })
    add('DELETE', '/:id/mismatches', schemas.clear, async (request, reply) => {
      return mirrors.clear((request as WithId).params.id) ? reply.code(204).send() : notFound(request as WithId, reply)
    })
    add('GET', '/:id/mismatches/:group/curl', schemas.curl, async (request, reply) => {
      const { id, group } = request.params as { id: string, group: string }
      const { side, base } = request.query as { side: CurlSide, base?: string }
      // The primary's side is this app, as whoever asks has reached it: never the Host of the mirrored request, which anybody chose.
      const own = side === 'primary' ? `${request.protocol}://${request.host}` : undefined
      const command = mirrors.curl(id, group, side, base ?? own)
      return command === undefined ? notFound(request as WithId, reply) : reply.type('text/plain; charset=utf-8').send(command + '\n')
    })
  }

  function addVerdict () {
    add('GET', '/:id/verdict', schemas.verdict, async (request, reply) => {
      const verdict = mirrors.verdict((request as WithId).params.id)
      if (verdict === undefined) return notFound(request as WithId, reply)
      const { gate } = request.query as { gate?: string }
      // 417, Expectation Failed: nothing else on the way answers so, and `curl -f` takes it for a failure.
      return reply.code(gate !== undefined && verdict.verdict !== 'ready' ? 417 : 200).send(verdict)
    })
    add('POST', '/:id/reset', schemas.reset, async (request, reply) => {
      return mirrors.reset((request as WithId).params.id) ? reply.code(204).send() : notFound(request as WithId, reply)
    })
  }

  function addSwitch () {
    // Whatever else this app reads its bodies with, or leaves to a proxy.
    fastify.removeContentTypeParser('application/json')
    fastify.addContentTypeParser(
      'application/json', { parseAs: 'string', bodyLimit: MAX_PATCH }, fastify.getDefaultJsonParser('error', 'error')
    )
    add('PATCH', '', schemas.switchAll, async request => {
      return mirrors.updateAll(request.body as SwitchState, changeLog(request))
    }, unchecked)
    add('PATCH', '/:id', schemas.update, async (request, reply) => {
      const { id } = (request as WithId).params
      return mirrors.update(id, request.body as MirrorPatch, changeLog(request)) ?? notFound(request as WithId, reply)
    }, unchecked)
  }

  function add (...[method, path, schema, handler, more]: Parameters<AddRoute>): void {
    const { schema: users, ...rest } = admin.routeOptions
    fastify.route({
      ...rest,
      ...more,
      method,
      url: admin.prefix + path,
      schema: { ...schema, ...users as object },
      // An array of its own: other plugins add to it in their onRoute hooks.
      onRequest: [...admin.onRequest, ...(method === 'GET' ? [] : [refuseOtherOrigins])] as RouteOptions['onRequest'],
      handler
    })
  }
}

function notFound ({ params }: WithId, reply: FastifyReply) {
  return reply.code(404).send({
    statusCode: 404,
    error: 'Not Found',
    message: `there is no ${'group' in params ? 'such mismatch group' : 'mirror'} ${JSON.stringify(params)}`
  })
}
