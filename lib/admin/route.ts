import type { FastifyBaseLogger, FastifyRequest, RouteOptions } from 'fastify'

/** Content type of ready JSON. */
export const JSON_TYPE = 'application/json; charset=utf-8'

export interface MoreOptions {
  validatorCompiler?: RouteOptions['validatorCompiler']
  /**
   * What pages of other origins may do with it. Default: nothing. `link`: lead to it; `load`: anything, as there is
   * nothing in it.
   */
  others?: 'link' | 'load'
}

/** Adds a route below the admin prefix, behind the guard, with and without a slash at its end. */
export type AddRoute = (
  method: 'GET' | 'PATCH' | 'POST' | 'DELETE', path: string, schema: object, handler: RouteOptions['handler'],
  more?: MoreOptions
) => void

/** Fastify's own validation would turn "50" into 50 and drop a misspelled key: `fastify.mirrors` checks. */
export const unchecked: MoreOptions = { validatorCompiler: () => () => true }

/** The request's logger, at the app's level: `routeOptions.logLevel` is to silence those who only look. */
export function changeLog ({ log, server }: FastifyRequest): FastifyBaseLogger {
  return log.child({}, { level: server.log.level })
}
