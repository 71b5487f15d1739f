import type { FastifyRequest } from 'fastify'
import { MARK, clientHost } from '../mirror/head-rules'
import type { Mirror } from '../mirror/mirror'
import type { MirrorConfig } from '../options/config'

/** The headers of a request's first copy, to make others of: but for the host all have the same. */
export interface SharedHeaders {
  headers: string[] | null
}

/** The headers of the copy for one backend, names and values in turn; `null`: the user's function failed. */
export function copyHeaders (
  mirror: Mirror, backend: { config: { host: string } }, request: FastifyRequest, shared: SharedHeaders
): string[] | null {
  const { raw } = request
  const client = clientHost(raw.headers)
  const host = mirror.config.preserveHost && client !== undefined ? client : backend.config.host
  const mark = client ?? 'unknown'
  if (mirror.config.rewriteRequestHeaders !== null) {
    const rewritten = rewrittenHeaders(mirror, request)
    return rewritten === null ? null : ['host', host, ...rewritten, MARK, mark]
  }
  if (shared.headers !== null) {
    const headers = shared.headers.slice()
    headers[1] = host
    return headers
  }
  const headers = shared.headers = mirror.headRules.endToEnd(raw, raw.httpVersionMajor === 2, ['host', host])
  headers.push(MARK, mark)
  return headers
}

function rewrittenHeaders (mirror: Mirror, request: FastifyRequest): string[] | null {
  const rewrite = mirror.config.rewriteRequestHeaders as NonNullable<MirrorConfig['rewriteRequestHeaders']>
  const { headers } = request.raw
  try {
    // A deep copy: what the function changes must not be seen by the primary, nor by the next backend.
    return mirror.headRules.ofRewritten(rewrite(request, structuredClone(headers)), headers.connection)
  } catch (error) {
    mirror.warn('rewriteRequestHeaders failed', error)
    return null
  }
}
