import type { FastifyRequest } from 'fastify'
import type { EndpointRoute } from '../endpoints/naming'
import type { Mirror } from '../mirror/mirror'
import { MirroredRequest } from './mirrored-request'

/** The request, if the mirror takes it; `null`: it does not, which is counted. */
export function choose (mirror: Mirror, route: EndpointRoute, request: FastifyRequest): MirroredRequest | null {
  const skip = mirror.skips(request.raw)
  if (skip !== null) {
    mirror.books.skip(skip)
    return null
  }
  const key = mirror.keyOf(request)
  const { keyError } = mirror
  if (keyError !== null) {
    mirror.warn('sampleBy failed', keyError)
  } else if (!mirror.samples(key)) {
    mirror.books.skip('unsampled')
    return null
  }
  return new MirroredRequest(mirror, route, request, key, keyError !== null)
}
