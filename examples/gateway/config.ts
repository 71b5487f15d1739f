import type { MirrorOptions } from '../../types/index'
import { firstFault, flag, list, mapping, text } from './schema'
import { FileError } from './yaml-file'
import type { YamlFile } from './yaml-file'

/** What the file says, complete. gateway.yaml tells what the keys mean. */
export interface GatewayConfig {
  listeners: [{ address: string }]
  admin: { enabled: boolean, host: string, port: number, hosts: string[] }
  routes: Route[]
}

export interface Route {
  id: string
  path: string
  path_prefix: boolean
  strip_prefix: boolean
  backends: Backend[]
  /** As it is: the plugin checks it. */
  mirror?: MirrorOptions
}

export interface Backend {
  url: string
  /** Of the requests, it gets this share of all weights. */
  weight: number
}

const schema = mapping(['routes'], {
  listeners: {
    ...list(mapping(['address'], {
      id: text(),
      address: { ...text(), format: 'address', description: 'host:port, or :port for all addresses of this machine' },
      protocol: { const: 'http', description: 'http' }
    })),
    maxItems: 1,
    description: 'a list of one listener',
    default: [{ address: ':8080' }]
  },
  admin: {
    ...mapping([], {
      enabled: { ...flag(), default: true },
      host: { ...text(), default: '127.0.0.1' },
      port: { type: 'integer', minimum: 0, maximum: 65535, description: 'a port', default: 8081 },
      hosts: {
        type: 'array',
        items: { ...text(), format: 'host', description: 'a host name or an address, without a port' },
        description: 'a list',
        default: []
      }
    }),
    default: {}
  },
  routes: list(mapping(['id', 'path', 'backends'], {
    id: text(),
    path: {
      ...text(), format: 'path', description: 'a path such as /api, without parameters, and without a slash at its end'
    },
    path_prefix: { ...flag(), default: false },
    strip_prefix: { ...flag(), default: false },
    backends: list(mapping(['url'], {
      url: {
        ...text(),
        format: 'origin',
        description: 'http: or https: with no more than host and port, such as http://production:9000'
      },
      weight: { type: 'integer', minimum: 1, description: 'a whole number, 1 or more', default: 1 }
    })),
    mirror: { type: 'object', description: 'a mapping' }
  }))
})

/** Throws a `FileError`. */
export function readConfig (file: YamlFile): GatewayConfig {
  const fault = firstFault(schema, file.value)
  if (fault !== null) throw new FileError(file.lineOf(fault.path), fault.reason)

  const config = file.value as GatewayConfig
  for (const key of ['id', 'path'] as const) {
    const taken = new Set<string>()
    for (const [index, { [key]: value }] of config.routes.entries()) {
      if (taken.has(value)) {
        throw new FileError(file.lineOf(['routes', index, key]), `there is another route with ${key} "${value}"`)
      }
      taken.add(value)
    }
  }
  return config
}
