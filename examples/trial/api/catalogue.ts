import { setTimeout as delay } from 'node:timers/promises'
import { jittered, numberOf, opaque, pick, shuffled } from './endpoint'
import type { Endpoint } from './endpoint'

const WORDS = ['tea', 'cup', 'kettle', 'tray', 'mill', 'spoon', 'filter', 'jug', 'lid', 'press']
const TAGS = ['new', 'sale', 'steel', 'glass', 'gift', 'eco']

interface Params { id: string }

function product (id: string) {
  const number = numberOf(id)
  return { id, name: `${pick(WORDS, number)} ${pick(WORDS, number >>> 8)}`, cents: 100 + number % 9000 }
}

const id = (random: () => number) => String(100 + Math.floor(random() * 400))

/** Reading products: times, random orders, floats, cursors. */
export const catalogue: Endpoint[] = [
  {
    method: 'GET',
    url: '/products/:id',
    weight: 300,
    ask: random => ({ path: `/products/${id(random)}` }),
    answer: request => ({
      ...product((request.params as Params).id),
      tags: shuffled(TAGS.slice(0, 4)),
      servedAt: new Date().toISOString()
    })
  },
  {
    method: 'GET',
    url: '/products',
    weight: 90,
    ask: (random, known) => {
      const cursor = known.get('cursor') ?? ''
      return { path: `/products?page=${Math.floor(random() * 20)}&cursor=${cursor}` }
    },
    learn: (known, body) => known.set('cursor', (JSON.parse(body) as { next: string }).next),
    answer: request => {
      const { page } = request.query as { page: string }
      return {
        items: Array.from({ length: 10 }, (_, index) => product(`${page}${index}`)),
        facets: shuffled(TAGS.map(tag => ({ tag, count: numberOf(tag + page) % 50 }))),
        next: opaque()
      }
    }
  },
  {
    method: 'GET',
    url: '/search',
    weight: 110,
    ask: random => ({ path: `/search?q=${pick(WORDS, Math.floor(random() * 100))}` }),
    answer: async (request, _, version) => {
      if (version.has('slow')) await delay(60)
      const { q } = request.query as { q: string }
      return {
        query: q,
        tookMs: Math.ceil(Math.random() * 9),
        requestId: crypto.randomUUID(),
        hits: Array.from({ length: 6 }, (_, index) => ({
          ...product(`${q}${index}`), score: jittered(1 / (index + 1), 1e-12)
        }))
      }
    }
  },
  {
    method: 'GET',
    url: '/prices/:id',
    weight: 60,
    ask: random => ({ path: `/prices/${id(random)}` }),
    answer: (request, _, version) => {
      const { cents } = product((request.params as Params).id)
      const off = version.has('cent') && cents % 10 === 0 ? 0.01 : 0
      return { currency: 'EUR', gross: jittered(cents / 100, 1e-13) + off, net: jittered(cents / 119, 1e-13) }
    }
  },
  {
    method: 'GET',
    url: '/products/:id/stock',
    weight: 50,
    ask: random => ({ path: `/products/${id(random)}/stock` }),
    answer: request => ({
      id: (request.params as Params).id,
      available: numberOf((request.params as Params).id) % 90,
      temperature: jittered(20, 0.03),
      measuredAt: new Date().toISOString()
    })
  },
  {
    method: 'GET',
    url: '/recommendations',
    weight: 40,
    ask: random => ({ path: `/recommendations?for=${id(random)}` }),
    answer: (request, _, version) => {
      const { for: user } = request.query as { for: string }
      const all = Array.from({ length: 8 }, (_, index) => product(`${user}-${index}`))
      return shuffled(version.has('missing') && numberOf(user) % 20 === 0 ? all.slice(1) : all)
    }
  },
  {
    method: 'GET',
    url: '/products/:id/reviews',
    weight: 30,
    ask: random => ({ path: `/products/${id(random)}/reviews` }),
    answer: request => {
      const { id } = request.params as Params
      const reviews = Array.from({ length: 5 }, (_, index) => {
        return { stars: 1 + numberOf(id + index) % 5, text: pick(WORDS, index) }
      })
      // Those of as many stars come in any order.
      return { reviews: shuffled(reviews).sort((a, b) => b.stars - a.stars) }
    }
  },
  {
    method: 'GET',
    url: '/categories',
    weight: 20,
    ask: () => ({ path: '/categories' }),
    answer: () => WORDS.map(name => ({ name, products: numberOf(name) % 100 }))
  },
  {
    method: 'GET',
    url: '/suggest',
    weight: 25,
    ask: random => ({ path: `/suggest?q=${pick(WORDS, Math.floor(random() * 100)).slice(0, 2)}` }),
    answer: (request, reply) => {
      reply.header('server-timing', `db;dur=${(Math.random() * 3).toFixed(2)}`)
      const { q } = request.query as { q: string }
      return WORDS.filter(word => word.startsWith(q))
    }
  },
  {
    method: 'GET',
    url: '/flags',
    weight: 20,
    ask: () => ({ path: '/flags' }),
    // The hint comes and goes.
    answer: () => ({ checkout: 'b', dark: true, ...(Math.random() < 0.4 ? { hint: 'try it' } : {}) })
  }
]
