import type { PageExample } from './page-data'
import { base, mismatch, notFound, object, text } from './schemas'

// The page's routes are of no interest to whoever reads an API's documentation.
const hidden = { hide: true }

/** Every property of that type. */
function all<Shape> (properties: Record<keyof Shape, unknown>) {
  return object(properties)
}

const ofMirror = { type: 'object', properties: { mirror: text } }

export const file = hidden

export const state = {
  ...hidden,
  querystring: ofMirror
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
