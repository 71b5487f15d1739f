import { gzipSync } from 'node:zlib'
import { numberOf, ulid } from './endpoint'
import type { Endpoint } from './endpoint'

const JSON_BODY = { 'content-type': 'application/json' }
const OPERATIONS = ['Basket', 'Wishes']

/** What is no plain JSON: GraphQL, events, lines, compressed bodies, validators. */
export const otherKinds: Endpoint[] = [
  {
    method: 'POST',
    url: '/graphql',
    weight: 30,
    ask: random => {
      const name = OPERATIONS[random() < 0.6 ? 0 : 1]
      const query = `query ${name} { mine: list { id name } }`
      return { path: '/graphql', headers: JSON_BODY, body: JSON.stringify({ operationName: name, query }) }
    },
    answer: (request, _, version) => {
      const { operationName } = request.body as { operationName: string }
      const mine = [1, 2, 3].map(id => ({ id, name: `${operationName} ${id}` }))
      if (version.has('graphql') && operationName === 'Wishes') mine[2].name = ''
      return { data: { mine }, extensions: { traceId: ulid() } }
    }
  },
  {
    method: 'GET',
    url: '/events',
    weight: 4,
    ask: () => ({ path: '/events' }),
    answer: (_, reply) => {
      reply.type('text/event-stream')
      const beat = Math.random() < 0.5 ? ': still there\n\n' : ''
      return `event: tick\ndata: {"number":1}\n\n${beat}event: tick\ndata: {"number":2}\n\n`
    }
  },
  {
    method: 'GET',
    url: '/feed',
    weight: 4,
    ask: () => ({ path: '/feed' }),
    answer: (_, reply) => {
      reply.type('application/x-ndjson')
      return [1, 2, 3].map(number => `{"number":${number},"at":"${new Date().toISOString()}"}\n`).join('')
    }
  },
  {
    method: 'GET',
    url: '/config',
    weight: 8,
    ask: () => ({ path: '/config', headers: { 'accept-encoding': 'gzip' } }),
    answer: (_, reply) => {
      reply.type('application/json').header('content-encoding', 'gzip')
      const lines = Array.from({ length: 50 }, (_, line) => `line ${line}`)
      const text = JSON.stringify({ lines, builtAt: new Date().toISOString() })
      return gzipSync(text, { level: 1 + Math.floor(Math.random() * 9) })
    }
  },
  {
    method: 'GET',
    url: '/assets/:name',
    weight: 14,
    ask: (random, known) => {
      const path = `/assets/part${Math.floor(random() * 5)}.js`
      const etag = known.get('etag')
      return { path, headers: etag !== undefined && random() < 0.5 ? { 'if-none-match': etag } : undefined }
    },
    learn: (known, _, headers) => {
      const etag = headers.get('etag')
      if (etag !== null) known.set('etag', etag)
    },
    answer: (request, reply) => {
      const etag = `"${numberOf((request.params as { name: string }).name)}"`
      reply.header('etag', etag).type('text/javascript')
      if (request.headers['if-none-match'] === etag) return reply.code(304).send()
      return 'export default 1\n'
    }
  },
  {
    method: 'GET',
    url: '/health',
    weight: 6,
    ask: () => ({ path: '/health' }),
    answer: () => ({ status: 'ok' })
  }
]
