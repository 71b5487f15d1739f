import type { PageBackend, PageExample, PageGroup, PageGroups, PageMirror, PageRow, PageState } from './page-data'
import {
  badRequest, base, count, flag, milliseconds, mirror as snapshot, mismatch, notFound, nullableCount, nullableText, number, object, text,
  texts, verdictAnswer
} from './schemas'

// The page's routes are of no interest to whoever reads an API's documentation.
const hidden = { hide: true }

/** Every property of that type. */
function all<Shape> (properties: Record<keyof Shape, unknown>) {
  return object(properties)
}

function array (items: object) {
  return { type: 'array', items }
}

const percentiles = object({ p50: milliseconds, p95: milliseconds })

const backend = all<PageBackend>({
  name: text,
  total: count,
  failed: count,
  compared: count,
  mismatched: count,
  breaker: text,
  primary: percentiles,
  mirror: percentiles
})

const row = all<PageRow>({
  id: text,
  since: text,
  enabled: flag,
  percentage: number,
  verdict: text,
  seen: count,
  backends: array(backend)
})

const kind = all<PageGroup>({
  id: text,
  backend: text,
  primaryStatus: nullableCount,
  mirrorStatus: nullableCount,
  headers: texts,
  pointers: texts,
  body: nullableText,
  count,
  first: text,
  last: text
})

const mirror = all<PageMirror>({
  snapshot,
  verdict: verdictAnswer,
  groups: all<PageGroups>({ total: count, limit: count, limited: flag, spared: count, groups: array(kind) })
})

const ofMirror = { type: 'object', properties: { mirror: text } }

export const file = hidden

export const state = {
  ...hidden,
  querystring: ofMirror,
  response: {
    200: all<PageState>({
      instance: text,
      prefix: text,
      time: text,
      enabled: flag,
      mirrors: array(row),
      mirror: { ...mirror, nullable: true }
    })
  }
}

export const group = {
  ...hidden,
  querystring: {
    type: 'object',
    properties: { mirror: text, group: text, base },
    required: ['mirror', 'group', 'base']
  },
  response: {
    200: all<PageExample>({
      example: { ...mismatch, nullable: true }, curl: { ...object({ mirror: text, primary: text }), nullable: true }
    }),
    404: notFound
  }
}

export const change = {
  ...hidden,
  response: { 204: { type: 'null' }, 400: badRequest, 404: notFound }
}

export const reset = {
  ...hidden,
  querystring: { ...ofMirror, required: ['mirror'] },
  response: { 204: { type: 'null' }, 404: notFound }
}
