import type { BackendSnapshot } from '../../types/index'

const text = { type: 'string' }
const count = { type: 'integer' }
const number = { type: 'number' }
const flag = { type: 'boolean' }
const milliseconds = { type: ['number', 'null'] }

function object (properties: Record<string, unknown>) {
  return { type: 'object', properties }
}

function counts (...keys: string[]) {
  return object(Object.fromEntries(keys.map(key => [key, count])))
}

const latency = object({
  count, p50: milliseconds, p90: milliseconds, p95: milliseconds, p99: milliseconds, max: milliseconds
})

const backendProperties: Record<keyof BackendSnapshot, unknown> = {
  name: text,
  url: text,
  enabled: flag,
  percentage: number,
  offered: count,
  disabled: count,
  unsampled: count,
  dropped: counts('inFlight', 'memory', 'breaker', 'closing', 'thread', 'error'),
  total: count,
  inFlight: count,
  success: count,
  failure: counts('timeout', 'connect', 'reset', 'body', 'overflow', 'aborted'),
  status: counts('2xx', '3xx', '4xx', '5xx'),
  comparing: count,
  compared: count,
  matched: count,
  mismatched: count,
  notCompared: counts(
    'off', 'primaryAborted', 'primaryFailed', 'hijacked', 'encoding', 'memory', 'thread', 'untapped'
  ),
  mismatches: counts('status', 'headers', 'body'),
  latency: object({ mirror: latency, primary: latency, difference: latency }),
  breaker: text
}

const mirror = object({
  id: text,
  routes: { type: 'array', items: object({ method: { type: 'array', items: text }, url: text }) },
  enabled: flag,
  percentage: number,
  ...counts('seen', 'disabled', 'filtered', 'looped', 'upgraded', 'unsampled', 'pending', 'unhandled', 'mirrored').properties,
  backends: { type: 'array', items: object(backendProperties) }
})

/** As Fastify answers for what is not found. */
const notFound = object({ statusCode: count, error: text, message: text })

export const listSchema = {
  summary: 'Every mirror\'s numbers, by id',
  response: { 200: { type: 'object', additionalProperties: mirror } }
}

export const getSchema = {
  summary: 'One mirror\'s numbers',
  params: { type: 'object', properties: { id: text }, required: ['id'] },
  response: { 200: mirror, 404: notFound }
}
