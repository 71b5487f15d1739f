import type { FastifyRequest } from 'fastify'
import { stringify } from 'node:querystring'
import { originForm } from '../request-target'
import type { Base, FromOptions } from './from-options'
import { proxiedPath } from './path'

/**
 * Where reply-from sends the primary's request, and whether it does, as far as it tells.
 *
 * | state     | `called` | `asks`             | `returned`      | `fails` |
 * |-----------|----------|--------------------|-----------------|---------|
 * | `idle`    | calling  | asked, is told     | idle            | failed  |
 * | `calling` | calling  | asking             | idle            | failed  |
 * | `asking`  | calling  | asking             | asked, is told  | failed  |
 * | `asked`   | calling  | asked, told again  | asked           | failed  |
 * | `failed`  | calling  | failed             | failed          | failed  |
 *
 * `asks` comes outside of a call where a wrapper of another plugin takes its time.
 */
export class Upstream {
  state: 'idle' | 'calling' | 'asking' | 'asked' | 'failed' = 'idle'
  base: Base = undefined
  /** The value that the user's `queryString` function returned. */
  query: string | undefined = undefined
  /** The last call's, as it was given. */
  #source: string | undefined = undefined
  #queryString: FromOptions['queryString'] = undefined

  /** `reply.from` begins. */
  called (source: string | undefined, queryString: FromOptions['queryString']): void {
    this.state = 'calling'
    this.#source = source
    this.#queryString = queryString
  }

  /**
   * reply-from has found nothing to refuse, and makes the request. Returns whether to tell that the upstream is being
   * asked.
   */
  asks (): boolean {
    if (this.state === 'calling') this.state = 'asking'
    else if (this.state === 'idle') this.state = 'asked'
    return this.state === 'asked'
  }

  /** `reply.from` has returned. Returns the same. */
  returned (): boolean {
    if (this.state === 'calling') this.state = 'idle'
    if (this.state !== 'asking') return false
    this.state = 'asked'
    return true
  }

  fails (): void {
    this.state = 'failed'
  }

  /** The path, with query, that the upstream is asked for. */
  pathOf (request: FastifyRequest): string {
    const base = Array.isArray(this.base) ? this.base[0] : this.base
    return proxiedPath(this.#source, base, this.#queryOf(), originForm(request.raw.url as string))
  }

  #queryOf (): string | undefined {
    const option = this.#queryString
    if (!option) return undefined
    return typeof option === 'object' ? stringify(option) : this.query ?? ''
  }
}
