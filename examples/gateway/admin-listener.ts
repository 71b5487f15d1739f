import type { FastifyInstance } from 'fastify'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { AdminOptions } from '../../types/index'

/**
 * A second listener of an app. Routes with the constraint `{ listener: 'admin' }` are there and nowhere else, and no
 * other route is there: on the first listener their paths are free for what is proxied.
 */
export class AdminListener {
  readonly server: Server
  readonly #requests = new WeakSet<IncomingMessage>()
  readonly #host: string
  readonly #hosts: readonly string[]

  /** `hosts`: names that it answers to, beside `localhost` and the addresses that it listens at. */
  constructor (app: FastifyInstance, { host, hosts }: { host: string, hosts: readonly string[] }) {
    this.#host = host
    this.#hosts = hosts
    this.server = createServer((request, response) => {
      this.#requests.add(request)
      app.routing(request, response)
    })
    app.addConstraintStrategy({
      name: 'listener',
      // Else routes without the constraint would be on both listeners.
      mustMatchWhenDerived: true,
      deriveConstraint: request => this.#requests.has(request as IncomingMessage) ? 'admin' : undefined,
      storage: () => {
        const handlers = new Map()
        return { get: value => handlers.get(value) ?? null, set: (value, handler) => { handlers.set(value, handler) } }
      }
    })
    app.addHook('preClose', async () => { this.server.close() })
  }

  /**
   * For the plugin, to have its routes here alone. There is a guard, so they show all: who reaches this listener may
   * see and switch.
   */
  get options (): AdminOptions {
    return {
      onRequest: async (request, reply) => {
        if (!this.#requests.has(request.raw)) reply.callNotFound()
      },
      // There is no password: a web page whose name leads here for a moment must not get in.
      hosts: ['localhost', '127.0.0.1', '::1', ...addressesOf(this.#host), ...this.#hosts],
      routeOptions: { constraints: { listener: 'admin' } }
    }
  }

  /** Gives its URL back. */
  async listen (host: string, port: number): Promise<string> {
    this.server.listen(port, host)
    await once(this.server, 'listening')
    const { address, family, port: bound } = this.server.address() as AddressInfo
    return `http://${family === 'IPv6' ? `[${address}]` : address}:${bound}`
  }
}

/** Where who listens at this host can be reached: at all of this machine's addresses, or this one. */
function addressesOf (host: string): string[] {
  const all = host === '0.0.0.0' || host === '::'
  const addresses = all
    ? Object.values(networkInterfaces()).flatMap(ofOne => (ofOne ?? []).map(({ address }) => address))
    : [host]
  // Without the zone of a link's address, which no browser sends.
  return addresses.map(address => address.replace(/%.*/, ''))
}
