import type { IncomingMessage } from 'node:http'
import { isPromise } from 'node:util/types'
import type { EndpointOption } from '../options/config'
import { toLabel } from '../options/label'
import { originForm } from '../request-target'
import { foldPath } from './path'
import { operationName } from './graphql'

/** The route that a request came by. */
export interface EndpointRoute {
  readonly url: string
  /** Whether its own URL says too little. */
  readonly wildcard: boolean
}

export function endpointRoute (url: string): EndpointRoute {
  return { url, wildcard: url.endsWith('*') }
}

/** Names a request by its route, or below a wildcard by its path. */
export function pathName ({ url, wildcard }: EndpointRoute, raw: IncomingMessage): string {
  if (!wildcard) return url
  const target = originForm(raw.url as string)
  const end = target.indexOf('?')
  return foldPath(end === -1 ? target : target.slice(0, end))
}

/**
 * What a request that is over is called by its operation, or by the user's function; `undefined`: by its path. Throws
 * what the function throws.
 */
export function ownName (
  option: Exclude<EndpointOption, 'auto'>, { url }: EndpointRoute, raw: IncomingMessage, bodyHead: Buffer
): string | undefined {
  const path = originForm(raw.url as string)
  if (option === 'graphql') return operationName(path, bodyHead)
  // Copies: what the function changes is its own.
  const request = {
    method: raw.method as string,
    path,
    headers: structuredClone(raw.headers),
    bodyHead: Buffer.from(bodyHead),
    route: url
  }
  const name: unknown = option(request)
  if (name === undefined) return undefined
  // Nobody else would handle the rejection of an async function.
  if (isPromise(name)) name.catch(noop)
  if (typeof name !== 'string' || name === '') {
    throw new TypeError('endpoint must return a name, or undefined, synchronously')
  }
  return toLabel(name)
}

function noop (): void {}
