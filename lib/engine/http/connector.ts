import { isIP } from 'node:net'
import type { OnReadOpts, Socket } from 'node:net'
import { buildConnector } from 'undici'
import { lookups } from './lookup'

/** Opens the connections to one backend, with one set of the user's `connect` options. */
export class Connector {
  /** Given with every request, else undici takes it from the Host header, which the client of the gateway chooses. */
  readonly servername: string
  readonly #sni: string | undefined
  readonly #localAddress: unknown
  readonly #connect: ReturnType<typeof buildConnector>

  /** `onread`: what all connections read into, where they share that. */
  constructor (origin: string, given: Readonly<Record<string, unknown>>, onread: OnReadOpts | undefined) {
    const hostname = new URL(origin).hostname.replace(/^\[|\]$/g, '')
    // undici takes an empty one for none.
    this.servername = (given.servername as string | undefined) || hostname
    // RFC 6066, section 3: no literal address is a server name.
    this.#sni = isIP(this.servername) === 0 ? this.servername : undefined
    this.#localAddress = given.localAddress
    // The copy's own timeout bounds the connection, unless the user wants a shorter time for it. HTTP/1.1 alone: one
    // copy a connection, paced by its reads, is what everything here rests on.
    const { timeout = 0, lookup = lookups.lookup } = given
    const options = { ...given, timeout, lookup, onread, allowH2: false, useH2c: false }
    this.#connect = buildConnector(options as buildConnector.BuildOptions)
  }

  connect (options: buildConnector.Options, callback: buildConnector.Callback): Socket {
    // The types hide that a connector returns its socket; undici's own tests and this file rely on it.
    const own = { servername: this.#sni, localAddress: this.#localAddress }
    return (this.#connect as Function)({ ...options, ...own }, callback)
  }
}
