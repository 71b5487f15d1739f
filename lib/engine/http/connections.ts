import type { OnReadOpts } from 'node:net'
import type { Guard } from '../../guard'
import { Connection } from './connection'
import type { Dialer } from './connection'
import { Connector } from './connector'
import type { Pacer } from './pacer'

/** The connections to one backend: one for every request in flight, kept for the next. */
export class Connections implements Dialer {
  readonly origin: string
  readonly guard: Guard
  readonly pacer: Pacer
  connector: Connector
  readonly #onread: OnReadOpts | undefined
  readonly #all = new Set<Connection>()
  readonly #idle: Connection[] = []

  constructor (
    origin: string, connect: Readonly<Record<string, unknown>>, pacer: Pacer, guard: Guard,
    onread: OnReadOpts | undefined
  ) {
    this.origin = origin
    this.pacer = pacer
    this.guard = guard
    this.#onread = onread
    this.connector = new Connector(origin, connect, onread)
  }

  /** A connection of one's own, open or not; the one used last comes first. */
  acquire (): Connection {
    const connection = this.#idle.pop() ?? this.#add()
    connection.taken = true
    return connection
  }

  release (connection: Connection): void {
    connection.taken = false
    if (connection.dead) this.#all.delete(connection)
    else this.#idle.push(connection)
  }

  /**
   * From now on every request gets another connection than there are. Those that are in use end with their request.
   * `connect`: options of the new ones, where they are others than before.
   */
  retire (connect?: Readonly<Record<string, unknown>>): void {
    if (connect !== undefined) this.connector = new Connector(this.origin, connect, this.#onread)
    this.#idle.length = 0
    for (const connection of this.#all) {
      if (!connection.taken) this.#all.delete(connection)
      connection.retire()
    }
  }

  #add (): Connection {
    const connection = new Connection(this)
    this.#all.add(connection)
    return connection
  }

  /** Ends every request that has a connection, and all connections. */
  async close (error: Error): Promise<void> {
    const all = [...this.#all]
    for (const connection of all) connection.onClose(error)
    await Promise.all(all.map(connection => connection.client.destroy(error)))
  }
}
