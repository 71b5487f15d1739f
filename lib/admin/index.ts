import type { FastifyInstance, RouteOptions } from 'fastify'
import type { MirrorSnapshot } from '../../types/index'
import { redactSnapshot } from '../metrics/snapshot'
import type { RedactedSnapshot } from '../metrics/snapshot'
import type { AdminConfig } from '../options/config'
import { getSchema, listSchema } from './schemas'

interface Options {
  admin: AdminConfig
  /** For each backend of a mirror, whether its name is the user's. */
  named: (id: string) => boolean[]
}

type Route = Pick<RouteOptions, 'method' | 'url' | 'handler' | 'schema'>

/** The routes that `fastify.mirrors` is read and switched by. */
export async function adminRoutes (fastify: FastifyInstance, { admin, named }: Options): Promise<void> {
  const { mirrors } = fastify
  const guarded = admin.onRequest.length > 0
  const shown = guarded ? asItIs : (snapshot: MirrorSnapshot) => redactSnapshot(snapshot, named(snapshot.id))

  if (!guarded) {
    fastify.addHook('onReady', async () => {
      fastify.log.warn(
        { prefix: admin.prefix },
        'the numbers of the mirrors can be read by whoever reaches this app: give admin.onRequest to guard them'
      )
    })
  }

  add({
    method: 'GET',
    url: admin.prefix,
    schema: listSchema,
    handler: async () => {
      const snapshots = Object.entries(mirrors.list()).map(([id, snapshot]) => [id, shown(snapshot)])
      return Object.fromEntries(snapshots)
    }
  })

  add({
    method: 'GET',
    url: `${admin.prefix}/:id`,
    schema: getSchema,
    handler: async (request, reply) => {
      const { id } = request.params as { id: string }
      const snapshot = mirrors.get(id)
      if (snapshot === undefined) return reply.code(404).send(notFound(id))
      return shown(snapshot)
    }
  })

  function add (route: Route): void {
    const { schema, ...rest } = admin.routeOptions
    fastify.route({
      ...rest,
      ...route,
      schema: { ...route.schema, ...schema as object },
      onRequest: admin.onRequest as RouteOptions['onRequest']
    })
  }
}

function asItIs (snapshot: MirrorSnapshot): MirrorSnapshot | RedactedSnapshot {
  return snapshot
}

function notFound (id: string) {
  return { statusCode: 404, error: 'Not Found', message: `there is no mirror ${JSON.stringify(id)}` }
}
