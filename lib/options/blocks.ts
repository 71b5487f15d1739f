import type { PrometheusOptions } from '../../types/index'
import type { BreakerConfig, CompareConfig, ConnectOptions, ConnectSource, MirrorConfig, VerdictConfig } from './config'

/** A `mirror` block that the schema found valid, its defaults filled in. */
export interface MirrorBlock {
  id?: string
  enabled: boolean
  percentage: number
  sampleBy?: Exclude<MirrorConfig['sampleBy'], null>
  backends: BackendBlock[]
  conditions: {
    methods: string[]
    headers: Record<string, string | true>
    pathRegex?: string
  }
  timeout: number
  bodyTimeout: number
  maxInFlight: number
  maxBacklogBytes: number
  breaker: BreakerConfig | false
  preserveHost: boolean
  removeHeaders: string[]
  rewriteRequestHeaders?: Exclude<MirrorConfig['rewriteRequestHeaders'], null>
  compare: CompareConfig
  endpoint: MirrorConfig['endpoint']
  maxEndpoints: number
  maxPlaces: number
  noise?: NoiseBlock | false
  verdict: Omit<VerdictConfig, 'maxSlowdown' | 'maxEndpointMismatchRate'> & {
    maxSlowdown?: number, maxEndpointMismatchRate: number
  }
}

export interface NoiseBlock {
  from: 'shadow' | Pick<BackendBlock, 'url' | 'name'> & Partial<Pick<BackendBlock, 'connect'>>
  percentage: number
  methods: string[]
  accept: 'manual' | 'auto'
}

export interface BackendBlock {
  url: string
  name?: string
  percentage: number
  connect: ConnectOptions | ConnectSource
}

/** The plugin's options that the schema found valid, their defaults filled in. */
export interface PluginBlock {
  defaults: Record<string, unknown>
  admin: false | {
    prefix: string
    onRequest?: Function[]
    hosts?: string[]
    routeOptions: Record<string, unknown>
  }
  thread: boolean
  maxBufferedBytes: number
  closeTimeout: number
  onMismatch?: (mismatch: unknown) => void
  prometheus?: PrometheusOptions
  strict: boolean
  keepTicksQuick: boolean
}
