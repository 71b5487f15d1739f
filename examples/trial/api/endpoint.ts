import type { FastifyReply, FastifyRequest } from 'fastify'

/** What one version of the API is told of itself. */
export interface Version {
  /** Whether it has this regression. */
  has (regression: string): boolean
}

/** What a client sends. */
export interface Ask {
  path: string
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  headers?: Record<string, string>
  body?: string
}

/** One of the API's endpoints: how often it is asked, with what, and how a version answers. */
export interface Endpoint {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Fastify's pattern. */
  url: string
  /** Of 1000 requests. */
  weight: number
  /** `random`: from 0 to 1. `known`: what an earlier answer to this endpoint had, such as an id. */
  ask (random: () => number, known: Known): Omit<Ask, 'method'>
  answer (request: FastifyRequest, reply: FastifyReply, version: Version): unknown
  /** What a client keeps of an answer, for later requests. */
  learn? (known: Known, body: string, headers: Headers): void
}

/** What clients hold: ids, cursors, validators. */
export type Known = Map<string, string>

/** A number that a text always has, from 0 to 2^32: what is stored under an id. */
export function numberOf (text: string): number {
  let hash = 2166136261
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 16777619) >>> 0
  return hash
}

/** One of some, by a number. */
export function pick<T> (from: readonly T[], number: number): T {
  return from[number % from.length]
}

/** In another order each time. */
export function shuffled<T> (items: readonly T[]): T[] {
  const result = [...items]
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1))
    ;[result[i], result[j]] = [result[j], result[i]]
  }
  return result
}

/** With a float's last digits as they come. */
export function jittered (value: number, share: number): number {
  return value * (1 + (Math.random() * 2 - 1) * share)
}

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

export function ulid (): string {
  let time = Date.now()
  let text = ''
  for (let i = 0; i < 10; i++, time = Math.floor(time / 32)) text = CROCKFORD[time % 32] + text
  for (let i = 0; i < 16; i++) text += CROCKFORD[Math.floor(Math.random() * 32)]
  return text
}

/** Text that says nothing: a cursor, a signature. */
export function opaque (length = 24): string {
  let text = ''
  while (text.length < length) text += Math.random().toString(36).slice(2)
  return text.slice(0, length)
}
