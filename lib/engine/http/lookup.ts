import type { LookupAddress, LookupAllOptions, LookupOptions } from 'node:dns'
import { door } from '../../guard'
import { constantError } from '../constant-error'
import { NameServers } from './name-servers'
import type { Resolve } from './name-servers'

const ANSWER_KEPT_MS = 10_000
const FAILURE_KEPT_MS = 1_000
/** Milliseconds for which an answer serves while a newer one is awaited, or can not be had. */
const ANSWER_SERVES_MS = 60_000
/** Connections that wait for one host. */
const MAX_WAITERS = 16 * 1024
const NOBODY = constantError('nobody looks up hosts any more')
const GIVEN_UP = Object.assign(constantError('the look-up takes too long'), { code: 'EAI_AGAIN' })

/** The signature that `net.connect` calls its `lookup` with. */
export type LookupCallback =
  (error: NodeJS.ErrnoException | null, address: string | LookupAddress[], family?: number) => void
export type Lookup = (hostname: string, options: LookupOptions, callback: LookupCallback) => void

interface Waiter { options: LookupOptions, callback: LookupCallback }

/**
 * Looks up backends' hosts one at a time, and keeps what it learns for a while.
 *
 * `dns.lookup` runs on libuv's few threads, which the primary's look-ups, files and zlib share, and one that is slow
 * can't be called off: shadows must never hold more than one of them.
 * @see https://nodejs.org/api/dns.html#implementation-considerations
 */
export class Lookups {
  readonly #resolve: Resolve
  readonly #cancel: () => void
  readonly #hosts = new Map<string, Host>()
  #queue: Host[] = []
  #busy = false
  #users = 0

  /** @param cancel calls off what `resolve` was asked last, as far as that is possible */
  constructor (resolve: Resolve, cancel: () => void) {
    this.#resolve = resolve
    this.#cancel = cancel
  }

  /**
   * Somebody will look up hosts. When the last of them leaves, by calling what this returns, nothing is left under way
   * that can be ended.
   */
  enter (): () => void {
    let inside = true
    this.#users++
    return () => {
      if (inside && --this.#users === 0) this.#abandon()
      inside = false
    }
  }

  #abandon (): void {
    const queue = this.#queue
    this.#queue = []
    this.#hosts.clear()
    for (const host of queue) host.learn(NOBODY, [], performance.now())
    if (this.#busy) this.#cancel()
  }

  readonly lookup: Lookup = (hostname, options, callback) => {
    const key = `${hostname} ${options.family ?? 0} ${options.hints ?? 0}`
    let host = this.#hosts.get(key)
    if (host === undefined) {
      host = new Host(hostname, options)
      this.#hosts.set(key, host)
    }
    const now = performance.now()
    if (!host.fresh(now)) {
      if (!host.queued) {
        host.queued = true
        this.#queue.push(host)
        this.#next()
      }
      // An old answer beats none, and no connection waits for a newer one.
      if (!host.serves(now)) {
        host.wait({ options, callback })
        return
      }
    }
    process.nextTick(enterAnswer, host, options, callback)
  }

  #next (): void {
    if (this.#busy) return
    const host = this.#queue.shift()
    if (host === undefined) return
    this.#busy = true
    const enterLearn = door((error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => {
      this.#busy = false
      host.learn(error, addresses, performance.now())
      this.#next()
    })
    try {
      this.#resolve(host.hostname, host.options, enterLearn)
    } catch (error) {
      // Options that it refuses, which must not keep the other hosts waiting.
      process.nextTick(enterLearn, error as Error, [])
    }
  }
}

class Host {
  readonly hostname: string
  readonly options: LookupAllOptions
  waiters: Waiter[] = []
  queued = false
  addresses: LookupAddress[] | null = null
  error: NodeJS.ErrnoException | null = null
  #until = 0
  /** When the addresses are too old to be used at all. */
  #tooOld = 0

  constructor (hostname: string, options: LookupOptions) {
    this.hostname = hostname
    this.options = { ...options, all: true }
  }

  /** When full, rejects the oldest waiter: its copy has most likely timed out. */
  wait (waiter: Waiter): void {
    if (this.waiters.length === MAX_WAITERS) process.nextTick(enterGiveUp, this.waiters.shift() as Waiter)
    this.waiters.push(waiter)
  }

  fresh (now: number): boolean {
    return now < this.#until
  }

  serves (now: number): boolean {
    return this.addresses !== null && now < this.#tooOld
  }

  learn (error: NodeJS.ErrnoException | null, addresses: LookupAddress[], now: number): void {
    this.queued = false
    this.error = error
    if (error === null) {
      this.addresses = addresses
      this.#tooOld = now + ANSWER_SERVES_MS
    } else if (!this.serves(now)) {
      this.addresses = null
    }
    this.#until = now + (error === null ? ANSWER_KEPT_MS : FAILURE_KEPT_MS)
    const waiters = this.waiters
    this.waiters = []
    for (const { options, callback } of waiters) enterAnswer(this, options, callback)
  }
}

function answer (host: Host, options: LookupOptions, callback: LookupCallback): void {
  if (host.addresses === null) callback(host.error, [])
  else if (options.all === true) callback(null, host.addresses)
  else callback(null, host.addresses[0].address, host.addresses[0].family)
}

const enterAnswer = door(answer)

const enterGiveUp = door(({ callback }: Waiter) => callback(GIVEN_UP, []))

const servers = new NameServers()

/** The process has one: several apps, or several mirrors, are no reason to hold several threads. */
export const lookups = new Lookups(servers.resolve, () => servers.cancel())
