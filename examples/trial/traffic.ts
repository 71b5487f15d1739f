import { setTimeout as delay } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { endpoints } from './api'
import type { Endpoint, Known } from './api/endpoint'

/** Clients under way at once. */
const CLIENTS = 16

/** Sends requests by their weights, and keeps of the answers what later requests need. */
export class Traffic {
  /** Requests that were answered. */
  sent = 0
  /** Answers of 500 and more. */
  errors = 0
  readonly #url: string
  readonly #random: () => number
  readonly #rate: number
  readonly #agent = new Agent({ connections: CLIENTS, pipelining: 1 })
  readonly #known = new Map<Endpoint, Known>()
  /** Each endpoint as often as it is heavy. */
  readonly #wheel: Endpoint[]

  /** `rate`: requests a second at most. */
  constructor (url: string, random: () => number, rate: number) {
    this.#url = url
    this.#random = random
    this.#rate = rate
    this.#wheel = endpoints.flatMap(endpoint => Array.from({ length: endpoint.weight }, () => endpoint))
  }

  /** Sends so many, at its rate, or as fast as they are answered. */
  async send (count: number): Promise<void> {
    const begun = performance.now()
    let next = 0
    const client = async () => {
      while (next < count) {
        const early = begun + next++ / this.#rate * 1000 - performance.now()
        if (early > 0) await delay(early)
        await this.#one(this.#wheel[Math.floor(this.#random() * this.#wheel.length)])
      }
    }
    await Promise.all(Array.from({ length: CLIENTS }, client))
  }

  async close (): Promise<void> {
    await this.#agent.close()
  }

  async #one (endpoint: Endpoint): Promise<void> {
    const known = this.#knownOf(endpoint)
    const { path, headers, body } = endpoint.ask(this.#random, known)
    const answer = await request(this.#url + path, { method: endpoint.method, headers, body, dispatcher: this.#agent })
    const text = await answer.body.text()
    this.sent++
    if (answer.statusCode >= 500) this.errors++
    if (answer.statusCode < 300) endpoint.learn?.(known, text, new Headers(answer.headers as Record<string, string>))
  }

  /** Whoever reads an order knows the id of the last that was made. */
  #knownOf (endpoint: Endpoint): Known {
    const makes = endpoints.find(({ method, url }) => method === 'POST' && url === '/orders')
    const owner = endpoint.url === '/orders/:id' ? makes : endpoint
    let known = this.#known.get(owner as Endpoint)
    if (known === undefined) this.#known.set(owner as Endpoint, known = new Map())
    return known
  }
}
