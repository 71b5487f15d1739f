import type { FastifyRequest } from 'fastify'
import type { IncomingHttpHeaders } from 'node:http'
import type { RE2JS } from 're2js'
import type { AdminHook, CompareRule, EndpointRequest, MismatchEvent, PrometheusOptions } from '../../types/index'

/** How a mirror's requests are named. */
export type EndpointOption = 'auto' | 'graphql' | ((request: EndpointRequest) => string | undefined)

/** A mirror's options as the rest of the plugin reads them: validated, complete, in one spelling. */
export interface MirrorConfig {
  /**
   * Until the app is ready, the route of another mirror may turn out to have the same default id: then neither keeps
   * it.
   */
  id: string
  /** Whether the user gave the id, so that it may be shown to whoever reaches the app. */
  readonly named: boolean
  readonly enabled: boolean
  readonly percentage: number
  /** Header name in lower case, or the user's function. */
  readonly sampleBy: string | ((request: FastifyRequest) => string | undefined) | null
  readonly backends: readonly BackendConfig[]
  readonly conditions: ConditionsConfig
  readonly timeout: number
  readonly bodyTimeout: number
  readonly maxInFlight: number
  readonly maxBacklogBytes: number
  readonly breaker: BreakerConfig | null
  readonly preserveHost: boolean
  /** In lower case. */
  readonly removeHeaders: readonly string[]
  readonly rewriteRequestHeaders: ((
    request: FastifyRequest, headers: IncomingHttpHeaders
  ) => IncomingHttpHeaders) | null
  readonly compare: CompareConfig
  readonly endpoint: EndpointOption
  readonly maxEndpoints: number
  readonly maxPlaces: number
  /** `null`: nothing is asked once more. */
  readonly noise: NoiseConfig | null
  readonly verdict: VerdictConfig
}

/** Options of a connection to a backend. */
export type ConnectOptions = Readonly<Record<string, unknown>>

/** The user's, where it may change: read when its route is registered, and whenever somebody asks for it. */
export type ConnectSource = () => unknown

/** Where requests are sent, and how. */
export interface EndConfig {
  /** As the user gave it. */
  readonly url: string
  /** Scheme, host and port. */
  readonly origin: string
  /** `host` or `host:port`, as in the Host header. */
  readonly host: string
  /** Goes before the request's path: empty, or begins with a slash and does not end with one. */
  readonly basePath: string
  /** As it was first. */
  readonly connect: ConnectOptions
  /** `null`: it never changes. */
  readonly connectSource: ConnectSource | null
}

export interface BackendConfig extends EndConfig {
  readonly name: string
  /** Whether the user gave the name, so that it may be shown to whoever reaches the app. */
  readonly named: boolean
  readonly percentage: number
}

/** What is asked once more of one and the same version, so that its noise is known. */
export interface NoiseConfig {
  /** Another instance of the primary's version; `shadow`: the shadows themselves. */
  readonly from: 'shadow' | NoiseSource
  /** Of the copies, 0 to 100. */
  readonly percentage: number
  /** In upper case. */
  readonly methods: ReadonlySet<string>
  /** Whether rules may be accepted without a person. */
  readonly auto: boolean
}

export interface NoiseSource extends EndConfig {
  readonly name: string
}

export interface ConditionsConfig {
  /** In upper case; `null`: all. */
  readonly methods: ReadonlySet<string> | null
  /** Name in lower case; text in lower case, or `true`: present. */
  readonly headers: ReadonlyArray<readonly [name: string, expected: string | true]>
  readonly pathRegex: RE2JS | null
}

export interface BreakerConfig {
  readonly failures: number
  readonly cooldown: number
}

export interface CompareConfig {
  readonly enabled: boolean
  readonly logMismatches: boolean
  readonly detailedDiff: boolean
  readonly maxBodyCapture: number
  /** In lower case. */
  readonly ignoreHeaders: readonly string[]
  readonly ignoreJsonFields: readonly string[]
  readonly rules: readonly CompareRule[]
  /** Of links: the primary's, each with the shadow's. */
  readonly origins: Readonly<Record<string, string>>
  /** In lower case. */
  readonly redact: readonly string[]
}

/** Limits that a new version must keep to be found ready. */
export interface VerdictConfig {
  /** Share of the compared answers that may differ, 0 to 1. */
  readonly maxMismatchRate: number
  /** Share of the copies that ended that may fail, 0 to 1. */
  readonly maxFailureRate: number
  /** Share of an endpoint's compared answers that may differ, 0 to 1. */
  readonly maxEndpointMismatchRate: number
  /** Share of the requests below which an endpoint need not be shown to keep its limits, 0 to 1. */
  readonly minEndpointShare: number
  /** Milliseconds at p95 of the latency difference; `null`: no limit. */
  readonly maxSlowdown: number | null
  /** Share of the copies that should have been compared that must have been, 0 to 1. */
  readonly minCoverage: number
  /** Milliseconds that a period must have lasted. */
  readonly minDuration: number
  /** Over 0, under 1. */
  readonly confidence: number
}

/** The plugin's own options, complete. */
export interface PluginConfig {
  readonly defaults: Readonly<Record<string, unknown>>
  /** `null`: no admin routes. */
  readonly admin: AdminConfig | null
  readonly thread: boolean
  readonly maxBufferedBytes: number
  readonly closeTimeout: number
  readonly onMismatch: ((mismatch: MismatchEvent) => unknown) | null
  /** `null`: not told. */
  readonly prometheus: Readonly<PrometheusOptions> | null
  readonly strict: boolean
  readonly keepTicksQuick: boolean
}

export interface AdminConfig {
  readonly prefix: string
  /** Empty: no guard. */
  readonly onRequest: readonly AdminHook[]
  /** In the spelling of `hostName`; `null`: any. */
  readonly hosts: readonly string[] | null
  readonly routeOptions: Readonly<Record<string, unknown>>
}
