/// <reference types="node" />

import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyPluginCallback,
  FastifyReply,
  FastifyRequest,
  HookHandlerDoneFunction,
  RouteOptions
} from 'fastify'
import type { IncomingHttpHeaders } from 'node:http'
import type { LookupFunction } from 'node:net'
import type { ConnectionOptions } from 'node:tls'

declare module 'fastify' {
  interface FastifyInstance {
    /** The mirrors of this scope: their numbers, and what `/mirrors` offers, for code. */
    mirrors: fastifyMirror.Mirrors
  }

  interface RouteShorthandOptions {
    /** Mirrors this route's requests to shadow backends. `false` is none. */
    mirror?: fastifyMirror.MirrorOptions | false
  }

  interface FastifyContextConfig {
    /**
     * The same as the route option `mirror`, for routes that another plugin makes and that hands
     * on only `config`, as `@fastify/http-proxy` does. Giving both is an error.
     */
    mirror?: fastifyMirror.MirrorOptions | false
  }
}

type FastifyMirror = FastifyPluginCallback<fastifyMirror.FastifyMirrorOptions>

declare namespace fastifyMirror {
  /** The plugin's own options, given to `app.register(mirror, options)`. */
  export interface FastifyMirrorOptions {
    /** Merged under every route's `mirror`, deeply; arrays replace. Default `{}`. */
    defaults?: Partial<MirrorOptions>
    /** Where the numbers are read. `false`: no admin routes. Default `{ prefix: '/mirrors' }`. */
    admin?: AdminOptions | false
    /** Runs the mirror's work (client, hashing, diffing) on a worker thread. Default `false`. */
    thread?: boolean
    /** Most bytes held in memory for mirrors, over all routes of the app; the excess is dropped. Default 64 MiB. */
    maxBufferedBytes?: number
    /** Milliseconds that closing the app waits for copies in flight before it cuts them. Default 1000. */
    closeTimeout?: number
    /**
     * Called with mismatches, secrets masked, in the async context of their request. What it throws, or rejects with, is logged and goes
     * no further. Runs on the main thread, behind the request: all mismatches together, its own time included, take at most 5 % of that
     * thread's time; `spared` says how many it was not called with.
     */
    onMismatch?: (mismatch: MismatchEvent) => unknown
    /** Tells a registry of prom-client what the mirrors count, until the app is closed. Default: none. */
    prometheus?: PrometheusOptions
    /**
     * A mirror that the plugin could not see is an error, `FST_MIRROR_NOT_MIRRORED`, when the app gets ready; otherwise it is a warning. It is that of
     * a route that was added before the plugin had loaded, or in a scope that it is not registered in. Default `false`.
     */
    strict?: boolean
    /**
     * Keeps this process's `process.nextTick` as quick as in a new process: V8 makes it several times slower for good once garbage is collected
     * in a quiet moment. It is done once a process, by holding on to one object of Node's, and stays when the app is closed. `false`: Node is
     * left as it is. Default `true`.
     */
    keepTicksQuick?: boolean
  }

  export interface PrometheusOptions {
    /**
     * Of prom-client 15: its global `register`, or one of your own. Apps that share one are told of as one.
     */
    register: PrometheusRegistry
    /**
     * Tells what came of requests by endpoint, too: for each mirror and backend up to `maxEndpoints` times five more values. Default `false`.
     */
    endpoints?: boolean
  }

  /** As much of prom-client's `Registry` as is used, so that prom-client need not be installed. */
  export interface PrometheusRegistry {
    registerMetric (metric: object): void
    getSingleMetric (name: string): object | undefined
    removeSingleMetric (name: string): void
  }

  export interface AdminOptions {
    /** Path under which the admin routes lie. Default `/mirrors`. */
    prefix?: string
    /**
     * The guard: one hook or several, run before every admin route; nothing goes on once one has answered. Without it only the
     * numbers can be read, and URLs are left out of them, and ids and names that were not given.
     */
    onRequest?: AdminHook | AdminHook[]
    /**
     * Names and addresses, without port, that the admin routes may be asked for, as in the Host header; others get 421. Give them where
     * browsers reach a private address without a password: else a web page can have its own name lead there (DNS rebinding). Default: any.
     */
    hosts?: string[]
    /** Merged into each admin route: `logLevel`, `constraints`, `schema: { hide: true }`. */
    routeOptions?: Partial<Omit<RouteOptions, 'method' | 'url' | 'handler' | 'onRequest' | 'mirror'>>
  }

  /** An onRequest hook, async or with a callback. */
  export type AdminHook = (
    this: FastifyInstance,
    request: FastifyRequest,
    reply: FastifyReply,
    done: HookHandlerDoneFunction
  ) => void | Promise<unknown>

  /**
   * The route option `mirror`, or `config.mirror`: what is copied, where to, and what is compared. Keys that
   * have a snake_case spelling in the gateway's YAML are accepted in it too, never in both.
   */
  export interface MirrorOptions {
    /**
     * Name in logs, metrics and the admin routes: 1 to 100 characters, unique in the app, not `ui` or `verdict`,
     * and without `.` or `..` between slashes. Default: made from the
     * method and URL of the route, `get-users-id` for `GET /users/:id`; with several methods from the URL alone. Where several routes come
     * to the same, each gets a hash of its method and URL behind it (`get-users-id-1f2e3d4c`), whatever their order.
     */
    id?: string
    /** Default `true`. */
    enabled?: boolean
    /** 0 to 100, fractions allowed; 0 mirrors nothing. Rolled after the conditions. Default 100. */
    percentage?: number
    /**
     * Header name, or a function of the request: the same key always gets the same decision, in every process and
     * every mirror. A request with no key is rolled. Default: every request is rolled.
     */
    sampleBy?: string | ((request: FastifyRequest) => string | undefined)
    /** Where the copies go. Every backend gets its own. At least one, here or in the plugin's `defaults`. */
    backends?: Array<BackendOptions | string>
    /** All of them must hold for a request to be mirrored. Default: every request. */
    conditions?: ConditionOptions
    /**
     * Milliseconds for the whole copy: from its last request byte taken from the client (at once without a
     * body) to its answer's end. Default 5000.
     */
    timeout?: number
    /** Milliseconds without a byte of the client's request body before the copy is given up. Default 5000. */
    bodyTimeout?: number
    /** @see bodyTimeout */
    body_timeout?: number
    /** Most copies in flight per backend, which is also its number of connections. Default 256. */
    maxInFlight?: number
    /**
     * Most request-body bytes of a request that is not yet sent, and most by which a backend may fall behind its client once
     * its connection stands; past it the copy is given up. What comes while the connection takes what it is given does not count.
     * Default 1 MiB.
     */
    maxBacklogBytes?: number
    /** @see maxBacklogBytes */
    max_backlog_bytes?: number
    /**
     * After `failures` failures in a row (timeout, connect, reset, body) the backend is left alone for `cooldown`
     * ms, then tried with one request, and after as long with another if that has not ended. `false`: never.
     * Default `{ failures: 50, cooldown: 5000 }`.
     */
    breaker?: BreakerOptions | false
    /** Send the client's Host rather than the backend's. Default `false`. */
    preserveHost?: boolean
    /** Headers that the copy does not carry, such as `authorization`, `cookie`. Default `[]`. */
    removeHeaders?: string[]
    /**
     * Rewrites the copy's headers, synchronously, once a backend. Gets and returns headers as Node gives them. Framing,
     * hop-by-hop removal, Host and the mark come after it. A throw drops the copy, counted as `dropped.error`.
     */
    rewriteRequestHeaders?: (request: FastifyRequest, headers: IncomingHttpHeaders) => IncomingHttpHeaders
    /** What of the two answers is compared. */
    compare?: CompareOptions
    /**
     * What the requests of one kind are called, which are counted and judged together. `'auto'`: method and URL of the route, and below a
     * wildcard (http-proxy) method and path with `*` for what looks like an id. `'graphql'`: the operation's name, from the query string or
     * the first 2 KiB of the body. A synchronous function: what it returns, at most 100 characters. A request that has no name so is
     * called as by `'auto'`. Default `'auto'`.
     */
    endpoint?: 'auto' | 'graphql' | ((request: EndpointRequest) => string | undefined)
    /** Most endpoints of a period, 1 to 1000; what comes later is counted together, as `(other)`. Default 200. */
    maxEndpoints?: number
    /** @see maxEndpoints */
    max_endpoints?: number
    /**
     * Most places of mismatches that are stored in a period, 0 to 5000; what comes later is counted together, by endpoint. One endpoint has as many of
     * them as it leaves free, and a hundred in any case. Default 2000.
     */
    maxPlaces?: number
    /** @see maxPlaces */
    max_places?: number
    /** Limits that a backend must keep to be found ready for release. */
    verdict?: VerdictOptions
  }

  /** A request that is over, to be given a name. */
  export interface EndpointRequest {
    method: string
    /** The client's, with query. */
    path: string
    /** The client's. A copy. */
    headers: IncomingHttpHeaders
    /** The first 2 KiB of the body, as the client sent it; empty: there was none. */
    bodyHead: Buffer
    /** URL of the route, as it was registered. */
    route: string
  }

  /**
   * Rates are judged by a sequential test, which may be asked as often as one likes: in one period it finds a rate under its limit that is
   * not, or one over it that is not, with a probability of at most `1 - confidence` each.
   */
  export interface VerdictOptions {
    /** Of the comparisons, the share that may be mismatches, 0 to 1. With 0 the first is too many. Default 0.001. */
    maxMismatchRate?: number
    /** @see maxMismatchRate */
    max_mismatch_rate?: number
    /** Of the answers and failures, the share that may be failures, 0 to 1; what an open breaker dropped is one. Default 0.01. */
    maxFailureRate?: number
    /** @see maxFailureRate */
    max_failure_rate?: number
    /**
     * Of an endpoint's comparisons, the share that may be mismatches, 0 to 1. One that is over it is `not ready`. Default 0.01, or
     * `maxMismatchRate` where that is more.
     */
    maxEndpointMismatchRate?: number
    /** @see maxEndpointMismatchRate */
    max_endpoint_mismatch_rate?: number
    /** Of the requests, the share below which an endpoint need not be shown to keep its limit for `ready`, 0 to 1. Default 0.001. */
    minEndpointShare?: number
    /** @see minEndpointShare */
    min_endpoint_share?: number
    /** Milliseconds by which at most 5 % of the pairs, of all and of each endpoint, may be slower than the primary. Default: no limit. */
    maxSlowdown?: number
    /** @see maxSlowdown */
    max_slowdown?: number
    /** Of the copies that should have been compared, the share that must have been for `ready`, 0 to 1. Default 0.9. */
    minCoverage?: number
    /** @see minCoverage */
    min_coverage?: number
    /** How long a period must have lasted for `ready`: milliseconds, or text such as `'30m'` or `'1h'` (ms, s, m, h, d). Default 0. */
    minDuration?: number | string
    /** @see minDuration */
    min_duration?: number | string
    /** How sure a conclusion must be, 0.5 to 0.999999. Default 0.95. */
    confidence?: number
  }

  export interface BackendOptions {
    /**
     * `http:` or `https:`, without user info, query or fragment. A path in it goes before the request's path.
     */
    url: string
    /** Its name in metrics. Default: the URL's host, then `host#2`. */
    name?: string
    /**
     * Of the mirrored requests, the share that this backend gets, 0 to 100: a roll of its own, after the mirror's and
     * independent of it. Default 100.
     */
    percentage?: number
    /**
     * Options of a connection, as undici's `connect`, `net.connect` and `tls.connect` have them. SNI and verification use `servername`, a host name, else the URL's host, never the request's Host.
     * Or a synchronous function that gives them: called when its route is registered, and for every `reconnect`, so that certificates can change.
     * It runs on the main thread, with `thread: true`, too. Default `{}`.
     */
    connect?: ConnectOptions | (() => ConnectOptions)
    /** Accepted from the gateway's YAML and ignored: every backend gets a copy. */
    weight?: number
  }

  /**
   * What has an effect on a connection to a shadow; those of TLS only where the URL is `https:`.
   * @see https://undici.nodejs.org/#/docs/api/Client?id=parameter-connectoptions
   */
  export interface ConnectOptions extends Pick<ConnectionOptions, Extract<keyof ConnectionOptions, TlsOption>> {
    /** Path of a Unix domain socket. */
    socketPath?: string
    /** Milliseconds for the connection alone; the mirror's `timeout` bounds it in any case. Default: none of its own. */
    timeout?: number
    /** TCP keep-alive. Default `true`. */
    keepAlive?: boolean
    /** Milliseconds of silence before TCP keep-alive asks. Default 60000. */
    keepAliveInitialDelay?: number
    /** TLS sessions that are kept to be resumed. Default 100. */
    maxCachedSessions?: number
    /** 4 or 6: only addresses of that family. Default 0: both. */
    family?: 0 | 4 | 6
    /** Flags of `dns.lookup`. */
    hints?: number
    /** Instead of the plugin's own look-ups. Not with `thread: true`. */
    lookup?: LookupFunction
    /** The address of this machine from which it connects. */
    localAddress?: string
    /** Tries IPv4 and IPv6 in turn. Default: as Node is set. */
    autoSelectFamily?: boolean
    /** Milliseconds that one address has before the next is tried. Default: as Node is set. */
    autoSelectFamilyAttemptTimeout?: number
    /** Key that an OpenSSL engine has. */
    privateKeyEngine?: string
    /** @see privateKeyEngine */
    privateKeyIdentifier?: string
    /** OpenSSL engine that has the client certificate. */
    clientCertEngine?: string
    /** Certificates of intermediates count as trusted. Node 22.9 and later. */
    allowPartialTrustChain?: boolean
  }

  type TlsOption = 'ca' | 'cert' | 'key' | 'passphrase' | 'pfx' | 'crl' | 'servername' | 'rejectUnauthorized' | 'checkServerIdentity' |
    'minVersion' | 'maxVersion' | 'ciphers' | 'sigalgs' | 'ecdhCurve' | 'minDHSize' | 'secureProtocol' | 'secureOptions' | 'secureContext' |
    'session' | 'pskCallback' | 'enableTrace'

  export interface ConditionOptions {
    /** HTTP methods, in any case. Default: all. */
    methods?: string[]
    /** Header name → text (equal, ignoring case; any value of a repeated header), or `true` (present). */
    headers?: Record<string, string | true>
    /**
     * RE2 syntax, unanchored, matched in linear time against the path that Fastify routed, not decoded,
     * without query.
     * @see https://github.com/google/re2/wiki/Syntax
     */
    pathRegex?: string
    /** @see pathRegex */
    path_regex?: string
  }

  export interface BreakerOptions {
    /** Failures in a row that open the breaker, 1 or more. Default 50. */
    failures?: number
    /** Milliseconds that the backend is left alone, and that a try has before the next. Default 5000. */
    cooldown?: number
  }

  export interface CompareOptions {
    /** Compare status code and SHA-256 of the body, computed as it streams; of a coded body that of what it decodes to. Default `false`. */
    enabled?: boolean
    /**
     * `request.log.warn` for mismatches: ten in ten seconds, and of further kinds the first; how many more there were is a line of the
     * app's log. Default `false`.
     */
    logMismatches?: boolean
    /** @see logMismatches */
    log_mismatches?: boolean
    /** Compare headers too, and look into bodies whose hashes differ. Default `false`. */
    detailedDiff?: boolean
    /** @see detailedDiff */
    detailed_diff?: boolean
    /**
     * Bytes kept of each body for the diff, where a longer one falls back to its hash; without the diff, of bodies in a content coding alone, where
     * a longer one is `notCompared.encoding`. Default 1 MiB.
     */
    maxBodyCapture?: number
    /** @see maxBodyCapture */
    max_body_capture?: number
    /**
     * Response headers that the diff leaves out, besides `date`, `age`, `x-request-id`, `connection`, `keep-alive`,
     * `transfer-encoding`, `content-length`. Default `[]`.
     */
    ignoreHeaders?: string[]
    /** @see ignoreHeaders */
    ignore_headers?: string[]
    /**
     * JSON pointers or dotted paths that the diff leaves out, `*` for any key or index:
     * `/items/*&#47;updatedAt`, `user.lastSeen`. In a pointer `~0`, `~1`, `~2`, `~3` are a literal `~`, `/`, `*`, `[`. Default `[]`.
     */
    ignoreJsonFields?: string[]
    /** @see ignoreJsonFields */
    ignore_json_fields?: string[]
    /**
     * Names of headers, JSON fields, query and form parameters whose values are never stored, logged or
     * shown, besides those of the usual kinds (passwords, tokens, keys, sessions, codes and the like): single names, `ssn` hides `user.ssn` and `user[ssn]`, too. Default `[]`.
     */
    redact?: string[]
  }

  /** `fastify.mirrors`: what the admin routes offer, for code. */
  export interface Mirrors {
    /** Every mirror's numbers, by id, as they are now. */
    list (): Record<string, MirrorSnapshot>
    /** One mirror's numbers, or `undefined` when there is no such mirror. */
    get (id: string): MirrorSnapshot | undefined
    /**
     * Switches one mirror and its backends, and sets their percentages, from the next request on; copies in flight end as
     * ever. All or nothing. Each change is logged at level info with the values before and after.
     * @param log where it is logged: give `request.log` to say who asked. Default: the app's logger
     * @returns the mirror's numbers, or `undefined` when there is no such mirror
     * @throws an `FST_MIRROR_` error with status code 400 that says what is allowed
     */
    update (id: string, patch: MirrorPatch, log?: FastifyBaseLogger): MirrorSnapshot | undefined
    /** `false`: all mirrors are switched off, whatever their own switches say. */
    readonly enabled: boolean
    /**
     * Switches all mirrors off, those of routes to come among them, or on again: each is then as it was, or as it was set
     * meanwhile. Requests count as `disabled` while they are off. Changes nothing without `enabled`.
     * @param log where a change is logged: give `request.log` to say who asked. Default: the app's logger
     * @throws an `FST_MIRROR_` error with status code 400 that says what is allowed
     */
    updateAll (patch: Partial<SwitchState>, log?: FastifyBaseLogger): SwitchState
    /**
     * Where one mirror's answers differ. Examples are masked when they are read.
     * @throws an `FST_MIRROR_` error with status code 400 that says what is allowed
     */
    mismatches (id: string, query?: MismatchQuery): MismatchList | undefined
    /** Forgets one mirror's places of mismatches; running totals stay. `false` when there is no such mirror. */
    clear (id: string): boolean
    /** One mirror's numbers by endpoint, the busiest first. */
    endpoints (id: string): EndpointList | undefined
    /** Whether what one mirror has counted allows to release. */
    verdict (id: string): MirrorVerdict | undefined
    /** The verdicts of all mirrors, and of them together: ready when every one is. */
    verdictAll (): MirrorsVerdict
    /**
     * Counts and places of one mirror begin anew, as after a new version of a shadow; requests under way report to what
     * they began in. `false` when there is no such mirror.
     */
    reset (id: string): boolean
    /**
     * The request of the first example of a place as a curl command, aimed at the shadow or at the primary's side, which is this app.
     * Quoted for sh, bash, dash, zsh and fish (3.4 or later), not for PowerShell or cmd. `base`: the URL to aim at, shown as it is; needed for the primary, by default the backend's for the shadow. `undefined`
     * when there is no such mirror or place, no example, or no base.
     */
    curl (id: string, place: string, side: CurlSide, base?: string): string | undefined
  }

  /** What is left out stays as it is. */
  export interface BackendPatch {
    enabled?: boolean
    /** 0 to 100. */
    percentage?: number
  }

  /** What is left out stays as it is. */
  export interface MirrorPatch extends BackendPatch {
    /**
     * Sends what comes from now on over new connections. Where `connect` of a backend is a function, it is called for their options; if one gives
     * bad ones, nothing is changed. Copies in flight end over the connections that they have.
     */
    reconnect?: true
    /** By the backends' names. */
    backends?: Record<string, BackendPatch>
  }

  /** Of all mirrors. */
  export interface SwitchState {
    enabled: boolean
  }

  export type CurlSide = 'shadow' | 'primary'

  /** `rarest`: by the share of their endpoint's comparisons. `frequent`: by count. `newest`: those that came up last. `status`: changes of the status. */
  export type PlaceOrder = 'rarest' | 'frequent' | 'newest' | 'status'

  /** Which places are asked for. */
  export interface MismatchQuery {
    /** Which of them come first. Default `'rarest'`. */
    sort?: PlaceOrder
    /** Of the endpoint with this name alone. Default: of all. */
    endpoint?: string
    /** Places that are listed at most, 1 to 5000. Default 100. */
    limit?: number
  }

  /** Where one mirror's answers differ. */
  export interface MismatchList {
    /** Places that are stored at most. */
    limit: number
    /** Whether there were more: they are counted together, by endpoint, as `(other places)`. */
    limited: boolean
    /** Mismatches that were counted by place without an example, for mismatches had taken their share of the main thread's time. */
    withoutExample: number
    /** Mismatches that were counted in `(other places)` without being looked at, for want of time as well. */
    unsorted: number
    /** Places that there are, of those that were asked for. */
    total: number
    places: MismatchPlace[]
  }

  /**
   * How the answers differ there: the value is another, is there in the shadow's alone, in the primary's alone, or is of another JSON type.
   */
  export type PlaceKind = 'changed' | 'added' | 'removed' | 'type'

  /** Where the answers of an endpoint differ, in one way. A mismatch counts once in each of its places. */
  export interface PlaceSummary {
    /** Made of the mirror's id, the endpoint, the place and the kind: the same in every process. */
    id: string
    /** The name of the endpoint. */
    endpoint: string
    /**
     * `status 200→500`, `header:etag`, a JSON pointer such as `/items/*&#47;price` with `*` for indices and for keys that are data rather than names, or
     * `body`, with the reason behind it where it was not looked into. `(other places)`: what came when there was no more room.
     */
    where: string
    /** `null`: of all that is not told apart. */
    kind: PlaceKind | null
    /** Mismatches. */
    count: number
    /** Their share of the endpoint's comparisons, of all backends, 0 to 1. */
    share: number
    /** When the first and the last of them came, ISO 8601. */
    first: string
    last: string
    /** The mismatches of each backend that had any. */
    backends: Array<{ name: string, count: number }>
  }

  export interface MismatchPlace extends PlaceSummary {
    /**
     * At most three, of 4 KiB each before they are masked: the first and the latest, and the one that differed at the most places, as far as there was
     * memory and time for them. One of which this is the rarest place comes first.
     */
    examples: PlaceExample[]
  }

  export type ExampleUse = 'first' | 'latest' | 'most different'

  /** A mismatch that was counted at a place; what differs there comes first. */
  export interface PlaceExample extends Mismatch {
    /** What it is kept for. */
    uses: ExampleUse[]
    /** The id of the rarest of the places at which it was counted. */
    rarest: string
  }

  /** A mismatch as it is stored, logged and shown: without secrets, and of bounded size. */
  export interface Mismatch {
    backend: string
    /** ISO 8601. */
    time: string
    request: MismatchRequest
    primaryStatus: number
    shadowStatus: number
    /**
     * Marks of the bodies, in hexadecimal: HMAC-SHA-256 of their SHA-256, with a key that each process makes up for itself. Equal
     * bodies have equal marks within one process, and nobody can find a masked value by trying which body has the mark.
     */
    primaryHash: string
    shadowHash: string
    /** Sorted by name; values cut at 200 characters. */
    headers: HeaderDifference[]
    /** `null`: the bodies match. */
    body: BodyDifference | null
  }

  /** What `onMismatch` is called with. */
  export interface MismatchEvent extends Mismatch {
    /** The mirror's id. */
    mirror: string
    /** The name of its request's endpoint. */
    endpoint: string
    /** The ids of the places at which it was counted, the rarest first: at most 32. */
    places: string[]
    /** Mismatches of this mirror that it was not called with since the last, for they had taken their share of the main thread's time. */
    spared: number
  }

  /** The request of a mismatch: enough to repeat it, where nothing of it was masked or left out. */
  export interface MismatchRequest {
    method: string
    /** The client's, with query. */
    path: string
    /** The copy's, with query: it goes behind the backend's URL. */
    sentPath: string
    /** Names and values in turn. */
    headers: string[]
    /** `null`: there was none, or it was not text, or may not be shown. */
    body: string | null
    /** Something of the path, the headers or the shown body is left out because of its length. */
    truncated: boolean
  }

  /** A header that is not the same on both sides; no values: that side does not have it. */
  export interface HeaderDifference {
    /** In lower case. */
    name: string
    primary: string[]
    shadow: string[]
  }

  /** What differs between two bodies. */
  export type BodyDifference =
    /** `truncated`: there are more differences than those listed. */
    | { kind: 'json', differences: JsonDifference[], truncated: boolean }
    /** Lengths in bytes, decoded, and the offset of the first byte that differs, or at which one of them ends. */
    | { kind: 'text' | 'binary', primaryLength: number, shadowLength: number, offset: number }
    /** Their hashes differ, and that is all that is known. */
    | { kind: 'hash', reason: HashReason }

  /**
   * Why bodies were not looked into: `off`, nobody asked for it; longer than what is captured, or decoded so; in content
   * codings that are not known here, or, without the diff, longer than what is captured; not decodable as what they say they are; JSON
   * too long, too deep or with too many values; no memory was left for it. Where the codings are not the same, or for want
   * of memory, it is not known whether the bodies differ, and `mismatches.body` does not count them.
   */
  export type HashReason = 'off' | 'too long' | 'encoding' | 'not decodable' | 'too complex' | 'memory' | 'busy' | 'error'

  /** One value that differs. */
  export interface JsonDifference {
    /** RFC 6901. */
    pointer: string
    /** `type`: a value of another JSON type. */
    change: PlaceKind
    /** The values as compact JSON, masked and cut at 200 characters; absent where that side has none. */
    primary?: string
    shadow?: string
  }

  /** One mirror's numbers by endpoint. Their sums over all endpoints are the backends' numbers, at every moment. */
  export interface EndpointList {
    /** Endpoints that there are at most. */
    limit: number
    /** Whether there were more: they are counted as `(other)`. */
    limited: boolean
    endpoints: EndpointSnapshot[]
  }

  export interface EndpointSnapshot {
    /**
     * `(other)`: came when there was no more room. `(not found)`: paths below a wildcard that the primary has so far answered only with 404
     * or 405, or not at all. `(pending)`: not known yet.
     */
    name: string
    /** Its share of the mirror's requests, 0 to 1. */
    share: number
    /** In the order of the mirror's. */
    backends: EndpointBackend[]
  }

  /** `mirrored = inFlight + comparing + compared + failed + lost + leftOut`, `compared = matched + mismatched`. */
  export interface EndpointBackend {
    name: string
    /** `null`: nothing is concluded of it, as of what is pending. */
    verdict: VerdictWord | null
    /** Requests that were offered to the backend. */
    mirrored: number
    inFlight: number
    comparing: number
    compared: number
    matched: number
    mismatched: number
    /** Copies that speak against the backend: timeouts, broken connections and answers, and what an open breaker dropped. */
    failed: number
    /** Neither compared nor failed, by a limit or a fault of the mirror. */
    lost: number
    /** By choice or by nature: not sampled, cut by the client and the like. */
    leftOut: number
    /** Comparisons that gave a difference of latencies, and those of them that were over `maxSlowdown`. */
    pairs: number
    slower: number
    /** Milliseconds, shadow minus primary, over all pairs, off by at most 5 %; `null` while there is none. */
    p95: number | null
    p99: number | null
    /** When the latest mismatch came, ISO 8601; `null`: there was none. */
    latestMismatch: string | null
  }

  export type VerdictWord = 'ready' | 'not ready' | 'not enough data'

  /** Whether what has been counted since `since` allows to release. */
  export interface MirrorVerdict {
    id: string
    /** Of all backends together: ready when every one is. */
    verdict: VerdictWord
    /** The period that it speaks of: what was counted since the last reset. Ids sort by time. */
    period: string
    /** When the period began, ISO 8601. */
    since: string
    backends: BackendVerdict[]
  }

  export interface MirrorsVerdict {
    verdict: VerdictWord
    mirrors: MirrorVerdict[]
  }

  export interface BackendVerdict {
    name: string
    verdict: VerdictWord
    reasons: VerdictReason[]
  }

  export interface VerdictReason {
    /**
     * `endpoints`: each of them alone. `sample`: copies that were dropped at limits of the mirror, so that what was compared is no random sample. `left out`: what says
     * nothing of the backend, by choice or by nature.
     */
    about: 'mismatches' | 'failures' | 'endpoints' | 'slowdown' | 'coverage' | 'breaker' | 'duration' | 'outages' | 'sample' | 'left out'
    /** `told`: counts neither for nor against. */
    state: 'good' | 'bad' | 'undecided' | 'told'
    /** The reason in words and numbers, and what would settle it. */
    text: string
    /**
     * What was counted: mismatches, failures, endpoints that are bad or not yet good, slower pairs, copies that were compared, outages, copies. Of the breaker and the duration:
     * milliseconds.
     */
    count: number
    /** Of how many. Of rates, the coverage and the endpoints alone, as is the next. */
    of?: number
    /** `count / of`; `null` while there is nothing. */
    rate?: number | null
    /** Where the rate lies, each end with the verdict's confidence at any number of looks. Of rates alone. */
    interval?: [low: number, high: number]
    /** Answers that may yet turn out to count or not: still being compared, or different and not looked into. Left out if none. */
    unsure?: number
    /** Milliseconds at the 95th percentile of the last 1000 differences; `null` while there is none. Of the slowdown alone. */
    p95?: number | null
    /** The limit that it is judged by; of what is told there is none. */
    limit?: number
    /** Where a rate is undecided: how many more would settle it, if it stays; `null`: no number would. */
    needed?: number | null
    /** The worst endpoints of that state. Of the endpoints alone. */
    endpoints?: EndpointReason[]
  }

  /** What speaks against an endpoint, or is missing. */
  export interface EndpointReason {
    name: string
    /** Its share of the mirror's requests, 0 to 1. */
    share: number
    compared: number
    mismatched: number
    /** How many more comparisons would settle it, if its rate stays; `null`: no number would, or it is settled. */
    needed: number | null
    text: string
  }

  /**
   * One mirror's numbers. They close at every moment:
   * `seen = disabled + filtered + looped + upgraded + unsampled + pending + unhandled + mirrored`.
   */
  export interface MirrorSnapshot {
    id: string
    /** The routes that share this mirror. Left out of the admin routes' answers when they have no guard. */
    routes: MirrorRoute[]
    /** Whether it mirrors now: its own switch is on, and that of all mirrors is. */
    enabled: boolean
    percentage: number
    /** Requests that reached this mirror's hook. */
    seen: number
    /** Not mirrored because the mirror is switched off. */
    disabled: number
    /** Not mirrored because a condition did not hold. */
    filtered: number
    /** Not mirrored because the request is itself a copy (`x-mirrored-from`). */
    looped: number
    /** Not mirrored because it is an upgrade or CONNECT. */
    upgraded: number
    /** Not mirrored because of the roll. */
    unsampled: number
    /** Chosen, and not yet sent. */
    pending: number
    /** Chosen, and never sent: a hook, the validation or the proxy itself answered, or the client left before. */
    unhandled: number
    /** Offered to every backend. */
    mirrored: number
    backends: BackendSnapshot[]
  }

  export interface MirrorRoute {
    method: string[]
    url: string
  }

  /**
   * One backend's numbers. They close at every moment:
   * `offered = disabled + unsampled + dropped + total`, `total = inFlight + success + failure`,
   * `success = comparing + compared + notCompared`, `compared = matched + mismatched`.
   */
  export interface BackendSnapshot {
    name: string
    /** Left out of the admin routes' answers when they have no guard. */
    url: string
    enabled: boolean
    percentage: number
    /** Requests mirrored by this mirror. */
    offered: number
    disabled: number
    unsampled: number
    /** Not attempted, by reason. */
    dropped: Record<DropReason, number>
    /** Copies attempted. */
    total: number
    /** Copies attempted that have not ended. */
    inFlight: number
    /** Complete answers, whatever their status. */
    success: number
    /** Copies without a complete answer, by reason. */
    failure: Record<FailureReason, number>
    /** Complete answers by status class. */
    status: Record<StatusClass, number>
    /** Complete answers that wait for the primary's. */
    comparing: number
    compared: number
    matched: number
    mismatched: number
    /** Complete answers that were not compared, by reason. */
    notCompared: Record<NotComparedReason, number>
    /** Of `mismatched`, what differed; one request can count in several. */
    mismatches: Record<MismatchPart, number>
    latency: {
      /** From the copy's dispatch on a connection to the end of its answer. */
      shadow: LatencySummary
      /** The primary's, on the same requests, where comparing. */
      primary: LatencySummary
      /** Shadow minus primary, request by request. */
      difference: LatencySummary
    }
    breaker: BreakerState
  }

  /** Milliseconds by nearest rank over the last 1000 samples; `null` while there is none. */
  export interface LatencySummary {
    /** All samples ever taken. */
    count: number
    p50: number | null
    p90: number | null
    p95: number | null
    p99: number | null
    max: number | null
  }

  export type DropReason = 'inFlight' | 'memory' | 'breaker' | 'closing' | 'thread' | 'path' | 'error'
  export type FailureReason =
    'timeout' | 'connect' | 'reset' | 'body' | 'slow' | 'staleConnection' | 'bodyTimeout' | 'memory' | 'thread' | 'aborted' | 'error'
  export type NotComparedReason =
    'off' | 'primaryAborted' | 'primaryFailed' | 'hijacked' | 'encoding' | 'memory' | 'busy' | 'thread' | 'untapped' | 'closing' | 'error'
  export type MismatchPart = 'status' | 'headers' | 'body'
  export type StatusClass = '2xx' | '3xx' | '4xx' | '5xx'
  export type BreakerState = 'closed' | 'open' | 'half-open'

  export const fastifyMirror: FastifyMirror
  export { fastifyMirror as default }
}

declare function fastifyMirror (...params: Parameters<FastifyMirror>): ReturnType<FastifyMirror>

export = fastifyMirror
