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
  /**
   * The plugin's own options, given to `app.register(mirror, options)`.
   * @example
   * const options: FastifyMirrorOptions = {
   *   defaults: { backends: ['http://shadow:9000'], compare: { enabled: true } },
   *   thread: true
   * }
   */
  export interface FastifyMirrorOptions {
    /**
     * Merged under every route's `mirror`, deeply. Arrays replace.
     * @default {}
     */
    defaults?: Partial<MirrorOptions>
    /** The admin routes, where numbers are read and mirrors are switched. `false`: there are none. */
    admin?: AdminOptions | false
    /**
     * Runs the mirrors' work (client, hashing, diffing) on a worker thread.
     * @default false
     */
    thread?: boolean
    /**
     * Bytes of bodies that are held in memory for mirrors at most, over all routes of the app. The excess is dropped.
     * @default 67108864
     */
    maxBufferedBytes?: number
    /**
     * Milliseconds that closing the app waits for copies in flight before it cuts them.
     * @default 1000
     */
    closeTimeout?: number
    /**
     * Called with mismatches, secrets masked, in the async context of their request. What it throws, or rejects with,
     * is logged and goes no further. It runs on the main thread, behind the request. All mismatches together, its own
     * time included, take at most 5 % of that thread's time. `spared` says how many it was not called with.
     * @default none
     */
    onMismatch?: (mismatch: MismatchEvent) => unknown
    /** Where Prometheus reads what the mirrors count, until the app is closed. Without it nothing is told. */
    prometheus?: PrometheusOptions
    /**
     * A mirror that the plugin could not see is an error when the app gets ready, `FST_MIRROR_NOT_MIRRORED`, and not a
     * warning. The plugin cannot see a route that was added before it had loaded, or in a scope without it.
     * @default false
     */
    strict?: boolean
    /**
     * Keeps this process's `process.nextTick` as quick as in a new process. V8 makes it several times slower for good
     * once garbage is collected in a quiet moment. The plugin holds on to one object of Node's to prevent that, once a
     * process, and goes on when the app is closed. `false` leaves Node as it is.
     * @default true
     */
    keepTicksQuick?: boolean
  }

  /**
   * What is told to Prometheus, and by which registry.
   * @example
   * const options: PrometheusOptions = { register: new Registry(), endpoints: true }
   */
  export interface PrometheusOptions {
    /**
     * A registry of prom-client 15: its global `register`, or one of your own. Apps that share one are told of as one.
     * @default none
     */
    register: PrometheusRegistry
    /**
     * Tells what came of requests by endpoint, too. That is up to `maxEndpoints` times five more values for each mirror
     * and backend.
     * @default false
     */
    endpoints?: boolean
  }

  /** As much of prom-client's `Registry` as is used, so that prom-client need not be installed. */
  export interface PrometheusRegistry {
    /** Adds a metric. */
    registerMetric (metric: object): void
    /** The metric of that name. */
    getSingleMetric (name: string): object | undefined
    /** Takes a metric out, as when the app is closed. */
    removeSingleMetric (name: string): void
  }

  /**
   * The admin routes.
   * @example
   * const options: AdminOptions = {
   *   prefix: '/internal/mirrors',
   *   hosts: ['ops.example.com'],
   *   async onRequest (request, reply) {
   *     if (request.headers.authorization !== `Bearer ${process.env.TOKEN}`) return reply.code(401).send()
   *   }
   * }
   */
  export interface AdminOptions {
    /**
     * Path under which the admin routes lie.
     * @default '/mirrors'
     */
    prefix?: string
    /**
     * The guard: one hook or several, run before every admin route. Nothing goes on once one has answered. Without a
     * guard only the numbers can be read. URLs, and ids and names that you did not give, are left out of them.
     * @default none
     */
    onRequest?: AdminHook | AdminHook[]
    /**
     * Names and addresses, without port, that the admin routes may be asked for, as in the Host header. Others get 421.
     * Give them where browsers reach a private address without a password: else a web page can have its own name lead
     * there (DNS rebinding). Without them any will do.
     * @default none
     */
    hosts?: string[]
    /**
     * Merged into each admin route: `logLevel`, `constraints`, `schema: { hide: true }`.
     * @default {}
     */
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
   * @example
   * const options: MirrorOptions = {
   *   backends: ['http://shadow:9000'],
   *   percentage: 10,
   *   conditions: { methods: ['GET', 'HEAD'] },
   *   compare: { enabled: true, detailedDiff: true }
   * }
   */
  export interface MirrorOptions {
    /**
     * Name in logs, metrics and the admin routes: 1 to 100 characters, unique in the app, not `ui` or `verdict`, and
     * without `.` or `..` between slashes. The default is made from the method and the URL of the route. With several
     * methods it is made from the URL alone. Where several routes come to the same, each gets a hash of its method and
     * URL behind it (`get-users-id-1f2e3d4c`), whatever their order.
     * @default `get-users-id` for `GET /users/:id`
     */
    id?: string
    /**
     * Whether it mirrors. It can be switched later.
     * @default true
     */
    enabled?: boolean
    /**
     * Percent of the requests that are mirrored: 0 to 100, fractions allowed. Rolled after the conditions.
     * @default 100
     */
    percentage?: number
    /**
     * Name of a header, or a function of the request. The same key always gets the same decision, in every process and
     * every mirror. A request without a key is rolled.
     * @default none
     */
    sampleBy?: string | ((request: FastifyRequest) => string | undefined)
    /** Where the copies go. Every backend gets its own. At least one, here or in the plugin's `defaults`. */
    backends?: Array<BackendOptions | string>
    /** What a request must be like to be mirrored. All conditions must hold. */
    conditions?: ConditionOptions
    /**
     * Milliseconds for the whole copy: from its last request byte taken from the client (at once without a body) to its
     * answer's end.
     * @default 5000
     */
    timeout?: number
    /**
     * Milliseconds without a byte of the client's request body before the copy is given up.
     * @default 5000
     */
    bodyTimeout?: number
    /** @see bodyTimeout */
    body_timeout?: number
    /**
     * Copies in flight per backend at most, which is also its number of connections.
     * @default 256
     */
    maxInFlight?: number
    /**
     * Request-body bytes at most, of a request that is not yet sent, and by which a backend may fall behind its client
     * once its connection stands. Past it the copy is given up. What comes while the connection takes what it is given
     * does not count.
     * @default 1048576
     */
    maxBacklogBytes?: number
    /** @see maxBacklogBytes */
    max_backlog_bytes?: number
    /** When a backend that fails is left alone. `false`: never. */
    breaker?: BreakerOptions | false
    /**
     * Sends the client's Host rather than the backend's.
     * @default false
     */
    preserveHost?: boolean
    /**
     * Headers that the copy does not carry, such as `authorization`, `cookie`.
     * @default []
     */
    removeHeaders?: string[]
    /**
     * Rewrites the copy's headers, synchronously, once a backend. It gets and returns headers as Node gives them.
     * Framing, hop-by-hop removal, Host and the mark come after it. A throw drops the copy, counted as `dropped.error`.
     * @default none
     */
    rewriteRequestHeaders?: (request: FastifyRequest, headers: IncomingHttpHeaders) => IncomingHttpHeaders
    /** What of the two answers is compared. */
    compare?: CompareOptions
    /**
     * What the requests of one kind are called. They are counted and judged together.
     * - `'auto'`: method and URL of the route. Below a wildcard (http-proxy) it is method and path, with `*` for what
     *   looks like an id.
     * - `'graphql'`: the operation's name, from the query string or the first 2 KiB of the body.
     * - a synchronous function: what it returns, at most 100 characters.
     *
     * A request that gets no name so is called as by `'auto'`.
     * @default 'auto'
     */
    endpoint?: 'auto' | 'graphql' | ((request: EndpointRequest) => string | undefined)
    /**
     * Endpoints of a period at most, 1 to 1000. Those that come later are counted together, as `(other)`.
     * @default 200
     */
    maxEndpoints?: number
    /** @see maxEndpoints */
    max_endpoints?: number
    /**
     * Places of mismatches that are stored in a period at most, 0 to 5000. Those that come later are counted together,
     * by endpoint. One endpoint has as many of them as it leaves free, and a hundred in any case.
     * @default 2000
     */
    maxPlaces?: number
    /** @see maxPlaces */
    max_places?: number
    /**
     * Asks a share of the copies twice of one and the same version, to learn what differs by itself. Needs
     * `compare.detailedDiff`. `false`: nothing is asked twice.
     * @default false
     */
    noise?: NoiseOptions | false
    /** Limits that a backend must keep to be found ready for release. */
    verdict?: VerdictOptions
  }

  /** What is asked twice of one version, so that its noise is known. */
  export interface NoiseOptions {
    /**
     * Of which version. `'shadow'`: each shadow is asked once more what it was asked. Or another instance of the
     * primary's version, whose answer is compared with the primary's: it usually shares production's database, so that
     * its repeats are real load.
     */
    from: 'shadow' | NoiseSource
    /**
     * Of the copies, the share that is asked twice at most, 0 to 100, fractions allowed.
     * @default 5
     */
    percentage?: number
    /**
     * Methods of requests that may be asked twice, in any case: GET, HEAD, OPTIONS. With `endpoint: 'graphql'` queries
     * by POST may be, too, if their body has at most 2 KiB.
     * @default ['GET','HEAD']
     */
    methods?: string[]
    /**
     * `'auto'`: rules that are sure enough are accepted without a person; needs `from` with a `url`.
     * @default 'manual'
     */
    accept?: 'manual' | 'auto'
  }

  /** Another instance of the primary's version. */
  export interface NoiseSource extends Pick<BackendOptions, 'url' | 'name' | 'connect'> {}

  /**
   * A request that is over, to be given a name.
   * @example
   * const endpoint = ({ method, route, headers }: EndpointRequest) => `${method} ${route} ${headers['x-version']}`
   */
  export interface EndpointRequest {
    /** In upper case. */
    method: string
    /** The client's, with query. */
    path: string
    /** The client's. A copy. */
    headers: IncomingHttpHeaders
    /** The first 2 KiB of the body, as the client sent it. Empty: there was none. */
    bodyHead: Buffer
    /** URL of the route, as it was registered. */
    route: string
  }

  /**
   * Limits that a backend must keep. Rates are judged by a sequential test, which may be asked as often as one likes.
   * In one period it finds a rate under its limit that is not, or one over it that is not, with a probability of at
   * most `1 - confidence` each.
   * @example
   * const options: VerdictOptions = { maxMismatchRate: 0.005, maxSlowdown: 20, minDuration: '1h' }
   */
  export interface VerdictOptions {
    /**
     * Share of the comparisons that may be mismatches, 0 to 1. With 0 the first is too many.
     * @default 0.001
     */
    maxMismatchRate?: number
    /** @see maxMismatchRate */
    max_mismatch_rate?: number
    /**
     * Share of the answers and failures that may be failures, 0 to 1. A copy that an open breaker dropped is a failure.
     * @default 0.01
     */
    maxFailureRate?: number
    /** @see maxFailureRate */
    max_failure_rate?: number
    /**
     * Share of an endpoint's comparisons that may be mismatches, 0 to 1. An endpoint over it makes the mirror
     * `not ready`. If `maxMismatchRate` is more, the default is that.
     * @default 0.01
     */
    maxEndpointMismatchRate?: number
    /** @see maxEndpointMismatchRate */
    max_endpoint_mismatch_rate?: number
    /**
     * Share of the requests below which `ready` does not wait for an endpoint, 0 to 1.
     * @default 0.001
     */
    minEndpointShare?: number
    /** @see minEndpointShare */
    min_endpoint_share?: number
    /**
     * Milliseconds by which at most 5 % of the pairs, of all and of each endpoint, may be slower than the primary.
     * @default none
     */
    maxSlowdown?: number
    /** @see maxSlowdown */
    max_slowdown?: number
    /**
     * Share of the copies that should have been compared that must have been for `ready`, 0 to 1.
     * @default 0.9
     */
    minCoverage?: number
    /** @see minCoverage */
    min_coverage?: number
    /**
     * Milliseconds that a period must have lasted for `ready`, or text such as `'30m'` or `'1h'` (ms, s, m, h, d). At
     * most 366 days.
     * @default 0
     */
    minDuration?: number | string
    /** @see minDuration */
    min_duration?: number | string
    /**
     * How sure a conclusion must be, 0.5 to 0.999999.
     * @default 0.95
     */
    confidence?: number
  }

  /**
   * One shadow of a mirror. Its URL alone is short for `{ url }`.
   * @example
   * const backend: BackendOptions = { url: 'https://shadow:9443/v2', name: 'v2', percentage: 50 }
   */
  export interface BackendOptions {
    /** `http:` or `https:`, without user info, query or fragment. A path in it goes before the request's path. */
    url: string
    /**
     * Its name in logs and metrics. A second backend of that host is `host#2`.
     * @default the URL's host
     */
    name?: string
    /**
     * Percent of the mirrored requests that this backend gets, 0 to 100: a roll of its own, after the mirror's and
     * independent of it.
     * @default 100
     */
    percentage?: number
    /**
     * Options of a connection, as undici's `connect`, `net.connect` and `tls.connect` have them. SNI and verification
     * use `servername`, a host name, else the URL's host, never the request's Host. Or a synchronous function that
     * gives them: it is called when its route is registered, and for every `reconnect`, so that certificates can
     * change. It runs on the main thread, with `thread: true`, too.
     * @default {}
     */
    connect?: ConnectOptions | (() => ConnectOptions)
    /**
     * Accepted from the gateway's YAML and ignored: every backend gets a copy.
     * @default none
     */
    weight?: number
  }

  /**
   * What has an effect on a connection to a shadow. Those of TLS have one only where the URL is `https:`.
   * @see https://undici.nodejs.org/#/docs/api/Client?id=parameter-connectoptions
   * @example
   * const connect: ConnectOptions = { ca: readFileSync('ca.pem'), servername: 'shadow.internal', timeout: 1000 }
   */
  export interface ConnectOptions extends Pick<ConnectionOptions, Extract<keyof ConnectionOptions, TlsOption>> {
    /** Path of a Unix domain socket. */
    socketPath?: string
    /** Milliseconds for the connection alone. The mirror's `timeout` bounds it in any case. */
    timeout?: number
    /**
     * TCP keep-alive.
     * @default true
     */
    keepAlive?: boolean
    /**
     * Milliseconds of silence before TCP keep-alive asks.
     * @default 60000
     */
    keepAliveInitialDelay?: number
    /**
     * TLS sessions that are kept to be resumed.
     * @default 100
     */
    maxCachedSessions?: number
    /**
     * 4 or 6: only addresses of that family. 0: both.
     * @default 0
     */
    family?: 0 | 4 | 6
    /** Flags of `dns.lookup`. */
    hints?: number
    /** Takes the place of the plugin's own look-ups. Not with `thread: true`. */
    lookup?: LookupFunction
    /** The address of this machine from which it connects. */
    localAddress?: string
    /** Tries IPv4 and IPv6 in turn. By default as Node is set. */
    autoSelectFamily?: boolean
    /** Milliseconds that one address has before the next is tried. By default as Node is set. */
    autoSelectFamilyAttemptTimeout?: number
    /** OpenSSL engine that has the private key. */
    privateKeyEngine?: string
    /** Name of the key in that engine. */
    privateKeyIdentifier?: string
    /** OpenSSL engine that has the client certificate. */
    clientCertEngine?: string
    /** Certificates of intermediates count as trusted. Node 22.9 and later. */
    allowPartialTrustChain?: boolean
  }

  type TlsOption =
    | 'ca' | 'cert' | 'key' | 'passphrase' | 'pfx' | 'crl' | 'servername' | 'rejectUnauthorized' | 'checkServerIdentity'
    | 'minVersion' | 'maxVersion' | 'ciphers' | 'sigalgs' | 'ecdhCurve' | 'minDHSize' | 'secureProtocol'
    | 'secureOptions' | 'secureContext' | 'session' | 'pskCallback' | 'enableTrace'

  /**
   * What a request must be like to be mirrored.
   * @example
   * const conditions: ConditionOptions = { methods: ['GET'], headers: { 'x-beta': 'true' }, pathRegex: '^/api/v2/' }
   */
  export interface ConditionOptions {
    /**
     * HTTP methods, in any case. Empty: all.
     * @default []
     */
    methods?: string[]
    /**
     * Header name → text (equal, ignoring case; any value of a repeated header), or `true` (present). Empty: any.
     * @default {}
     */
    headers?: Record<string, string | true>
    /**
     * RE2 syntax, unanchored, matched in linear time against the path that Fastify routed, not decoded, without query.
     * @see https://github.com/google/re2/wiki/Syntax
     * @default none
     */
    pathRegex?: string
    /** @see pathRegex */
    path_regex?: string
  }

  /**
   * The breaker opens after `failures` failures in a row (timeout, connect, reset, body). The backend is left alone for
   * `cooldown`, then tried with one request, and after as long with another if that has not ended.
   * @example
   * const breaker: BreakerOptions = { failures: 10, cooldown: 30_000 }
   */
  export interface BreakerOptions {
    /**
     * Failures in a row that open the breaker, 1 or more.
     * @default 50
     */
    failures?: number
    /**
     * Milliseconds that the backend is left alone, and that a try has before the next.
     * @default 5000
     */
    cooldown?: number
  }

  /**
   * What of the two answers is compared.
   * @example
   * const compare: CompareOptions = { enabled: true, detailedDiff: true, ignoreJsonFields: ['user.lastSeen'] }
   */
  export interface CompareOptions {
    /**
     * Compares the status code and the SHA-256 of the body, computed as it streams. Of a body in a content coding it is
     * the SHA-256 of what it decodes to.
     * @default false
     */
    enabled?: boolean
    /**
     * Writes a line with `request.log.warn` for mismatches: ten in ten seconds, and of further kinds the first. How
     * many more there were is a line of the app's log.
     * @default false
     */
    logMismatches?: boolean
    /** @see logMismatches */
    log_mismatches?: boolean
    /**
     * Compares headers, too, and looks into bodies whose hashes differ.
     * @default false
     */
    detailedDiff?: boolean
    /** @see detailedDiff */
    detailed_diff?: boolean
    /**
     * Bytes kept of each body for the diff, where a longer one falls back to its hash. Without the diff, bytes kept of
     * bodies in a content coding alone. A longer one in a content coding is `notCompared.encoding`.
     * @default 1048576
     */
    maxBodyCapture?: number
    /** @see maxBodyCapture */
    max_body_capture?: number
    /**
     * Response headers that the diff leaves out, besides `date`, `age`, `x-request-id`, `connection`, `keep-alive`,
     * `transfer-encoding`, `content-length`.
     * @default []
     */
    ignoreHeaders?: string[]
    /** @see ignoreHeaders */
    ignore_headers?: string[]
    /**
     * JSON pointers or dotted paths that the diff leaves out, `*` for any key or index: `/items/*&#47;updatedAt`,
     * `user.lastSeen`. In a pointer `~0`, `~1`, `~2`, `~3` are a literal `~`, `/`, `*`, `[`.
     * @default []
     */
    ignoreJsonFields?: string[]
    /** @see ignoreJsonFields */
    ignore_json_fields?: string[]
    /**
     * How values are compared where equality is too much to ask, in order: of those that fit a place, the last that
     * answers a question decides it. They need `detailedDiff`. At most 500. `ignoreJsonFields` and `ignoreHeaders` are
     * rules that stand before them.
     * @default []
     */
    rules?: CompareRule[]
    /**
     * Origins of the primary's links, each with that of the same links in the shadow's answers:
     * `{ 'https://api.example.com': 'http://v2.internal:8080' }`. Links that differ in no more are equal, in bodies and
     * in the headers `location`, `content-location` and `link`. At most 100. It needs `detailedDiff`.
     * @default {}
     */
    origins?: Record<string, string>
    /**
     * Names of headers, JSON fields, query and form parameters whose values are never stored, logged or shown, besides
     * those of the usual kinds (passwords, tokens, keys, sessions, codes and the like). They are single names: `ssn`
     * hides `user.ssn` and `user[ssn]`, too.
     * @default []
     */
    redact?: string[]
  }

  /** How the two values at some place are compared: `at` and exactly one of the kinds below it. */
  export interface CompareRule {
    /**
     * Where. In JSON bodies a pointer (`/items/*&#47;id`) or a dotted path (`items.*.id`): `*` is any key or index,
     * `**` any number of them, the empty text the whole document; in a pointer `~0`, `~1`, `~2`, `~3` are a literal
     * `~`, `/`, `*`, `[`. Of headers `header:etag`, `header:x-ratelimit-*`; of cookies `header:set-cookie/session`,
     * `header:set-cookie/session/value`, `header:set-cookie/session/expires`. In other text `text:` and an RE2 regular
     * expression, which is looked for in each line.
     */
    at: string
    /**
     * The endpoints that it is for, by name; `*` stands for any text: `GET /users/*`. Without it: all.
     * @default none
     */
    endpoint?: string
    /**
     * What is there is not compared, nor what is below. The only kind for `text:`: what is found is left out.
     * @default none
     */
    ignore?: true
    /**
     * The order of an array's elements, or of a header's values, says nothing. Text: the elements are objects, and
     * those with the same value at this key belong together.
     * @default none
     */
    unordered?: true | string
    /**
     * By how much numbers may be apart: `0.01`; `'1%'`: of the primary's. By how much date-times may be: `'2s'`, in
     * `ms`, `s`, `m`, `h` or `d`.
     * @default none
     */
    tolerance?: number | string
    /**
     * Both are text in this format, whatever it says. A missing value is a difference.
     * @default none
     */
    format?: RuleFormat | { /** An RE2 regular expression that all of the value must match. */ pattern: string }
    /**
     * Both are of the same JSON type, whatever they hold.
     * @default none
     */
    type?: true
    /**
     * There on both sides or on neither, with whatever value.
     * @default none
     */
    presence?: true
    /**
     * Absent, `null` and present are alike. Where both have a value, it is compared.
     * @default none
     */
    optional?: true
    /**
     * The shadow may add keys below this place, at any depth; or have this header where the primary has none.
     * @default none
     */
    additions?: true
    /**
     * This place is compared, with all below it; of the rest of a JSON body only other such places.
     * @default none
     */
    only?: true
  }

  /** What rules would explain, as far as the stored examples tell. */
  export interface RuleTrial {
    /** Places that there are. */
    of: number
    /** Those that would be explained, the most frequent first. */
    places: Array<Pick<PlaceSummary, 'id' | 'endpoint' | 'where' | 'kind' | 'count'> & {
      /** The rule that explains it, by its number among those given. */
      explained: string
    }>
  }

  /** A rule by which answers are compared now. */
  export interface RuleInForce {
    /** The rule, as it was given. */
    rule: CompareRule
    /** Who set it: `options`, `app.mirrors`, or as whoever set it said. */
    by: string
    /** Since when, ISO 8601. */
    since: string
  }

  /** `opaque`: any text that is not empty and has no white space. `date-time`: of RFC 3339, or as in headers. */
  export type RuleFormat = 'uuid' | 'ulid' | 'date-time' | 'date' | 'url' | 'opaque'

  /** `fastify.mirrors`: what the admin routes offer, for code. */
  export interface Mirrors {
    /** Every mirror's numbers, by id, as they are now. */
    list (): Record<string, MirrorSnapshot>
    /** One mirror's numbers. `undefined`: there is no such mirror. */
    get (id: string): MirrorSnapshot | undefined
    /**
     * Switches one mirror and its backends, and sets their percentages, from the next request on. Copies in flight end
     * as ever. All or nothing. Each change is logged at level info with the values before and after.
     * @param log where it is logged: give `request.log` to say who asked. Default: the app's logger
     * @returns the mirror's numbers; `undefined`: there is no such mirror
     * @throws an `FST_MIRROR_` error with status code 400 that says what is allowed
     * @example
     * fastify.mirrors.update('api', { percentage: 50, backends: { v2: { enabled: false } } }, request.log)
     */
    update (id: string, patch: MirrorPatch, log?: FastifyBaseLogger): MirrorSnapshot | undefined
    /**
     * Which of the places of one mirror these rules would explain, each by its stored examples. Nothing is changed. A
     * place is not explained where a value in its examples is masked or cut, unless the rule asks for no value.
     * @throws an `FST_MIRROR_` error with status code 400 that says what is allowed
     */
    tryRules (id: string, rules: CompareRule[]): RuleTrial | undefined
    /** `false`: all mirrors are switched off, whatever their own switches say. */
    readonly enabled: boolean
    /**
     * Switches all mirrors off, those of routes to come among them, or on again. Each is then as it was, or as it was
     * set meanwhile. Requests count as `disabled` while they are off. Changes nothing without `enabled`.
     * @param log where a change is logged: give `request.log` to say who asked. Default: the app's logger
     * @throws an `FST_MIRROR_` error with status code 400 that says what is allowed
     */
    updateAll (patch: Partial<SwitchState>, log?: FastifyBaseLogger): SwitchState
    /**
     * Where one mirror's answers differ. Examples are masked when they are read.
     * @returns `undefined`: there is no such mirror
     * @throws an `FST_MIRROR_` error with status code 400 that says what is allowed
     */
    mismatches (id: string, query?: MismatchQuery): MismatchList | undefined
    /** Forgets one mirror's places of mismatches. Running totals stay. `false`: there is no such mirror. */
    clear (id: string): boolean
    /** One mirror's numbers by endpoint, the busiest first. `undefined`: there is no such mirror. */
    endpoints (id: string): EndpointList | undefined
    /**
     * What one mirror's answers differ by on their own, as far as `noise` has found out: rules to be accepted or
     * dismissed, those first that explain most mismatches. `undefined` when there is no such mirror.
     */
    noise (id: string): NoiseList | undefined
    /**
     * Accepts and dismisses proposals of one mirror, by their ids; those that nothing stands for are left out. The
     * rules of all that is accepted are one change, and begin one period.
     * @param log where it is logged: give `request.log` to say who asked. Default: the app's logger
     * @returns what is proposed now, or `undefined` when there is no such mirror
     * @throws an `FST_MIRROR_` error with status code 400 that says what is allowed
     */
    decideNoise (id: string, decision: NoiseDecision, log?: FastifyBaseLogger): NoiseList | undefined
    /** Whether what one mirror has counted allows to release. `undefined`: there is no such mirror. */
    verdict (id: string): MirrorVerdict | undefined
    /** The verdicts of all mirrors, and of them together: ready when every one is. */
    verdictAll (): MirrorsVerdict
    /**
     * Begins a new period of one mirror: counts and places begin anew, as after a new version of a shadow. Requests
     * under way report to the period that they began in. `false`: there is no such mirror.
     */
    reset (id: string): boolean
    /**
     * The request of the first example of a place as a curl command, aimed at the shadow or at the primary's side,
     * which is this app. Quoted for sh, bash, dash, zsh and fish (3.4 or later), not for PowerShell or cmd.
     * @param base the URL to aim at, shown as it is. The primary's side needs it. Default for the shadow: the backend's
     * @returns `undefined`: there is no such mirror or place, no example, or no base
     */
    curl (id: string, place: string, side: CurlSide, base?: string): string | undefined
  }

  /** A change of a backend. What is left out stays as it is. */
  export interface BackendPatch {
    /** Whether it gets copies. */
    enabled?: boolean
    /** Percent of the mirrored requests, 0 to 100. */
    percentage?: number
  }

  /**
   * A change of a mirror. What is left out stays as it is.
   * @example
   * const patch: MirrorPatch = { percentage: 50, backends: { v2: { enabled: false } } }
   */
  export interface MirrorPatch extends BackendPatch {
    /**
     * Sends what comes from now on over new connections. Where `connect` of a backend is a function, it is called for
     * their options. If one gives bad ones, nothing is changed. Copies in flight end over the connections that they
     * have.
     */
    reconnect?: true
    /**
     * The rules by which answers are compared from now on, all of them: `compare.rules` of a mirror with
     * `detailedDiff`. Where they are others than before, a new period begins; counters and places go on.
     */
    rules?: CompareRule[]
    /**
     * Who sets the rules, for those who look later.
     * @default the address that asked, of the admin routes; 'app.mirrors', of code
     */
    by?: string
    /** By the backends' names. */
    backends?: Record<string, BackendPatch>
  }

  /** The switch of all mirrors. */
  export interface SwitchState {
    /** `false`: all mirrors are off, whatever their own switches say. */
    enabled: boolean
  }

  /** Where a curl command is aimed. */
  export type CurlSide = 'shadow' | 'primary'

  /**
   * Which places come first.
   * - `rarest`: those with the least share of their endpoint's comparisons.
   * - `frequent`: those with most mismatches.
   * - `newest`: those that came up last.
   * - `status`: changes of the status.
   */
  export type PlaceOrder = 'rarest' | 'frequent' | 'newest' | 'status'

  /** By the ids of proposals. */
  export interface NoiseDecision {
    /**
     * Their rules are in force from the next comparison on.
     * @default []
     */
    accept?: string[]
    /**
     * They are not proposed again.
     * @default []
     */
    dismiss?: string[]
  }

  /** What is proposed as noise. */
  export interface NoiseList {
    /** Proposals that were dismissed, and are not made again. */
    dismissed: number
    /** Those first that explain most mismatches. */
    proposals: NoiseProposal[]
  }

  /** A rule by which differences that are noise would match, and what speaks for it. */
  export interface NoiseProposal {
    /** Made of the mirror's id, the endpoint and the place: the same in every process. */
    id: string
    /** The name of the endpoint. */
    endpoint: string
    /** As of a place of mismatches. */
    where: string
    /** The tightest one that explains all that was seen, to be put into `compare.rules`. */
    rule: CompareRule
    /** `form`: by the values of both versions alone, which is weaker. */
    basis: 'repeats' | 'form'
    /** Pairs of answers of one version of this endpoint. */
    repeats: number
    /** Those of them that differ here. */
    differing: number
    /** Pairs that a cache gave, which are in none of these. */
    cached: number
    /** Comparisons of the two versions of this endpoint. */
    compared: number
    /** Those of them that differ here. */
    mismatches: number
    /** Those of these that would match by the rule. */
    explains: number
    /** The evidence in words. */
    text: string
    /** What to keep in mind; `null`: nothing. */
    note: string | null
    /** Values of one version, masked and cut; at most three. */
    examples: NoiseExample[]
  }

  /** Two values of one version; `null`: there is none. */
  export interface NoiseExample {
    /** Of the answer that came first. */
    first: string | null
    /** Of the repeat. */
    second: string | null
  }

  /**
   * Which places are asked for.
   * @example
   * const query: MismatchQuery = { sort: 'newest', endpoint: 'GET /users/:id', limit: 20 }
   */
  export interface MismatchQuery {
    /**
     * Which of them come first.
     * @default 'rarest'
     */
    sort?: PlaceOrder
    /** The name of the only endpoint to be listed. Without it all are. */
    endpoint?: string
    /**
     * Places that are listed at most, 1 to 5000.
     * @default 100
     */
    limit?: number
  }

  /** Where one mirror's answers differ. */
  export interface MismatchList {
    /** Places that are stored at most. */
    limit: number
    /** Whether there were more. They are counted together, by endpoint, as `(other places)`. */
    limited: boolean
    /**
     * Mismatches that were counted by place without an example, once mismatches had taken their share of the main
     * thread.
     */
    withoutExample: number
    /** Mismatches that were counted in `(other places)` without being looked at, for want of time as well. */
    unsorted: number
    /** Number of the places, of those that were asked for. */
    total: number
    /** As many as `limit` of the query allows. */
    places: MismatchPlace[]
  }

  /**
   * How the answers differ at a place.
   * - `changed`: the value is another.
   * - `added`: the value is in the shadow's answer alone.
   * - `removed`: the value is in the primary's answer alone.
   * - `type`: the value is of another JSON type.
   * - `order`: items of the array stand in another order.
   * - `event`: an event of a stream is in one answer alone.
   */
  export type PlaceKind = 'changed' | 'added' | 'removed' | 'type' | 'order' | 'event'

  /** Where the answers of an endpoint differ, in one way. A mismatch counts once in each of its places. */
  export interface PlaceSummary {
    /** A hash of the mirror's id, the endpoint, the place and the kind: the same in every process. */
    id: string
    /** The name of the endpoint. */
    endpoint: string
    /**
     * `status 200→500`, `header:etag`, a JSON pointer such as `/items/*&#47;price` with `*` for indices and for keys
     * that are data rather than names, or `body`, with the reason behind it where it was not looked into.
     * `(other places)`: what came when there was no more room.
     */
    where: string
    /** `null`: not told apart, as in `(other places)`. */
    kind: PlaceKind | null
    /** Mismatches. */
    count: number
    /** Their share of the endpoint's comparisons, of all backends, 0 to 1. */
    share: number
    /** When the first of them came, ISO 8601. */
    first: string
    /** When the last of them came, ISO 8601. */
    last: string
    /**
     * `rule 3 (by its examples)`: none came since the rules were changed, and by the examples a rule that is in force
     * explains them. The first rule is 1. `null`: it is not known to be explained.
     */
    explained: string | null
    /** The mismatches of each backend that had any. */
    backends: Array<{ name: string, count: number }>
  }

  /** A place with its examples. */
  export interface MismatchPlace extends PlaceSummary {
    /**
     * Three at most, of 4 KiB each before they are masked: the first, the latest, and the one that differed at the most
     * places, as far as there was memory and time for them. One of which this is the rarest place comes first.
     */
    examples: PlaceExample[]
  }

  /** Why an example is kept. */
  export type ExampleUse = 'first' | 'latest' | 'most different'

  /** A mismatch that was counted at a place. The difference at that place comes first. */
  export interface PlaceExample extends Mismatch {
    /** What it is kept for. */
    uses: ExampleUse[]
    /** The id of the rarest of the places at which it was counted. */
    rarest: string
  }

  /** A mismatch as it is stored, logged and shown: without secrets, and of bounded size. */
  export interface Mismatch {
    /** The backend's name. */
    backend: string
    /** ISO 8601. */
    time: string
    /** The request, as far as it may be shown. */
    request: MismatchRequest
    /** Status code of the primary's answer. */
    primaryStatus: number
    /** Status code of the shadow's answer. */
    shadowStatus: number
    /**
     * Mark of the primary's body, in hexadecimal: the HMAC-SHA-256 of its SHA-256, with a key that each process makes
     * up for itself. Equal bodies have equal marks within one process, and nobody can find a masked value by trying
     * which body has the mark.
     */
    primaryHash: string
    /** Mark of the shadow's body. */
    shadowHash: string
    /** Sorted by name. Values are cut at 200 characters. */
    headers: HeaderDifference[]
    /** `null`: the bodies match. */
    body: BodyDifference | null
  }

  /**
   * The argument of `onMismatch`.
   * @example
   * const onMismatch = ({ mirror, endpoint, primaryStatus, shadowStatus }: MismatchEvent) => {
   *   console.warn(`${mirror}, ${endpoint}: ${primaryStatus} became ${shadowStatus}`)
   * }
   */
  export interface MismatchEvent extends Mismatch {
    /** The mirror's id. */
    mirror: string
    /** The name of its request's endpoint. */
    endpoint: string
    /** The ids of the places at which it was counted, the rarest first: 32 at most. */
    places: string[]
    /**
     * Mismatches of this mirror since the last call, left out because mismatches had taken their share of the main
     * thread.
     */
    spared: number
  }

  /** The request of a mismatch: enough to repeat it, where nothing of it was masked or left out. */
  export interface MismatchRequest {
    /** In upper case. */
    method: string
    /** The client's, with query. */
    path: string
    /** The copy's, with query: it goes behind the backend's URL. */
    sentPath: string
    /** Names and values in turn. */
    headers: string[]
    /** `null`: there was none, or it was not text, or may not be shown. */
    body: string | null
    /** Whether the path, the headers or the shown body are cut because of their length. */
    truncated: boolean
  }

  /** A header that is not the same on both sides. */
  export interface HeaderDifference {
    /** In lower case. */
    name: string
    /** The values of the primary's answer. Empty: it does not have the header. */
    primary: string[]
    /** The values of the shadow's answer. Empty: it does not have the header. */
    shadow: string[]
  }

  /** The difference of two bodies. */
  export type BodyDifference =
    /**
     * Two JSON documents. `truncated`: there are more differences than those listed. `byIndex`: more than 20,000 items
     * of an array differ or stand elsewhere, so that they were compared index by index.
     */
    | { kind: 'json', differences: JsonDifference[], truncated: boolean, byIndex?: true }
    /** Lengths in bytes, decoded, and the offset of the first byte that differs, or at which one of them ends. */
    | { kind: 'text' | 'binary', primaryLength: number, shadowLength: number, offset: number }
    /** Their hashes differ, and that is all that is known. */
    | { kind: 'hash', reason: HashReason }

  /**
   * Why bodies were not looked into. Of coded bodies, or without memory, it is not known whether the bodies differ, and
   * `mismatches.body` does not count them.
   * - `off`: `compare.detailedDiff` is not set.
   * - `too long`: a body is longer than `compare.maxBodyCapture`, or one of the two decodes to more.
   * - `encoding`: the bodies are in content codings that are not known here, or are too long to be decoded.
   * - `not decodable`: a body is not what its content coding says.
   * - `too complex`: the JSON is too long, too deep, or has too many values.
   * - `memory`: no memory was left for it.
   * - `busy`: too many comparisons waited already.
   * - `error`: the plugin itself failed.
   */
  export type HashReason =
    | 'off' | 'too long' | 'encoding' | 'not decodable' | 'too complex' | 'memory' | 'busy' | 'error'

  /** One value that differs. */
  export interface JsonDifference {
    /**
     * RFC 6901. An item of an array has the primary's index; one that only the shadow has has its own.
     */
    pointer: string
    /** In what way. */
    change: PlaceKind
    /**
     * Of a stream of events: which one, from 0; the primary's number, where it has one. The pointer is within its data.
     */
    event?: number
    /** The primary's value as compact JSON, masked and cut at 200 characters. Absent: it has none. */
    primary?: string
    /** The shadow's value as compact JSON, masked and cut at 200 characters. Absent: it has none. */
    shadow?: string
  }

  /** One mirror's numbers by endpoint. Their sums over all endpoints are the backends' numbers, at every moment. */
  export interface EndpointList {
    /** Endpoints that are counted apart at most. */
    limit: number
    /** Whether there were more. They are counted as `(other)`. */
    limited: boolean
    /** The busiest first. */
    endpoints: EndpointSnapshot[]
  }

  /** The numbers of one endpoint. */
  export interface EndpointSnapshot {
    /**
     * `(other)`: came when there was no more room. `(not found)`: paths below a wildcard that the primary has so far
     * answered only with 404 or 405, or not at all. `(pending)`: not known yet.
     */
    name: string
    /** Its share of the mirror's requests, 0 to 1. */
    share: number
    /** In the order of the mirror's. */
    backends: EndpointBackend[]
  }

  /** `mirrored = inFlight + comparing + compared + failed + lost + leftOut`, `compared = matched + mismatched`. */
  export interface EndpointBackend {
    /** The backend's name. */
    name: string
    /** `null`: nothing is concluded, as of `(pending)`. */
    verdict: VerdictWord | null
    /** Requests that were offered to the backend. */
    mirrored: number
    /** Copies that have not ended. */
    inFlight: number
    /** Complete answers that wait for the primary's. */
    comparing: number
    /** Complete answers that were compared. */
    compared: number
    /** Comparisons without a difference. */
    matched: number
    /** Comparisons with a difference. */
    mismatched: number
    /**
     * Copies that speak against the backend: timeouts, broken connections and answers, and what an open breaker
     * dropped.
     */
    failed: number
    /** Copies that were neither compared nor failed, by a limit or a fault of the mirror. */
    lost: number
    /** Copies left out by choice or by nature: not sampled, cut by the client and the like. */
    leftOut: number
    /** Comparisons that gave a difference of latencies. */
    pairs: number
    /** Pairs in which the shadow was more than `maxSlowdown` slower. */
    slower: number
    /**
     * 95th percentile of shadow minus primary, in milliseconds, over all pairs, off by at most 5 %. `null`: there is
     * none.
     */
    p95: number | null
    /** 99th percentile, as `p95`. */
    p99: number | null
    /** When the latest mismatch came, ISO 8601. `null`: there was none. */
    latestMismatch: string | null
  }

  /** The conclusion of a verdict. */
  export type VerdictWord = 'ready' | 'not ready' | 'not enough data'

  /** Whether the counts since `since` allow to release. */
  export interface MirrorVerdict {
    /** The mirror's id. */
    id: string
    /** Of all backends together: ready when every one is. */
    verdict: VerdictWord
    /** The period that it speaks of: what was counted since the last reset. Ids sort by time. */
    period: string
    /** When the period began, ISO 8601. */
    since: string
    /** In the order of the mirror's. */
    backends: BackendVerdict[]
  }

  /** The verdicts of all mirrors. */
  export interface MirrorsVerdict {
    /** Of all mirrors together: ready when every one is. */
    verdict: VerdictWord
    /** In the order of their registration. */
    mirrors: MirrorVerdict[]
  }

  /** The verdict on one backend. */
  export interface BackendVerdict {
    /** The backend's name. */
    name: string
    /** Ready when no reason is bad or undecided. */
    verdict: VerdictWord
    /** All that was judged or is told. */
    reasons: VerdictReason[]
  }

  /** One test of a verdict, and how it stands. */
  export interface VerdictReason {
    /**
     * The test, or what is told beside the tests.
     * - `mismatches`: `maxMismatchRate`.
     * - `failures`: `maxFailureRate`.
     * - `endpoints`: each endpoint alone.
     * - `slowdown`: `maxSlowdown`.
     * - `coverage`: `minCoverage`.
     * - `breaker`: it must be closed.
     * - `duration`: `minDuration`.
     * - `outages`: times in which the breaker was open.
     * - `sample`: copies dropped at limits of the mirror, so that those compared are no random sample.
     * - `left out`: copies that say nothing of the backend, by choice or by nature.
     */
    about:
      | 'mismatches' | 'failures' | 'endpoints' | 'slowdown' | 'coverage' | 'breaker' | 'duration' | 'outages'
      | 'explained' | 'accepted' | 'sample' | 'left out'
    /** `told`: counts neither for nor against. */
    state: 'good' | 'bad' | 'undecided' | 'told'
    /** The reason in words and numbers, and what would settle it. */
    text: string
    /**
     * Mismatches, failures, endpoints that are bad or not yet good, slower pairs, copies that were compared, outages,
     * or copies. For the breaker and the duration it is milliseconds.
     */
    count: number
    /** The total that `count` is a part of. Only for rates, the coverage and the endpoints. */
    of?: number
    /** `count / of`, 0 to 1. `null`: there is nothing yet. Only for rates, the coverage and the endpoints. */
    rate?: number | null
    /** Where the rate lies, each end with the verdict's confidence at any number of looks. Only for rates. */
    interval?: [low: number, high: number]
    /** Answers that may yet turn out to count: still being compared, or different and not looked into. Absent: none. */
    unsure?: number
    /**
     * Milliseconds at the 95th percentile of the last 1000 differences. `null`: there is none. Only for the slowdown.
     */
    p95?: number | null
    /** The limit that it is judged by. Absent: it is only told. */
    limit?: number
    /** How many more would settle an undecided rate, if it stays. `null`: no number would. */
    needed?: number | null
    /** The worst endpoints of that state. Only for the endpoints. */
    endpoints?: EndpointReason[]
  }

  /** An endpoint that speaks against a backend, or that needs more comparisons. */
  export interface EndpointReason {
    /** The endpoint's name. */
    name: string
    /** Its share of the mirror's requests, 0 to 1. */
    share: number
    /** Complete answers that were compared. */
    compared: number
    /** Comparisons with a difference. */
    mismatched: number
    /** How many more comparisons would settle it, if its rate stays. `null`: no number would, or it is settled. */
    needed: number | null
    /** The same in words. */
    text: string
  }

  /**
   * One mirror's numbers. They close at every moment:
   * `seen = disabled + filtered + looped + upgraded + unsampled + pending + unhandled + mirrored`.
   */
  export interface MirrorSnapshot {
    /** The mirror's id. */
    id: string
    /** The routes that share this mirror. Left out of the admin routes' answers when they have no guard. */
    routes: MirrorRoute[]
    /** Whether it mirrors now: its own switch is on, and that of all mirrors is. */
    enabled: boolean
    /** Percent of the requests that are mirrored, 0 to 100. */
    percentage: number
    /**
     * The rules by which answers are compared, in their order. Left out of the admin routes' answers when they have no
     * guard.
     */
    rules: RuleInForce[]
    /** Requests that reached this mirror's hook. */
    seen: number
    /** Requests not mirrored because the mirror is switched off. */
    disabled: number
    /** Requests not mirrored because a condition did not hold. */
    filtered: number
    /** Requests not mirrored because they are copies themselves (`x-mirrored-from`). */
    looped: number
    /** Requests not mirrored because they are upgrades or CONNECT. */
    upgraded: number
    /** Requests not mirrored because of the roll. */
    unsampled: number
    /** Requests that were chosen and are not yet sent. */
    pending: number
    /**
     * Requests that were chosen and never sent: a hook, the validation or the proxy itself answered, or the client
     * left.
     */
    unhandled: number
    /** Requests that were offered to every backend. */
    mirrored: number
    /** What was asked twice, in none of the other numbers; `null`: `noise` is not set. */
    repeats: RepeatSnapshot | null
    /** In the order of the options. */
    backends: BackendSnapshot[]
  }

  /**
   * Requests that were due to be asked once more of one version. The numbers close at every moment:
   * `asked = dropped + total`, `total = inFlight + success + failure`,
   * `success = comparing + compared + cached + notCompared`, `compared = matched + mismatched`.
   */
  export interface RepeatSnapshot {
    /** Repeats that were due: the first answer had come. */
    asked: number
    /** Not sent, by reason. */
    dropped: Record<RepeatDropReason, number>
    /** Sent. */
    total: number
    /** Sent, and not ended. */
    inFlight: number
    /** Complete answers, whatever their status. */
    success: number
    /** Without a complete answer, by reason. */
    failure: Record<FailureReason, number>
    /** Complete answers that are being compared. */
    comparing: number
    /** Pairs of answers of one version that were compared. */
    compared: number
    /** Pairs that match. */
    matched: number
    /** Pairs that differ: noise. */
    mismatched: number
    /** Pairs of which one was a cache's, by `age`, `x-cache`, a 304, or equal `date` and `etag`: they say nothing. */
    cached: number
    /** Complete answers that were not compared, by reason. */
    notCompared: Record<NotComparedReason, number>
  }

  /** A route that has a mirror. */
  export interface MirrorRoute {
    /** Its methods, in upper case. */
    method: string[]
    /** Its URL, as it was registered, with the prefixes before it. */
    url: string
  }

  /**
   * One backend's numbers. They close at every moment:
   * `offered = disabled + unsampled + dropped + total`, `total = inFlight + success + failure`,
   * `success = comparing + compared + notCompared`, `compared = matched + mismatched`.
   */
  export interface BackendSnapshot {
    /** The backend's name. */
    name: string
    /** Left out of the admin routes' answers when they have no guard. */
    url: string
    /** Whether its own switch is on. */
    enabled: boolean
    /** Percent of the mirrored requests that it gets, 0 to 100. */
    percentage: number
    /** Requests mirrored by this mirror. */
    offered: number
    /** Requests not copied because the backend is switched off. */
    disabled: number
    /** Requests not copied because of the backend's roll. */
    unsampled: number
    /** Copies not attempted, by reason. */
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
    /** Complete answers that were compared. */
    compared: number
    /** Comparisons without a difference. */
    matched: number
    /** Comparisons with a difference. */
    mismatched: number
    /** Complete answers that were not compared, by reason. */
    notCompared: Record<NotComparedReason, number>
    /** Mismatches by the part that differed. One mismatch can count in several. */
    mismatches: Record<MismatchPart, number>
    /** Milliseconds. */
    latency: {
      /** From the copy's dispatch on a connection to the end of its answer. */
      shadow: LatencySummary
      /** The primary's, on the same requests, where answers are compared. */
      primary: LatencySummary
      /** Shadow minus primary, request by request. */
      difference: LatencySummary
    }
    /** Whether copies are sent. */
    breaker: BreakerState
  }

  /** Milliseconds by nearest rank over the last 1000 samples. `null`: there is none. */
  export interface LatencySummary {
    /** All samples ever taken. */
    count: number
    /** Median. */
    p50: number | null
    /** 90th percentile. */
    p90: number | null
    /** 95th percentile. */
    p95: number | null
    /** 99th percentile. */
    p99: number | null
    /** The largest. */
    max: number | null
  }

  /**
   * Why a backend was not sent a copy that it should have had.
   * - `inFlight`: maxInFlight copies were under way already.
   * - `memory`: The body is longer than maxBacklogBytes or maxBufferedBytes allow.
   * - `breaker`: Too many failures in a row: the shadow is left alone for a while.
   * - `closing`: The app is being closed.
   * - `thread`: The worker thread is not there, or behind.
   * - `path`: The client's path has dot segments that could leave the path of the backend's URL.
   * - `error`: A function of yours threw, or the client library refuses such a request.
   */
  export type DropReason = 'inFlight' | 'memory' | 'breaker' | 'closing' | 'thread' | 'path' | 'error'

  /**
   * Why a repeat that was due was not sent.
   * - `disabled`: The mirror, or the shadow, was switched off meanwhile.
   * - `inFlight`: Half of maxInFlight is in use: the rest is for copies.
   * - `memory`: Half of maxBufferedBytes is in use: the rest is for copies.
   * - `breaker`: The backend is left alone, or is being tried.
   * - `body`: The request's body was longer than 2 KiB, or not complete yet.
   * - `closing`: The app is being closed.
   * - `thread`: The worker thread is not there, or behind.
   * - `error`: A function of yours threw, or the client library refuses such a request.
   */
  export type RepeatDropReason =
    'disabled' | 'inFlight' | 'memory' | 'breaker' | 'body' | 'closing' | 'thread' | 'error'

  /**
   * Why a copy that was attempted got no complete answer.
   * - `timeout`: Sent, but no complete answer in time.
   * - `connect`: DNS, refused, TLS, or stalled.
   * - `reset`: The connection ended before a complete head, or it was no HTTP.
   * - `body`: The answer ended in the middle of its body.
   * - `slow`: The shadow takes request bodies too slowly.
   * - `staleConnection`: The shadow closed an idle connection just when the copy was sent on it; no byte of an answer
   *   came.
   * - `bodyTimeout`: The client sent nothing more of its body for bodyTimeout.
   * - `memory`: The memory for bodies, maxBufferedBytes, was used up.
   * - `thread`: The worker thread died, or fell behind.
   * - `aborted`: The client left or the primary answered during the upload, or the app closed.
   * - `error`: The mirror itself failed; the log says how.
   */
  export type FailureReason =
    | 'timeout' | 'connect' | 'reset' | 'body' | 'slow' | 'staleConnection' | 'bodyTimeout' | 'memory' | 'thread'
    | 'aborted' | 'error'

  /**
   * Why a complete answer was not compared.
   * - `off`: compare.enabled is not set for this mirror.
   * - `primaryAborted`: The client went away before it had the primary's answer.
   * - `primaryFailed`: The primary's backend failed, so there is nothing to compare with.
   * - `hijacked`: The handler took the reply over.
   * - `encoding`: The bodies come in content codings that could not be taken off, or not within maxBodyCapture.
   * - `conditional`: One side says 304, or 206, by an ETag or a date that the other did not give.
   * - `memory`: There was no memory for what a comparison needs.
   * - `busy`: Too many comparisons waited already. The bytes are known to differ.
   * - `thread`: The worker thread died or fell behind.
   * - `untapped`: The answer was a web stream that something else reads, or a stream that nobody read to its end.
   * - `closing`: The app was closed before the comparison was done.
   * - `error`: The mirror itself failed; the log says how.
   */
  export type NotComparedReason =
    | 'off' | 'primaryAborted' | 'primaryFailed' | 'hijacked' | 'encoding' | 'conditional' | 'memory' | 'busy'
    | 'thread' | 'untapped' | 'closing' | 'error'

  /** A part of an answer. */
  export type MismatchPart = 'status' | 'headers' | 'body'

  /** The first digit of a status code. */
  export type StatusClass = '2xx' | '3xx' | '4xx' | '5xx'

  /** `closed`: copies are sent. `open`: none is. `half-open`: one request tries the backend. */
  export type BreakerState = 'closed' | 'open' | 'half-open'

  export const fastifyMirror: FastifyMirror
  export { fastifyMirror as default }
}

declare function fastifyMirror (...params: Parameters<FastifyMirror>): ReturnType<FastifyMirror>

export = fastifyMirror
