import { jittered, numberOf, opaque, pick } from './endpoint'
import type { Endpoint } from './endpoint'

const STATES = ['ordered', 'paid', 'sent', 'there']
const JSON_BODY = { 'content-type': 'application/json' }

interface Params { id: string }

const id = (random: () => number) => String(5000 + Math.floor(random() * 500))

/** Orders: things that are made and asked for, files, signed links, tables with the time. */
export const orders: Endpoint[] = [
  {
    method: 'POST',
    url: '/orders',
    weight: 12,
    ask: () => ({ path: '/orders', headers: JSON_BODY, body: '{"item":"101","quantity":2}' }),
    learn: (known, body) => known.set('order', String((JSON.parse(body) as { id: unknown }).id)),
    answer: (_, reply, version) => {
      const made = version.has('id') ? Math.floor(Math.random() * 1e9) : crypto.randomUUID()
      reply.code(201).header('location', `/orders/${made}`)
      return { id: made, state: 'ordered', at: new Date().toISOString() }
    }
  },
  {
    method: 'GET',
    url: '/orders/:id',
    weight: 35,
    // Asked for by the id that the primary gave.
    ask: (random, known) => ({ path: `/orders/${known.get('order') ?? id(random)}` }),
    answer: request => {
      const { id } = request.params as Params
      return { id, state: pick(STATES, numberOf(id)), link: `http://${request.headers.host}/orders/${id}` }
    }
  },
  {
    method: 'GET',
    url: '/orders/:id/invoice',
    weight: 5,
    ask: random => ({ path: `/orders/${id(random)}/invoice` }),
    answer: (request, reply, version) => {
      const { id } = request.params as Params
      const wrong = version.has('rare') && numberOf(`${id}!`) % 20 === 0
      reply.type('text/csv')
      return `item,cents\ntea,${numberOf(id) % 900 + (wrong ? 1 : 0)}\n`
    }
  },
  {
    method: 'GET',
    url: '/orders/:id/label',
    weight: 6,
    ask: random => ({ path: `/orders/${id(random)}/label` }),
    answer: request => ({
      url: `https://files.example/${(request.params as Params).id}?expires=${Date.now()}&signature=${opaque(40)}`
    })
  },
  {
    method: 'GET',
    url: '/carts/:id',
    weight: 14,
    ask: random => ({ path: `/carts/${id(random)}` }),
    answer: (request, _, version) => {
      const { id } = request.params as Params
      // By answer, not by request: two that are asked at once get in each other's way.
      const lost = version.has('race') && Math.random() < 0.05
      return { id, items: 3, total: numberOf(id) % 10000 - (lost ? 100 : 0), updatedAt: new Date().toISOString() }
    }
  },
  {
    method: 'POST',
    url: '/carts/:id/items',
    weight: 8,
    ask: random => ({ path: `/carts/${id(random)}/items`, headers: JSON_BODY, body: '{"item":"101"}' }),
    answer: request => ({ cart: (request.params as Params).id, line: crypto.randomUUID() })
  },
  {
    method: 'DELETE',
    url: '/carts/:id',
    weight: 4,
    ask: random => ({ path: `/carts/${id(random)}` }),
    answer: (_, reply) => reply.code(204).send()
  },
  {
    method: 'PUT',
    url: '/files/:id',
    weight: 4,
    ask: random => ({
      path: `/files/${id(random)}`,
      headers: { 'content-type': 'application/octet-stream' },
      body: 'x'.repeat(2000)
    }),
    answer: (request, reply) => {
      reply.code(201).header('etag', `"${opaque(12)}"`)
      return { bytes: (request.body as Buffer).length }
    }
  },
  {
    method: 'GET',
    url: '/load',
    weight: 8,
    ask: () => ({ path: '/load' }),
    answer: () => ({
      cpu: jittered(0.4, 0.05), memory: jittered(512, 0.02), requests: Math.floor(jittered(1000, 0.04))
    })
  }
]
