import type { FastifyInstance } from 'fastify'
import type { Server } from 'node:http'

/** Milliseconds that requests under way may still take. Kubernetes leaves 30 s before it kills. */
const GRACE = 20_000
const SWEEP = 100
/** Milliseconds that the last lines of the log may take, when all is closed. */
const LINGER = 1000

/**
 * Closes an app so that requests under way are answered, and that its process ends soon. To be made before the app's
 * routes.
 */
export class Shutdown {
  readonly #app: FastifyInstance
  #begun = false

  constructor (app: FastifyInstance) {
    this.#app = app
    app.addHook('onSend', async (_, reply) => {
      if (this.#begun) reply.header('connection', 'close')
    })
  }

  /** `servers`: all on which the app listens. */
  atSignals (servers: Server[]): void {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => this.#close(signal, servers))
  }

  async #close (signal: string, servers: Server[]): Promise<void> {
    // Heard twice when npm passes on what the terminal has sent already.
    if (this.#begun) return
    this.#begun = true
    const { log } = this.#app
    log.info({ signal }, 'closing')
    // Connections whose answer had begun become idle one by one, and would be kept alive.
    const sweep = setInterval(() => servers.forEach(server => server.closeIdleConnections()), SWEEP)
    const grace = setTimeout(() => {
      log.warn('requests that are still under way are cut')
      process.exit(1)
    }, GRACE)
    await this.#app.close()
    clearInterval(sweep)
    clearTimeout(grace)
    log.info('closed')
    // When nothing is left to do: threads write the log, and an exit before that may mix up its lines. Not left to
    // Node, which gives up signal handlers before it ends: a signal that npm passes on late would kill it.
    process.once('beforeExit', () => process.exit())
    // A backend that hangs keeps its connection open even if the client has left.
    setTimeout(() => process.exit(), LINGER).unref()
  }
}
