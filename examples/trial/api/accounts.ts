import { numberOf, opaque, pick, ulid } from './endpoint'
import type { Endpoint } from './endpoint'

const NAMES = ['Ada', 'Grace', 'Edsger', 'Barbara', 'Alan']

interface Params { id: string }

const id = (random: () => number) => String(1000 + Math.floor(random() * 500))
const JSON_BODY = { 'content-type': 'application/json' }

/** People: sessions, cookies, tokens that expire, limits of rate. */
export const accounts: Endpoint[] = [
  {
    method: 'GET',
    url: '/users/:id',
    weight: 60,
    ask: random => ({ path: `/users/${id(random)}` }),
    answer: (request, _, version) => {
      const { id } = request.params as Params
      const number = numberOf(id)
      const phone = number % 3 === 0 ? { phone: `+49 30 ${number % 100000}` } : {}
      const absent = version.has('null') && number % 15 === 1 ? { phone: null } : {}
      return { id, name: pick(NAMES, number), lastSeen: new Date().toISOString(), ...absent, ...phone }
    }
  },
  {
    method: 'GET',
    url: '/users/:id/sessions',
    weight: 15,
    ask: random => ({ path: `/users/${id(random)}/sessions` }),
    answer: () => ({ current: ulid(), others: [] })
  },
  {
    method: 'PATCH',
    url: '/users/:id',
    weight: 12,
    ask: random => ({
      path: `/users/${id(random)}`,
      headers: JSON_BODY,
      body: random() < 0.1 ? '{"name":""}' : '{"name":"Ada"}'
    }),
    answer: (request, reply, version) => {
      const { name } = request.body as { name: string }
      if (name === '') return reply.code(version.has('status') ? 422 : 400).send({ error: 'the name is empty' })
      return { id: (request.params as Params).id, name, version: ulid() }
    }
  },
  {
    method: 'POST',
    url: '/login',
    weight: 15,
    ask: () => ({ path: '/login', headers: JSON_BODY, body: '{"user":"ada","code":"1234"}' }),
    answer: (_, reply, version) => {
      const secure = version.has('cookie') ? '' : '; Secure'
      reply.header('set-cookie', `session=${opaque()}; Path=/; HttpOnly${secure}; SameSite=Lax`)
      return { user: 'ada', expires: new Date(Date.now() + 3_600_000).toISOString() }
    }
  },
  {
    method: 'GET',
    url: '/me',
    weight: 30,
    ask: random => ({ path: '/me', headers: random() < 0.05 ? undefined : { authorization: 'Bearer good' } }),
    answer: (request, reply) => {
      if (request.headers.authorization === undefined) {
        return reply.code(401).send({ error: 'expired', traceId: opaque(16) })
      }
      return { id: '1001', name: 'Ada' }
    }
  },
  {
    method: 'GET',
    url: '/quota',
    weight: 10,
    ask: () => ({ path: '/quota' }),
    answer: (_, reply) => {
      reply.header('x-ratelimit-remaining', Math.floor(Math.random() * 1000))
      return { limit: 1000 }
    }
  },
  {
    method: 'GET',
    url: '/messages',
    weight: 12,
    ask: () => ({ path: '/messages' }),
    answer: () => ({ unread: 2, items: [1, 2].map(number => ({ number, seenAt: new Date().toISOString() })) })
  }
]
