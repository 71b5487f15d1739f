import type { FastifyRequest } from 'fastify'
import { OF_PRIMARY } from '../engine/types'
import type { RepeatInit } from '../engine/types'
import type { CopyOutcome, EndpointNamer } from '../mirror/copy-outcome'
import { REPEATED } from '../mirror/head-rules'
import type { Mirror } from '../mirror/mirror'
import type { Period } from '../mirror/period'
import { RepeatOutcome } from '../mirror/repeat-outcome'
import type { Reference, Repeats } from '../mirror/repeats'
import type { Evidence } from '../noise/evidence'
import { goesUp } from './base-path'
import type { RequestBody } from './body'
import { copyHeaders } from './copy-headers'

/** A copy that is about to go out. */
export interface OutgoingCopy {
  readonly target: unknown
  readonly head: { path: string, headers: string[] }
  readonly sink: CopyOutcome
}

export interface PlannedRepeat extends RepeatInit<unknown> {
  readonly sink: RepeatOutcome
}

/** The request whose copies go out. */
export interface Repeatable extends EndpointNamer {
  readonly mirror: Mirror
  readonly body: RequestBody | null
}

/** What is to be asked once more; `null`: nothing, this time. `path`: the copies', without that of a backend's URL. */
export function planRepeat (
  repeatable: Repeatable, repeats: Repeats, request: FastifyRequest, path: string, copies: readonly OutgoingCopy[],
  period: Period
): PlannedRepeat | null {
  const { reference } = repeats
  const sources = reference === null ? copies.map(({ sink }) => repeats.ofCopy(sink.index)) : [reference]
  reference?.allowance.earn(1)
  if (!isSafe(repeatable, repeats, request.raw.method as string)) return null
  const [{ sink: { entry } }] = copies
  const { allowance } = sources[0]
  const needed = entry.endpoint !== period.endpoints.pending && (period.evidence as Evidence).needs(entry.endpoint)
  if (!needed && Math.random() >= allowance.chance) return null
  const of = sources.findIndex(source => source.allowance.take())
  if (of === -1) return null
  const source = sources[of]
  const head = reference === null ? sameHead(copies[of]) : headFor(repeatable, reference, request, path, copies[0])
  if (head === null) {
    source.allowance.giveBack()
    return null
  }
  head.headers[head.headers.length - 1] += REPEATED
  const { mirror, body } = repeatable
  const sink = new RepeatOutcome(mirror, source, period, copies[of].sink.entry, repeatable, body)
  if (reference === null) copies[of].sink.repeat = sink
  return { target: source.target, head, sink, of: reference === null ? of : OF_PRIMARY }
}

/** Whether it asks for nothing but an answer, as far as is known before its body. */
function isSafe ({ mirror, body }: Repeatable, { config }: Repeats, method: string): boolean {
  if (body === null) return config.methods.has(method)
  return mirror.config.endpoint === 'graphql' && method === 'POST'
}

/** The mark comes last in all of them. */
function sameHead ({ head: { path, headers } }: OutgoingCopy): OutgoingCopy['head'] {
  return { path, headers: headers.slice() }
}

/** `null`: it is not for this instance, as its path goes up, or the user's function failed. */
function headFor (
  { mirror }: Repeatable, reference: Reference, request: FastifyRequest, path: string, copy: OutgoingCopy
): OutgoingCopy['head'] | null {
  const { basePath } = reference.config
  if (basePath !== '' && goesUp(path)) return null
  const headers = copyHeaders(mirror, reference, request, { headers: copy.head.headers })
  return headers === null ? null : { path: basePath + path, headers }
}
