import { setTimeout as delay } from 'node:timers/promises'
import Fastify from 'fastify'
import type { FastifyInstance } from 'fastify'

interface Item { id: number, name: string, cents: number }
interface Order { item: number, quantity: number }

const items: Item[] = [
  { id: 1, name: 'teapot', cents: 2495 },
  { id: 2, name: 'kettle', cents: 3950 },
  { id: 3, name: 'coffee cup', cents: 725 },
  { id: 4, name: 'tea cup', cents: 675 },
  { id: 5, name: 'tea tray', cents: 1480 },
  { id: 6, name: 'coffee mill', cents: 5999 }
]

/** What the two versions of the shop do differently. */
interface Version {
  priceOf (cents: number): string
  /** Milliseconds that a search takes. */
  search: number
  /** An order of more pieces than this is answered with 500. */
  mostPieces: number
}

const v1: Version = { priceOf: cents => (cents / 100).toFixed(2), search: 2, mostPieces: Infinity }

/** Price `39.5` where it was `39.50`, a slower search, and a bug in large orders. */
const v2: Version = { priceOf: cents => String(cents / 100), search: 40, mostPieces: 8 }

/** What `v2` does differently, for people. */
export const DIFFERENCES = [
  '  items   v2 writes a price as 39.5 where v1 writes 39.50',
  '  search  v2 takes about 40 ms longer (half of the searches are mirrored)',
  '  orders  v2 fails with status 500 on orders of more than 8 pieces',
  '  hello   v2 answers as v1 does'
]

/** The version that is in production, and the one that may follow it. */
export async function startBackends () {
  const primary = shop(v1)
  const candidate = shop(v2)
  return {
    primary: await primary.listen({ port: 0, host: '127.0.0.1' }),
    candidate: await candidate.listen({ port: 0, host: '127.0.0.1' }),
    close: () => Promise.all([primary.close(), candidate.close()])
  }
}

function shop (version: Version): FastifyInstance {
  const app = Fastify({ forceCloseConnections: true })

  app.get<{ Params: { id: number } }>('/items/:id', async (request, reply) => {
    const item = items.find(({ id }) => id === Number(request.params.id))
    if (item === undefined) return reply.callNotFound()
    return { id: item.id, name: item.name, price: version.priceOf(item.cents) }
  })

  app.get<{ Querystring: { q: string } }>('/search', async request => {
    await delay(version.search)
    return items.filter(({ name }) => name.includes(request.query.q)).map(({ id, name }) => ({ id, name }))
  })

  app.post<{ Body: Order }>('/orders', async (request, reply) => {
    const { item, quantity } = request.body
    if (quantity > version.mostPieces) throw new Error('the parcel is too small')
    return reply.code(201).send({ item, quantity, status: 'ordered' })
  })

  app.get<{ Params: { name: string } }>('/hello/:name', async request => `Hello, ${request.params.name}!`)

  return app
}
