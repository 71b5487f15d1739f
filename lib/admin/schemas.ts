import type { BackendSnapshot } from '../../types/index'
import { DROPPED, FAILED, NOT_COMPARED, REPEAT_DROPPED } from '../reasons'

export const text = { type: 'string' }
const count = { type: 'integer' }
const number = { type: 'number' }
const flag = { type: 'boolean' }
const milliseconds = { type: ['number', 'null'] }

export function object (properties: Record<string, unknown>) {
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
  dropped: counts(...Object.keys(DROPPED)),
  total: count,
  inFlight: count,
  success: count,
  failure: counts(...Object.keys(FAILED)),
  status: counts('2xx', '3xx', '4xx', '5xx'),
  comparing: count,
  compared: count,
  matched: count,
  mismatched: count,
  notCompared: counts(...Object.keys(NOT_COMPARED)),
  mismatches: counts('status', 'headers', 'body'),
  latency: object({ shadow: latency, primary: latency, difference: latency }),
  breaker: text
}

const rule = { type: 'object', additionalProperties: true }

const ruleInForce = object({ rule, by: text, since: text })

const mirror = object({
  id: text,
  routes: { type: 'array', items: object({ method: { type: 'array', items: text }, url: text }) },
  enabled: flag,
  percentage: number,
  rules: { type: 'array', items: ruleInForce },
  ...counts(
    'seen', 'disabled', 'filtered', 'looped', 'upgraded', 'unsampled', 'pending', 'unhandled', 'mirrored'
  ).properties,
  repeats: {
    ...object({
      ...counts(
        'asked', 'total', 'inFlight', 'success', 'comparing', 'compared', 'matched', 'mismatched', 'cached'
      ).properties,
      dropped: counts(...Object.keys(REPEAT_DROPPED)),
      failure: counts(...Object.keys(FAILED)),
      notCompared: counts(...Object.keys(NOT_COMPARED))
    }),
    nullable: true
  },
  backends: { type: 'array', items: object(backendProperties) }
})

/** Fastify's own answer for what is not found. */
export const notFound = object({ statusCode: count, error: text, message: text })

export const badRequest = object({ statusCode: count, code: text, error: text, message: text })

const ofMirror = { type: 'object', properties: { id: text }, required: ['id'] }

/** Which part of a list, where it is long. */
const page = { limit: { type: 'integer', minimum: 1, maximum: 10_000, default: 1000 }, after: text }

export const list = {
  summary: 'Every mirror\'s numbers, by id; those that do not fit are where the header Link says',
  querystring: object(page),
  response: { 200: { type: 'object', additionalProperties: mirror } }
}

export const get = {
  summary: 'One mirror\'s numbers',
  params: ofMirror,
  response: { 200: mirror, 404: notFound }
}

export const pageWithoutGuard = { hide: true, response: { 404: notFound } }

const nullableText = { type: ['string', 'null'] }
const texts = { type: 'array', items: text }

const header = object({ name: text, primary: texts, shadow: texts })

const jsonDifference = object({ pointer: text, change: text, event: count, primary: text, shadow: text })

const mismatch = object({
  backend: text,
  time: text,
  request: object({ method: text, path: text, sentPath: text, headers: texts, body: nullableText, truncated: flag }),
  primaryStatus: count,
  shadowStatus: count,
  primaryHash: text,
  shadowHash: text,
  headers: { type: 'array', items: header },
  body: {
    ...object({
      kind: text,
      differences: { type: 'array', items: jsonDifference },
      truncated: flag,
      byIndex: flag,
      primaryLength: count,
      shadowLength: count,
      offset: count,
      reason: text
    }),
    nullable: true
  }
})

const nullableCount = { type: ['integer', 'null'] }

export const placeExample = object({ uses: texts, rarest: text, ...mismatch.properties })

const place = object({
  id: text,
  endpoint: text,
  where: text,
  kind: nullableText,
  count,
  share: number,
  first: text,
  last: text,
  explained: nullableText,
  backends: { type: 'array', items: object({ name: text, count }) },
  examples: { type: 'array', items: placeExample }
})

/** The orders of places, as in `fastify.mirrors`. */
export const placeOrder = { type: 'string', enum: ['rarest', 'frequent', 'newest', 'status'], default: 'rarest' }

export const mismatches = {
  summary:
    'Where one mirror\'s answers differ, the rarest place first; those that do not fit are where the header Link says',
  params: ofMirror,
  querystring: object({ ...page, sort: placeOrder, endpoint: text }),
  response: {
    200: object({
      limit: count,
      limited: flag,
      withoutExample: count,
      unsorted: count,
      total: count,
      places: { type: 'array', items: place }
    }),
    404: notFound
  }
}

export const clear = {
  summary: 'Forgets one mirror\'s mismatches; running totals stay',
  params: ofMirror,
  response: { 204: { type: 'null' }, 404: notFound }
}

/** Of a curl command. A password would stand in shells' histories, and in this app's log. */
export const base = { type: 'string', maxLength: 2000, pattern: '^https?://[^/?#@\\\\]+(?:[/?#]|$)' }

export const curl = {
  summary: 'The request of the first example of a place as a curl command',
  params: { type: 'object', properties: { id: text, place: text }, required: ['id', 'place'] },
  querystring: {
    type: 'object',
    properties: {
      side: { type: 'string', enum: ['shadow', 'primary'], default: 'shadow' },
      base
    }
  },
  response: { 404: notFound }
}

const reason = object({
  about: text,
  state: text,
  text,
  count,
  of: count,
  rate: { type: ['number', 'null'] },
  interval: { type: 'array', items: number },
  unsure: count,
  p95: milliseconds,
  limit: number,
  needed: nullableCount,
  endpoints: {
    type: 'array',
    items: object({ name: text, share: number, compared: count, mismatched: count, needed: nullableCount, text })
  }
})

const verdictAnswer = object({
  id: text,
  verdict: text,
  period: text,
  since: text,
  backends: {
    type: 'array',
    items: object({ name: text, verdict: text, reasons: { type: 'array', items: reason } })
  }
})

/** `wait`: seconds. */
const ofVerdict = {
  type: 'object',
  properties: { gate: text, wait: { type: 'integer', minimum: 0, maximum: 3600, default: 0 }, since: text }
}

const noVerdict = { 400: badRequest, 409: badRequest, 503: badRequest }

export const verdict = {
  summary: 'Whether the counts allow to release; with ?gate 417 unless it is ready, with &wait once that is decided',
  params: ofMirror,
  querystring: ofVerdict,
  response: { 200: verdictAnswer, 417: verdictAnswer, 404: notFound, ...noVerdict }
}

const verdicts = object({ verdict: text, mirrors: { type: 'array', items: verdictAnswer } })

export const verdictOfAll = {
  summary: 'The verdicts of all mirrors, and of them together; with ?gate 417 unless all are ready',
  querystring: ofVerdict,
  response: { 200: verdicts, 417: verdicts, ...noVerdict }
}

const endpointCounts = counts(
  'mirrored', 'inFlight', 'comparing', 'compared', 'matched', 'mismatched', 'failed', 'lost', 'leftOut', 'pairs',
  'slower'
).properties

const endpointBackend = object({
  name: text,
  verdict: nullableText,
  ...endpointCounts,
  p95: milliseconds,
  p99: milliseconds,
  latestMismatch: nullableText
})

export const endpoints = {
  summary: 'One mirror\'s numbers by endpoint, the busiest first; those that do not fit are where the header Link says',
  params: ofMirror,
  querystring: object(page),
  response: {
    200: object({
      limit: count,
      limited: flag,
      endpoints: {
        type: 'array', items: object({ name: text, share: number, backends: { type: 'array', items: endpointBackend } })
      }
    }),
    404: notFound
  }
}

const noiseList = object({
  dismissed: count,
  proposals: {
    type: 'array',
    items: object({
      id: text,
      endpoint: text,
      where: text,
      // Of whatever kind it is.
      rule: { type: 'object', additionalProperties: true },
      basis: text,
      ...counts('repeats', 'differing', 'cached', 'compared', 'mismatches', 'explains').properties,
      text,
      note: nullableText,
      examples: { type: 'array', items: object({ first: nullableText, second: nullableText }) }
    })
  }
})

export const noise = {
  summary: 'What one mirror\'s answers differ by on their own, as rules to be accepted or dismissed',
  params: ofMirror,
  response: { 200: noiseList, 404: notFound }
}

export const decideNoise = {
  summary: 'Accepts and dismisses proposals of noise; what is accepted together begins one period',
  params: ofMirror,
  body: object({ accept: texts, dismiss: texts }),
  response: { 200: noiseList, 400: badRequest, 404: notFound }
}

export const reset = {
  summary: 'Counts one mirror anew, as after a new version of a shadow',
  params: ofMirror,
  response: { 204: { type: 'null' }, 404: notFound }
}

/** Of bodies these say to readers what is allowed; what checks them is the options' own schema. */
const settings = { enabled: flag, percentage: { type: 'number', minimum: 0, maximum: 100 } }

const switchState = object({ enabled: flag })

export const switchAll = {
  summary: 'Switches all mirrors off, or on again as each was',
  body: switchState,
  response: { 200: switchState, 400: badRequest }
}

const ruleList = { type: 'array', items: rule }

export const rules = {
  summary: 'The rules by which one mirror\'s answers are compared; with ?format=yaml as its options would have them',
  params: ofMirror,
  querystring: object({ format: { type: 'string', enum: ['json', 'yaml'], default: 'json' } }),
  response: { 404: notFound }
}

export const tryRules = {
  summary: 'Which places of one mirror rules would explain, by the stored examples; nothing is changed',
  params: ofMirror,
  body: object({ rules: ruleList }),
  response: {
    200: object({
      of: count,
      places: {
        type: 'array',
        items: object({ id: text, endpoint: text, where: text, kind: nullableText, count, explained: text })
      }
    }),
    400: badRequest,
    404: notFound
  }
}

export const update = {
  summary: 'Switches one mirror and its backends, sets their percentages and rules, and connects anew',
  params: ofMirror,
  body: object({
    ...settings,
    rules: ruleList,
    by: text,
    reconnect: { type: 'boolean', enum: [true] },
    backends: { type: 'object', additionalProperties: object(settings) }
  }),
  response: { 200: mirror, 400: badRequest, 404: notFound }
}
