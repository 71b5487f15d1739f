import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './packed'

/**
 * What a test needs of a package, that its earlier versions lack, and the first version that has it of those that
 * `npm run test:fastify` tries.
 */
export type Since = readonly [name: Package, version: string, what: string]
type Package = 'fastify' | '@fastify/http-proxy' | '@fastify/reply-from'

/** All of it. */
export const since = {
  /** Before, a path that leaves its base was resolved, and asked of the primary. */
  refusal: ['@fastify/reply-from', '12.5.0', 'a refusal of paths that leave their base'],
  /** Before, an empty query had its question mark, which is all that the copy lacks. */
  emptyQuery: ['@fastify/reply-from', '12.6.2', 'an empty query without its question mark'],
  /** 12.2 ends the process then, with and without the plugin: it closes a stream that can not be closed. */
  leftEarly: ['@fastify/reply-from', '12.5.0', 'care for a client that leaves before its answer comes'],
  severalBases: ['@fastify/reply-from', '12.2.0', 'several bases'],
  preRewrite: ['@fastify/http-proxy', '11.3.0', 'the option preRewrite'],
  handler: ['@fastify/http-proxy', '11.5.0', 'the option handler'],
  handlerTimeout: ['fastify', '5.8.5', 'the option handlerTimeout'],
  /** Before, it ended the process, with and without the plugin. */
  handlerTimeoutLate: ['fastify', '5.12.8', 'a cut where handlerTimeout finds an answer half sent'],
  headOfWebStream: ['fastify', '5.6.2', 'a good answer to HEAD where a handler sends a web stream'],
  /** Before, it ended the process, with and without the plugin. */
  thrownForBadUrl: ['fastify', '5.12.8', 'a catch around the not-found handler for a URL that can not be decoded'],
  /** Before, it was an unhandled rejection, with and without the plugin. */
  endedBehindIt: ['fastify', '5.12.8', 'patience with a hook that ends an answer past Fastify']
} satisfies Record<string, Since>

/** Why a test is skipped beside the packages that are installed: `false` when it is not. */
export function lacks (needs: Since | undefined): string | false {
  if (needs === undefined) return false
  const [name, version, what] = needs
  const { version: installed } = JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8'))
  const older = installed.localeCompare(version, 'en', { numeric: true }) < 0
  return older && `${name} ${installed} lacks ${what} (${version} has it)`
}
