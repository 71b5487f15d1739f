import { isAsyncFunction } from 'node:util/types'
import type { AdminHook } from '../../types/index'
import type { PluginBlock } from './blocks'
import type { AdminConfig, PluginConfig } from './config'
import { copyOptions } from './copy'
import { invalid } from './fail'
import type { Place } from './fail'
import { bareHost } from './host-name'
import { readDefaults } from './mirror-options'
import { pluginSchema } from './schema'
import { validatePlugin } from './validate'

const OWNER = 'plugin options'

/** Keys that Fastify itself, and @fastify/autoload, put into a plugin's options. */
const REGISTER_OPTIONS = ['prefix', 'logLevel', 'logSerializers']

/**
 * The plugin's options, complete. The user's object is not written to or kept.
 * @throws FST_MIRROR_INVALID_OPTION, FST_MIRROR_UNKNOWN_OPTION, FST_MIRROR_CONFLICTING_OPTIONS
 */
export function readPluginOptions (raw: unknown = {}): PluginConfig {
  const place = { owner: OWNER, root: '' }
  const copied = copyOptions(raw, pluginSchema, place)
  for (const key of REGISTER_OPTIONS) delete copied[key]
  const block = validatePlugin(copied, place)
  return {
    defaults: readDefaults(block.defaults, { owner: OWNER, root: 'defaults' }),
    admin: readAdmin(block.admin, place),
    thread: block.thread,
    maxBufferedBytes: block.maxBufferedBytes,
    closeTimeout: block.closeTimeout,
    onMismatch: block.onMismatch ?? null,
    prometheus: block.prometheus ?? null,
    strict: block.strict,
    keepTicksQuick: block.keepTicksQuick
  }
}

function readAdmin (block: PluginBlock['admin'], place: Place): AdminConfig | null {
  if (block === false) return null
  const { prefix, onRequest = [], hosts, routeOptions } = block
  const both = onRequest.findIndex(hook => isAsyncFunction(hook) && hook.length > 2)
  if (both !== -1) {
    throw invalid(place, ['admin', 'onRequest', `${both}`], 'either async or with a callback', onRequest[both])
  }
  return {
    prefix,
    onRequest: onRequest as AdminHook[],
    hosts: hosts === undefined ? null : hosts.map(host => bareHost(host) as string),
    routeOptions: { ...routeOptions }
  }
}
