import type { IncomingMessage } from 'node:http'
import { ownName, pathName } from '../endpoints/naming'
import type { EndpointRoute } from '../endpoints/naming'
import type { Endpoint, Endpoints } from '../endpoints/table'
import type { Mirror } from '../mirror/mirror'

const NOTHING = Buffer.alloc(0)

/** A request's endpoint when it is sent; that of pending ones where its end or its answer must be awaited. */
export function endpointAtStart (
  mirror: Mirror, endpoints: Endpoints, route: EndpointRoute, raw: IncomingMessage
): Endpoint {
  if (mirror.config.endpoint !== 'auto') return endpoints.pending
  const path = pathName(route, raw)
  if (route.wildcard) return endpoints.find(raw.method as string, path) ?? endpoints.pending
  return endpoints.add(raw.method as string, path)
}

/** Its endpoint by its path, when the primary has answered. `found`: with anything but 404 or 405. */
export function endpointByPath (
  endpoints: Endpoints, route: EndpointRoute, raw: IncomingMessage, found: boolean
): Endpoint {
  const [method, path] = [raw.method as string, pathName(route, raw)]
  if (!route.wildcard || found) return endpoints.add(method, path)
  return endpoints.find(method, path) ?? endpoints.notFound
}

/** Its endpoint by its own name, when it is over, else by its path. */
export function endpointByName (
  mirror: Mirror, endpoints: Endpoints, route: EndpointRoute, raw: IncomingMessage, bodyHead: Buffer | undefined,
  found: boolean
): Endpoint {
  const { endpoint } = mirror.config
  try {
    const name = endpoint === 'auto' ? undefined : ownName(endpoint, route, raw, bodyHead ?? NOTHING)
    return name === undefined ? endpointByPath(endpoints, route, raw, found) : endpoints.add('', name)
  } catch (error) {
    mirror.warn('endpoint failed', error)
    return endpoints.other
  }
}
