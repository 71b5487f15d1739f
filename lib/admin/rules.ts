import type { FastifyReply, FastifyRequest } from 'fastify'
import type { MirrorPatch, RuleInForce } from '../../types/index'
import type { Mirror } from '../mirror/mirror'
import { tryRules } from '../mirror/rule-trial'
import { unchecked } from './route'
import type { AddRoute } from './route'
import * as schemas from './schemas'
import { inTurns } from './verdicts'

type NotFound = (request: FastifyRequest, reply: FastifyReply) => unknown

/** The routes by which rules are read, and tried before they are set. */
export function addRules (all: () => ReadonlyMap<string, Mirror>, add: AddRoute, notFound: NotFound): void {
  const mirrorOf = (request: FastifyRequest) => all().get((request.params as { id: string }).id)
  add('GET', '/:id/rules', schemas.rules, async (request, reply) => {
    const mirror = mirrorOf(request)
    if (mirror === undefined) return notFound(request, reply)
    const { rules } = mirror
    const { format } = request.query as { format: 'json' | 'yaml' }
    return format === 'json' ? reply.send({ rules }) : reply.type('application/yaml; charset=utf-8').send(yamlOf(rules))
  })
  add('POST', '/:id/rules/try', schemas.tryRules, async (request, reply) => {
    const mirror = mirrorOf(request)
    if (mirror === undefined) return notFound(request, reply)
    const { rules } = Object(request.body) as { rules: unknown }
    return inTurns(tryRules(mirror, rules))
  }, unchecked)
}

/** Who changes rules is who asks, unless the patch says. */
export function withCaller (patch: MirrorPatch, { ip }: FastifyRequest): MirrorPatch {
  const { rules, by } = Object(patch) as MirrorPatch
  return rules === undefined || by !== undefined ? patch : { ...patch, by: ip }
}

/** What of a mirror's options gives it these rules. Text in JSON is text in YAML. */
export function yamlOf (rules: readonly RuleInForce[]): string {
  const lines = rules.flatMap(({ rule, by, since }) => {
    const [first, ...rest] = Object.entries(rule).map(([key, value]) => `${key}: ${JSON.stringify(value)}`)
    return [`    # ${by}, ${since}`, `    - ${first}`, ...rest.map(line => `      ${line}`)]
  })
  const head = ['compare:', '  enabled: true', '  detailedDiff: true', rules.length === 0 ? '  rules: []' : '  rules:']
  return [...head, ...lines, ''].join('\n')
}
