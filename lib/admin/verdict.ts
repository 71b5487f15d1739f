import type { FastifyReply, FastifyRequest } from 'fastify'
import type { MirrorVerdict, Mirrors, VerdictWord } from '../../types/index'
import { FST_MIRROR_BAD_PERIOD, FST_MIRROR_OLDER_PERIOD, FST_MIRROR_TOO_MANY_WAIT } from '../errors'
import { periodStart } from '../verdict/period'
import type { AddRoute } from './route'
import * as schemas from './schemas'
import { Waiting } from './waiting'

interface Query {
  gate?: string
  /** Seconds. */
  wait: number
  since?: string
}

/** One mirror's verdict, or that of all. */
interface Read {
  verdict: VerdictWord
}

/** The routes by which a pipeline asks for a verdict. Returns what ends all that wait. */
export function addVerdicts (mirrors: Mirrors, add: AddRoute, notFound: (request: FastifyRequest, reply: FastifyReply) => unknown): () => void {
  const waiting = new Waiting()

  add('GET', '/verdict', schemas.verdictOfAll, async (request, reply) => {
    return answer(() => mirrors.verdictAll(), () => mirrors.verdictAll().mirrors.map(({ since }) => since), request, reply)
  })
  add('GET', '/:id/verdict', schemas.verdict, async (request, reply) => {
    const { id } = request.params as { id: string }
    if (mirrors.verdict(id) === undefined) return notFound(request, reply)
    // One that is there stays there.
    const read = () => mirrors.verdict(id) as MirrorVerdict
    return answer(read, () => [read().since], request, reply)
  })
  return () => waiting.close()

  async function answer (read: () => Read, starts: () => string[], request: FastifyRequest, reply: FastifyReply) {
    const { gate, wait, since } = request.query as Query
    if (since !== undefined) refuseOlder(since, starts())
    if (wait > 0) {
      if (waiting.full) {
        reply.header('retry-after', '5')
        throw new FST_MIRROR_TOO_MANY_WAIT()
      }
      await waiting.wait(() => read().verdict, wait * 1000, reply)
    }
    const verdict = read()
    // 417, Expectation Failed: nothing else on the way answers so, and `curl -f` takes it for a failure.
    return reply.code(gate !== undefined && verdict.verdict !== 'ready' ? 417 : 200).send(verdict)
  }
}

/** A pipeline that has deployed must not be told of what was before. */
function refuseOlder (since: string, starts: readonly string[]): void {
  const wanted = periodStart(since)
  if (wanted === null) throw new FST_MIRROR_BAD_PERIOD()
  const older = starts.find(start => Date.parse(start) < wanted)
  if (older !== undefined) throw new FST_MIRROR_OLDER_PERIOD(older)
}
