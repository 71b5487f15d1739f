import type { FastifyRequest } from 'fastify'
import type { DropReason } from '../engine/types'
import type { BackendSkip } from '../metrics/books'
import type { Backend } from '../mirror/backend'
import type { Mirror } from '../mirror/mirror'
import type { Upstream } from '../proxy/upstream'
import { originForm } from '../request-target'
import { goesUp } from './base-path'
import type { RequestBody } from './body'
import { copyHeaders } from './copy-headers'
import type { SharedHeaders } from './copy-headers'

/** The decision about a request: for each backend of its mirror the headers of its copy, or why it gets none. */
export interface Decision {
  /** The copies' path, with query, in origin form; empty where there is none. */
  path: string
  readonly backends: Array<string[] | BackendSkip | DropReason>
}

/** The part of a request that the decision needs. */
export interface Decidable {
  readonly mirror: Mirror
  readonly body: RequestBody | null
  /** Its sampling key. */
  readonly key: string | undefined
  readonly keyFailed: boolean
}

/**
 * Decides for each backend whether it gets a copy. Counts nothing: functions of the user's run here, and none of them
 * may see books that do not close. `upstream`: where the primary's request goes; `null`: the copies go where the
 * request itself does.
 */
export function decide (decidable: Decidable, request: FastifyRequest, upstream: Upstream | null): Decision {
  const decision: Decision = { path: '', backends: [] }
  const shared: SharedHeaders = { headers: null }
  const now = performance.now()
  for (const backend of decidable.mirror.backends) {
    const refused = refusal(decidable, backend, now)
    decision.backends.push(refused ?? copyFor(decidable, backend, decision, shared, request, upstream))
  }
  return decision
}

function refusal ({ mirror, body, key }: Decidable, backend: Backend, now: number): BackendSkip | DropReason | null {
  if (!backend.enabled) return 'disabled'
  if (!mirror.samplesFor(backend, key)) return 'unsampled'
  return backend.gate.refusal(body?.lost === true, now) ?? mirror.engine.refusal()
}

function copyFor (
  { mirror, body, keyFailed }: Decidable, backend: Backend, decision: Decision, shared: SharedHeaders,
  request: FastifyRequest, upstream: Upstream | null
): string[] | DropReason {
  // Only now: where nobody takes a copy it matters little where it would go, and a great deal that it costs little to
  // know.
  if (decision.path === '') {
    decision.path = upstream === null ? originForm(request.raw.url as string) : upstream.pathOf(request)
  }
  if (backend.config.basePath !== '' && goesUp(decision.path)) return 'path'
  if (keyFailed || body?.unheard === true) return 'error'
  return copyHeaders(mirror, backend, request, shared) ?? 'error'
}
