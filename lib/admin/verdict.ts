import type { FastifyReply, FastifyRequest } from 'fastify'
import { FST_MIRROR_BAD_PERIOD, FST_MIRROR_OLDER_PERIOD, FST_MIRROR_TOO_MANY_WAIT } from '../errors'
import { periodStart } from '../verdict/period'
import type { PeriodMark } from '../verdict/period'
import type { AddRoute } from './route'
import * as schemas from './schemas'
import type { Verdicts } from './verdicts'
import { PAUSE, Waiting } from './waiting'
import type { Subject } from './waiting'

type NotFound = (request: FastifyRequest, reply: FastifyReply) => unknown

/** Milliseconds that a verdict may be old for those who wait: they share it, and each look finds another. */
const FRESH = PAUSE / 2

interface Query {
  gate?: string
  /** Seconds. */
  wait: number
  since?: string
}

/** The routes by which a pipeline asks for a verdict. Returns what ends all that wait. */
export function addVerdicts (verdicts: Verdicts, add: AddRoute, notFound: NotFound): () => void {
  const read = (subject: Subject, age?: number) => subject === null ? verdicts.ofAll(age) : verdicts.of(subject, age)
  const waiting = new Waiting(async subject => (await read(subject, FRESH)).verdict)

  add('GET', '/verdict', schemas.verdictOfAll, async (request, reply) => answer(null, request, reply))
  add('GET', '/:id/verdict', schemas.verdict, async (request, reply) => {
    const mirror = verdicts.mirrors().get((request.params as { id: string }).id)
    return mirror === undefined ? notFound(request, reply) : answer(mirror, request, reply)
  })
  return () => waiting.close()

  async function answer (subject: Subject, request: FastifyRequest, reply: FastifyReply) {
    const { gate, wait, since } = request.query as Query
    if (since !== undefined) refuseOlder(since, subject === null ? [...verdicts.mirrors().values()] : [subject])
    if (wait > 0) {
      if (waiting.full) {
        reply.header('retry-after', '5')
        throw new FST_MIRROR_TOO_MANY_WAIT()
      }
      await waiting.wait(subject, wait * 1000, reply)
    }
    const verdict = await (wait > 0 ? read(subject, FRESH) : read(subject))
    // 417, Expectation Failed: nothing else on the way answers so, and `curl -f` takes it for a failure.
    return reply.code(gate !== undefined && verdict.verdict !== 'ready' ? 417 : 200).send(verdict)
  }
}

/** A pipeline that has deployed must not be told of what was before. */
function refuseOlder (since: string, mirrors: ReadonlyArray<{ period: PeriodMark }>): void {
  const wanted = periodStart(since)
  if (wanted === null) throw new FST_MIRROR_BAD_PERIOD()
  const older = mirrors.find(({ period }) => period.since.getTime() < wanted)
  if (older !== undefined) throw new FST_MIRROR_OLDER_PERIOD(older.period.since.toISOString())
}
