import type { PagePlaceExamples } from './page-data'
import { base, notFound, object, placeExample, placeOrder, text } from './schemas'

// The page's routes are of no interest to whoever reads an API's documentation.
const hidden = { hide: true }

/** Every property of that type. */
function all<Shape> (properties: Record<keyof Shape, unknown>) {
  return object(properties)
}

export const file = hidden

export const state = {
  ...hidden,
  querystring: { type: 'object', properties: { mirror: text, sort: placeOrder, endpoint: text } }
}

export const place = {
  ...hidden,
  querystring: {
    type: 'object',
    properties: { mirror: text, place: text, base },
    required: ['mirror', 'place', 'base']
  },
  response: {
    200: all<PagePlaceExamples>({
      examples: {
        type: 'array', items: object({ ...placeExample.properties, curl: object({ shadow: text, primary: text }) })
      }
    }),
    404: notFound
  }
}
