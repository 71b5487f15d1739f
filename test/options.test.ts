import { Registry } from 'prom-client'
import t from 'tap'
import * as errors from '../lib/errors'
import { readMirrorOptions, readPluginOptions, showRoute, showValue } from '../lib/options'
import type { MirrorConfig, PluginConfig } from '../lib/options/config'
import { suggest } from '../lib/options/suggest'

type Options = Record<string, unknown>
type Refusal = Error & { code: string, statusCode: number }

const ROUTE = { method: 'GET', url: '/users/:id' }
const OWNER = 'route "GET /users/:id"'
const SHADOW = { url: 'http://shadow:9000' }
/** Where `connect` may have what it can have. */
const SECURE = { url: 'https://shadow:9000' }
const MAX_INT = 2147483647

const readMirror = (block: unknown, defaults: Options = {}, route: { method: string | string[], url: string } = ROUTE): MirrorConfig =>
  readMirrorOptions(block, defaults, route)

/** `put(['a', 0, 'b'], 1)` is `{ a: [{ b: 1 }] }`. */
function put ([key, ...rest]: ReadonlyArray<string | number>, value: unknown): unknown {
  if (key === undefined) return value
  const inner = put(rest, value)
  return typeof key === 'number' ? [inner] : { [key]: inner }
}

function pick (config: unknown, keys: ReadonlyArray<string | number>): unknown {
  return keys.reduce((value, key) => (value as Options)[key], config)
}

/** A mirror block with one value at one place, and a backend if that place is elsewhere. */
function mirrorWith (keys: ReadonlyArray<string | number>, value: unknown): Options {
  const block = put(keys, value) as Options
  // With what gives it an effect.
  if (keys[0] === 'compare' && keys.length > 1) return { backends: [SHADOW], compare: { enabled: true, detailedDiff: true, ...block.compare as Options } }
  if (keys[0] === 'noise') return { backends: [SHADOW], compare: { enabled: true, detailedDiff: true }, ...block }
  if (keys[0] === 'maxPlaces') return { backends: [SHADOW], compare: { enabled: true }, ...block }
  if (keys[0] !== 'backends') return { backends: [SHADOW], ...block }
  return keys[2] === undefined || keys[2] === 'url' ? block : { backends: [{ ...SECURE, ...put(keys.slice(2), value) as Options }] }
}

function refusal (read: () => unknown): Refusal {
  try {
    read()
  } catch (error) {
    return error as Refusal
  }
  return Object.assign(new Error('nothing was refused'), { code: 'none', statusCode: 0 })
}

function freeze<T> (value: T): T {
  if (typeof value === 'object' && value !== null && !ArrayBuffer.isView(value)) Object.values(Object.freeze(value)).forEach(freeze)
  return value
}

const circular: Options = {}
circular.self = circular
const revoked = Proxy.revocable({}, {})
revoked.revoke()
const throwing = { get url () { throw new RangeError('from a getter') } }

/** A value of each kind that options could be given by mistake. Each key refuses all that its `takes` does not name. */
const KINDS: Record<string, unknown> = {
  null: null,
  NaN,
  Infinity,
  digits: '50',
  empty: '',
  array: [],
  arrayOfNull: [null],
  object: {},
  true: true,
  false: false,
  zero: 0,
  one: 1,
  fraction: 0.5,
  negative: -1,
  huge: 1e300,
  bigint: 1n,
  symbol: Symbol('s'),
  function: () => 'x',
  async: async () => 'x',
  date: new Date(0),
  buffer: Buffer.from('x'),
  map: new Map(),
  circular,
  throwing,
  proxy: revoked.proxy
}

interface Row {
  /** Where the key is, and what the message calls it. */
  keys: ReadonlyArray<string | number>
  path: string
  allowed: string
  /** The kinds above that are good. */
  takes: string[]
  good?: Array<[given: unknown, expected: unknown]>
  bad?: unknown[]
  /** The value never shows. */
  secret?: boolean
}

const same = (...values: unknown[]): Array<[unknown, unknown]> => values.map(value => [value, value])
const flagRow = (keys: string[]): Row =>
  ({ keys, path: `mirror.${keys.join('.')}`, allowed: 'true or false', takes: ['true', 'false'], good: same(true, false) })
const integerRow = (keys: string[], min: number, max: number): Row => ({
  keys,
  path: `mirror.${keys.join('.')}`,
  allowed: `an integer from ${min} to ${max}`,
  takes: min === 0 ? ['zero', 'one'] : ['one'],
  good: same(min, max),
  bad: [min - 1, max + 1, min + 0.5, `${min}`]
})
const numberRow = (keys: Array<string | number>, path: string, min: number, max: number): Row => ({
  keys,
  path,
  allowed: `a number from ${min} to ${max}`,
  takes: ['zero', 'one', 'fraction'],
  good: same(min, max, max / 2000),
  bad: [min - 0.001, max + 0.001]
})
const headersRow = (keys: string[]): Row => ({
  keys,
  path: `mirror.${keys.join('.')}`,
  allowed: 'an array of at most 1000 names of headers',
  takes: ['array', 'arrayOfNull'],
  good: [[[], []], [['Cookie', 'x-A'], ['cookie', 'x-a']]],
  bad: ['cookie', new Array(1001).fill('a'), new Array(2 ** 32 - 1)]
})
const itemRow = (keys: Array<string | number>, path: string, allowed: string, bad: unknown[]): Row =>
  ({ keys, path, allowed, takes: ['digits'], bad: ['', ...bad] })

const URL_ALLOWED = 'an http: or https: URL with a host, without user info, query or fragment'
const LABEL_ALLOWED = '1 to 100 characters, without control characters'
const BAD_LABELS = ['x'.repeat(101), '\u{1f600}'.repeat(51), 'a\nb', 'a\0', '\x7f', '\u2028', '\ud800']

const MIRROR_ROWS: Row[] = [
  {
    keys: ['id'],
    path: 'mirror.id',
    allowed: `${LABEL_ALLOWED}, other than "ui" and "verdict", and without "." or ".." between slashes`,
    takes: ['digits'],
    good: same('a', 'GET /a/:b', 'x'.repeat(100), '\u{1f600}'.repeat(50), 'UI', '%', '__proto__', '...', '/', '/.a/..b/c./d..', '%2e%2e'),
    bad: ['ui', 'verdict', '.', '..', './a', 'a/..', 'a/../b', 'GET /./b', '..\\a', 'a\\..\\b', ...BAD_LABELS]
  },
  flagRow(['enabled']),
  numberRow(['percentage'], 'mirror.percentage', 0, 100),
  {
    keys: ['sampleBy'],
    path: 'mirror.sampleBy',
    allowed: 'the name of a header, or a synchronous function of the request',
    takes: ['digits', 'function'],
    good: [['X-User', 'x-user'], ...same(KINDS.function)],
    bad: ['x user', 'x:', 'x'.repeat(201), 'ü']
  },
  {
    keys: ['backends'],
    path: 'mirror.backends',
    allowed: 'an array of 1 to 100 backends, each a URL or an object with a url',
    takes: ['arrayOfNull'],
    bad: [undefined, 'http://shadow', { url: 'http://shadow' }, new Array(101).fill('http://shadow')]
  },
  {
    keys: ['backends', 0],
    path: 'mirror.backends[0]',
    allowed: 'a URL, or an object with a url',
    takes: ['digits', 'empty', 'object', 'circular'],
    bad: [undefined, [SHADOW]]
  },
  {
    keys: ['backends', 0, 'url'],
    path: 'mirror.backends[0].url',
    allowed: 'an http: or https: URL',
    takes: [],
    good: same('http://shadow', 'HTTPS://shadow:9000/a@b', 'http://[::1]:80/', `http://shadow/${'a'.repeat(1985)}`),
    bad: [undefined, new URL('http://shadow'), `http://shadow/${'a'.repeat(1987)}`]
  },
  {
    keys: ['backends', 0, 'name'],
    path: 'mirror.backends[0].name',
    allowed: LABEL_ALLOWED,
    takes: ['digits'],
    good: same('a', 'ui', 'x'.repeat(100)),
    bad: BAD_LABELS
  },
  numberRow(['backends', 0, 'percentage'], 'mirror.backends[0].percentage', 0, 100),
  {
    keys: ['backends', 0, 'connect'],
    path: 'mirror.backends[0].connect',
    allowed: "an object of options for undici's connect",
    takes: ['object', 'circular'],
    good: same({}, { ca: KINDS.buffer, servername: '', rejectUnauthorized: false, socketPath: '/s', timeout: 0, keepAlive: true }),
    secret: true
  },
  {
    keys: ['backends', 0, 'connect', 'socketPath'],
    path: 'mirror.backends[0].connect.socketPath',
    allowed: 'the path of a socket',
    takes: ['digits'],
    secret: true
  },
  {
    keys: ['backends', 0, 'connect', 'servername'],
    path: 'mirror.backends[0].connect.servername',
    allowed: 'a host name',
    takes: ['digits', 'empty'],
    secret: true
  },
  {
    keys: ['backends', 0, 'connect', 'rejectUnauthorized'],
    path: 'mirror.backends[0].connect.rejectUnauthorized',
    allowed: 'true or false',
    takes: ['true', 'false'],
    secret: true
  },
  ...['timeout', 'maxCachedSessions'].map(key => ({
    keys: ['backends', 0, 'connect', key],
    path: `mirror.backends[0].connect.${key}`,
    allowed: `an integer from 0 to ${MAX_INT}`,
    takes: ['zero', 'one'],
    secret: true
  })),
  {
    keys: ['backends', 0, 'weight'],
    path: 'mirror.backends[0].weight',
    allowed: 'a number (which is ignored)',
    takes: ['zero', 'one', 'fraction', 'negative', 'huge']
  },
  {
    keys: ['conditions'],
    path: 'mirror.conditions',
    allowed: 'an object',
    takes: ['object', 'circular'],
    good: [[{}, { methods: null, headers: [], pathRegex: null }]]
  },
  {
    keys: ['conditions', 'methods'],
    path: 'mirror.conditions.methods',
    allowed: 'an array of at most 100 HTTP methods',
    takes: ['array', 'arrayOfNull'],
    good: [[[], null], [['get', 'POST', 'm-search'], new Set(['GET', 'POST', 'M-SEARCH'])]],
    bad: ['GET', new Array(101).fill('GET')]
  },
  itemRow(['conditions', 'methods', 0], 'mirror.conditions.methods[0]', 'an HTTP method', ['GET ', 'A,B', 'X'.repeat(101)]),
  {
    keys: ['conditions', 'headers'],
    path: 'mirror.conditions.headers',
    allowed: 'an object of at most 100 names of headers, each with text or true',
    takes: ['object', 'circular'],
    good: [[{}, []], [{ 'X-Mirror': 'TRUE', 'x-b': true }, [['x-mirror', 'true'], ['x-b', true]]]],
    bad: [[['x-mirror', 'true']], Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`x-${index}`, true]))]
  },
  {
    keys: ['conditions', 'headers', 'x-mirror'],
    path: 'mirror.conditions.headers["x-mirror"]',
    allowed: 'text to be equal to, or true for present',
    takes: ['digits', 'empty', 'true']
  },
  {
    keys: ['conditions', 'pathRegex'],
    path: 'mirror.conditions.pathRegex',
    allowed: 'an RE2 regular expression',
    takes: ['digits', 'empty'],
    bad: [/^\/a/, '(', '[z-a]', '(?=a)', '(?<=a)', '\\1', 'a{1001}', '((a{99}){99}){99}', 'a'.repeat(1001)]
  },
  integerRow(['timeout'], 1, MAX_INT),
  integerRow(['bodyTimeout'], 1, MAX_INT),
  integerRow(['maxInFlight'], 1, 65535),
  integerRow(['maxBacklogBytes'], 1, MAX_INT),
  {
    keys: ['breaker'],
    path: 'mirror.breaker',
    allowed: 'false, or an object with failures and cooldown',
    takes: ['false', 'object', 'circular'],
    good: [[false, null], [{}, { failures: 50, cooldown: 5000 }], [{ failures: 1 }, { failures: 1, cooldown: 5000 }]]
  },
  integerRow(['breaker', 'failures'], 1, MAX_INT),
  integerRow(['breaker', 'cooldown'], 1, MAX_INT),
  flagRow(['preserveHost']),
  headersRow(['removeHeaders']),
  itemRow(['removeHeaders', 0], 'mirror.removeHeaders[0]', 'the name of a header, such as "x-request-id"', ['a b', 'x'.repeat(201)]),
  {
    keys: ['rewriteRequestHeaders'],
    path: 'mirror.rewriteRequestHeaders',
    allowed: 'a synchronous function of the request and its headers',
    takes: ['function'],
    good: same(KINDS.function)
  },
  { keys: ['compare'], path: 'mirror.compare', allowed: 'an object', takes: ['object', 'circular'] },
  flagRow(['compare', 'enabled']),
  flagRow(['compare', 'logMismatches']),
  flagRow(['compare', 'detailedDiff']),
  integerRow(['compare', 'maxBodyCapture'], 0, MAX_INT),
  headersRow(['compare', 'ignoreHeaders']),
  itemRow(['compare', 'ignoreHeaders', 0], 'mirror.compare.ignoreHeaders[0]', 'the name of a header, such as "x-request-id"', ['a\n']),
  {
    keys: ['compare', 'ignoreJsonFields'],
    path: 'mirror.compare.ignoreJsonFields',
    allowed: 'an array of at most 1000 JSON pointers or dotted paths',
    takes: ['array', 'arrayOfNull'],
    good: same([], ['/items/*/updatedAt', 'user.lastSeen', '/', '/a~1b~0~2~3', '*', '@type', '/Ünder.score']),
    bad: ['/a', new Array(1001).fill('/a')]
  },
  itemRow(
    ['compare', 'ignoreJsonFields', 0], 'mirror.compare.ignoreJsonFields[0]',
    'a JSON pointer such as "/items/*/updatedAt", or a dotted path such as "user.lastSeen"',
    ['.', 'a..b', '.a', 'a.', '/a~', '/a~4', `/${'a'.repeat(1000)}`]
  ),
  {
    keys: ['compare', 'redact'],
    path: 'mirror.compare.redact',
    allowed: 'an array of at most 1000 names',
    takes: ['array', 'arrayOfNull'],
    good: [[['X-Key', 'IBAN'], ['x-key', 'iban']]],
    bad: ['iban', new Array(1001).fill('a')]
  },
  itemRow(
    ['compare', 'redact', 0], 'mirror.compare.redact[0]',
    'a single name such as "ssn", of 1 to 256 characters, without any of / * . [ ]: it hides user.ssn and user[ssn], too',
    ['a'.repeat(257), '/user/ssn', 'user.ssn', 'user[ssn]', '*']
  ),
  {
    keys: ['endpoint'],
    path: 'mirror.endpoint',
    allowed: '"auto", "graphql", or a synchronous function of the request',
    takes: ['function'],
    good: same('auto', 'graphql', KINDS.function),
    bad: ['', 'path']
  },
  integerRow(['maxEndpoints'], 1, 1000),
  integerRow(['maxPlaces'], 0, 5000),
  { keys: ['noise'], path: 'mirror.noise', allowed: 'false, or an object with from', takes: ['false', 'object', 'circular'] },
  { keys: ['verdict'], path: 'mirror.verdict', allowed: 'an object', takes: ['object', 'circular'] },
  numberRow(['verdict', 'maxMismatchRate'], 'mirror.verdict.maxMismatchRate', 0, 1),
  numberRow(['verdict', 'maxFailureRate'], 'mirror.verdict.maxFailureRate', 0, 1),
  numberRow(['verdict', 'maxEndpointMismatchRate'], 'mirror.verdict.maxEndpointMismatchRate', 0, 1),
  numberRow(['verdict', 'minEndpointShare'], 'mirror.verdict.minEndpointShare', 0, 1),
  {
    keys: ['verdict', 'maxSlowdown'],
    path: 'mirror.verdict.maxSlowdown',
    allowed: 'a number of milliseconds, 0 or more',
    takes: ['zero', 'one', 'fraction', 'huge'],
    good: same(0, 12.5)
  },
  numberRow(['verdict', 'minCoverage'], 'mirror.verdict.minCoverage', 0, 1),
  {
    keys: ['verdict', 'minDuration'],
    path: 'mirror.verdict.minDuration',
    allowed: 'milliseconds, or text such as "30m" or "1h", at most 366 days',
    takes: ['zero', 'one'],
    good: [
      ['250ms', 250], ['90 s', 90_000], ['30m', 1_800_000], ['2min', 120_000], ['1h', 3_600_000], ['1.5h', 5_400_000], ['7d', 604_800_000],
      ['366d', 31_622_400_000]
    ],
    bad: ['', '1', 'h', '1 hour', '-1h', '1h30m', '367d', 31_622_400_001, '1e3s']
  },
  {
    keys: ['verdict', 'confidence'],
    path: 'mirror.verdict.confidence',
    allowed: 'a number from 0.5 to 0.999999',
    takes: ['fraction'],
    good: same(0.5, 0.99, 0.999999),
    bad: [0.49, 1]
  }
]

const PLUGIN_ROWS: Row[] = [
  { keys: ['defaults'], path: 'defaults', allowed: 'an object of mirror options', takes: ['object', 'circular'], good: [] },
  {
    keys: ['admin'],
    path: 'admin',
    allowed: 'false, or an object',
    takes: ['false', 'object', 'circular'],
    good: [[false, null], [{}, { prefix: '/mirrors', onRequest: [], hosts: null, routeOptions: {} }]]
  },
  {
    keys: ['admin', 'prefix'],
    path: 'admin.prefix',
    allowed: 'a path such as "/mirrors", without a slash at its end, parameters or wildcards',
    takes: [],
    good: same('/a', '/_a/b-c.d~e', '/..a'),
    bad: ['mirrors', '/', '/a/', '//', '/a//b', '/:id', '/a/*', '/a?b', '/a#', '/a b', '/a%20', '/.', '/../a', '/a/..', `/${'a'.repeat(200)}`]
  },
  {
    keys: ['admin', 'onRequest'],
    path: 'admin.onRequest',
    allowed: 'a function or an array of functions, at least one',
    takes: ['arrayOfNull', 'function', 'async'],
    good: [[KINDS.async, [KINDS.async]], [[KINDS.function, KINDS.async], [KINDS.function, KINDS.async]]],
    bad: [new Array(101).fill(() => {})]
  },
  { keys: ['admin', 'onRequest', 0], path: 'admin.onRequest[0]', allowed: 'a function', takes: ['function', 'async'] },
  {
    keys: ['admin', 'hosts'],
    path: 'admin.hosts',
    allowed: 'an array of 1 to 1000 host names or addresses',
    takes: ['arrayOfNull'],
    good: [
      [['Ops.Example.com', 'localhost', '127.0.0.1', '::1', '[::1]', '0:0:0:0:0:0:0:1', 'bücher.test'],
        ['ops.example.com', 'localhost', '127.0.0.1', '[::1]', '[::1]', '[::1]', 'xn--bcher-kva.test']]
    ],
    bad: [[], new Array(1001).fill('a')]
  },
  {
    keys: ['admin', 'hosts', 0],
    path: 'admin.hosts[0]',
    allowed: 'a host name or an address, without a port, such as "ops.example.com" or "::1"',
    takes: ['digits'],
    bad: ['', 'a:80', '[::1]:80', 'http://a', 'a/b', 'a b', 'u@a', '::x', '1.2.3.400', '*']
  },
  {
    keys: ['admin', 'routeOptions'],
    path: 'admin.routeOptions',
    allowed: 'an object of route options',
    takes: ['object', 'circular'],
    good: same({}, { logLevel: 'warn', schema: { hide: true }, preHandler: KINDS.async })
  },
  { ...flagRow(['thread']), path: 'thread' },
  { ...integerRow(['maxBufferedBytes'], 0, Number.MAX_SAFE_INTEGER), path: 'maxBufferedBytes' },
  { ...integerRow(['closeTimeout'], 0, MAX_INT), path: 'closeTimeout' },
  { ...flagRow(['strict']), path: 'strict' },
  { ...flagRow(['keepTicksQuick']), path: 'keepTicksQuick' },
  {
    keys: ['onMismatch'],
    path: 'onMismatch',
    allowed: 'a function',
    takes: ['function', 'async'],
    good: same(KINDS.function, KINDS.async)
  }
]

t.test('what is not given has a default', async t => {
  t.strictSame(readMirrorOptions({ backends: ['http://shadow:9000'] }, {}, ROUTE), {
    id: 'get-users-id',
    named: false,
    enabled: true,
    percentage: 100,
    sampleBy: null,
    backends: [{
      name: 'shadow:9000',
      named: false,
      url: 'http://shadow:9000',
      origin: 'http://shadow:9000',
      host: 'shadow:9000',
      basePath: '',
      percentage: 100,
      connect: {},
      connectSource: null
    }],
    conditions: { methods: null, headers: [], pathRegex: null },
    timeout: 5000,
    bodyTimeout: 5000,
    maxInFlight: 256,
    maxBacklogBytes: 1048576,
    breaker: { failures: 50, cooldown: 5000 },
    preserveHost: false,
    removeHeaders: [],
    rewriteRequestHeaders: null,
    compare: {
      enabled: false,
      logMismatches: false,
      detailedDiff: false,
      maxBodyCapture: 1048576,
      ignoreHeaders: [],
      ignoreJsonFields: [],
      rules: [],
      origins: {},
      redact: []
    },
    endpoint: 'auto',
    maxEndpoints: 200,
    maxPlaces: 2000,
    noise: null,
    verdict: {
      maxMismatchRate: 0.001,
      maxFailureRate: 0.01,
      maxEndpointMismatchRate: 0.01,
      minEndpointShare: 0.001,
      maxSlowdown: null,
      minCoverage: 0.9,
      minDuration: 0,
      confidence: 0.95
    }
  })
  const plugin: PluginConfig = {
    defaults: Object.create(null),
    admin: { prefix: '/mirrors', onRequest: [], hosts: null, routeOptions: {} },
    thread: false,
    maxBufferedBytes: 67108864,
    closeTimeout: 1000,
    onMismatch: null,
    prometheus: null,
    strict: false,
    keepTicksQuick: true
  }
  t.strictSame(readPluginOptions(), plugin)
  t.strictSame(readPluginOptions({ admin: undefined, prefix: '/scope', logLevel: 'warn', logSerializers: {} }), plugin, 'what Fastify adds is no option')
})

t.test('each key takes its values, and refuses all others by name, value and what is allowed', async t => {
  const readers: Array<[string, Row[], (row: Row, value: unknown) => unknown]> = [
    [OWNER, MIRROR_ROWS, (row, value) => readMirror(mirrorWith(row.keys, value))],
    ['plugin options', PLUGIN_ROWS, (row, value) => readPluginOptions(put(row.keys, value))]
  ]
  for (const [owner, rows, read] of readers) {
    for (const row of rows) {
      for (const [given, expected] of row.good ?? []) t.strictSame(pick(read(row, given), row.keys), expected, row.path)
      const refused = Object.keys(KINDS).filter(kind => !row.takes.includes(kind)).map(kind => KINDS[kind])
      const wrong = [...refused, ...row.bad ?? []].flatMap(value => {
        const { code, message } = refusal(() => read(row, value))
        const [, path, allowed, shown] = /^(.*?) must be (.*), got (.*)$/s.exec(message) ?? []
        const right = code === 'FST_MIRROR_INVALID_OPTION' && path === `${owner}: ${row.path}` && allowed.includes(row.allowed) &&
          (row.secret ? !/50|\bx\b/.test(shown) : shown === showValue(value)) && message.length < 500
        return right ? [] : [`${showValue(value)}: ${code} ${message}`]
      })
      t.strictSame(wrong, [], `${row.path} refuses all else`)
      const needless = row.takes.map(kind => refusal(() => read(row, KINDS[kind])).message)
        .filter(message => message.startsWith(`${owner}: ${row.path} must be `) && !message.includes(URL_ALLOWED))
      t.strictSame(needless, [], `${row.path} takes ${row.takes}`)
    }
  }
  t.strictSame(
    MIRROR_ROWS.filter(({ keys }) => keys.length === 1).map(({ keys }) => keys[0]),
    'id enabled percentage sampleBy backends conditions timeout bodyTimeout maxInFlight maxBacklogBytes breaker preserveHost removeHeaders rewriteRequestHeaders compare endpoint maxEndpoints maxPlaces noise verdict'.split(' ')
  )
})

t.test('messages read as a whole', async t => {
  const backends = [SHADOW]
  const mirrorKeys = 'id, enabled, percentage, sampleBy, backends, conditions, timeout, bodyTimeout, maxInFlight, maxBacklogBytes, breaker, ' +
    'preserveHost, removeHeaders, rewriteRequestHeaders, compare, endpoint, maxEndpoints, maxPlaces, noise, verdict'
  const cases: Array<[block: unknown, code: string, message: string]> = [
    [true, 'INVALID_OPTION', 'mirror must be an object, or false for no mirror, got true'],
    [{ backends, percentage: '50' }, 'INVALID_OPTION', 'mirror.percentage must be a number from 0 to 100, got "50"'],
    [{ backends, breaker: true }, 'INVALID_OPTION', 'mirror.breaker must be false, or an object with failures and cooldown, got true'],
    [{}, 'INVALID_OPTION', 'mirror.backends must be an array of 1 to 100 backends, each a URL or an object with a url, got undefined'],
    [{ backends: [SHADOW, '::port'] }, 'INVALID_OPTION', `mirror.backends[1].url must be ${URL_ALLOWED}, got "::port"`],
    [{ backends, conditions: { path_regex: '(%s' } }, 'INVALID_OPTION',
      'mirror.conditions.pathRegex must be an RE2 regular expression (error parsing regexp: missing closing ): `(%s`), got "(%s"'],
    [{ backends, conditions: { headers: { 'a b': true } } }, 'INVALID_OPTION',
      'mirror.conditions.headers["a b"] must be the name of a header, such as "x-request-id", got "a b"'],
    [{ backends, conditions: { headers: { 'a/b~c': 1 } } }, 'INVALID_OPTION',
      'mirror.conditions.headers["a/b~c"] must be the name of a header, such as "x-request-id", got "a/b~c"'],
    [{ backends, conditions: { headers: { 'x~y': 1 } } }, 'INVALID_OPTION',
      'mirror.conditions.headers["x~y"] must be text to be equal to, or true for present, got 1'],
    [{ backends, foo_bar: 5 }, 'UNKNOWN_OPTION', `mirror.foo_bar (5) is not an option; allowed: ${mirrorKeys}`],
    [{ backends, percent: 5 }, 'UNKNOWN_OPTION', `mirror.percent (5) is not an option, did you mean "percentage"?; allowed: ${mirrorKeys}`],
    [{ backend: ['http://a'] }, 'UNKNOWN_OPTION',
      `mirror.backend (["http://a"]) is not an option, did you mean "backends"?; allowed: ${mirrorKeys}`],
    [{ backends, url: '%s%d%j' }, 'UNKNOWN_OPTION', `mirror.url ("%s%d%j") is not an option; allowed: ${mirrorKeys}`],
    [{ backends, conditions: { Path_Regex: 'a' } }, 'UNKNOWN_OPTION',
      'mirror.conditions.Path_Regex ("a") is not an option, did you mean "pathRegex"?; allowed: methods, headers, pathRegex'],
    [{ backends, ['k'.repeat(1000)]: undefined }, 'UNKNOWN_OPTION',
      `mirror["${'k'.repeat(79)}...] (undefined) is not an option; allowed: ${mirrorKeys}`],
    [{ backends, conditions: { path_regex: 'a', pathRegex: 'a' } }, 'CONFLICTING_OPTIONS',
      'mirror.conditions.path_regex and mirror.conditions.pathRegex are the same option, give only one of them'],
    [{ backends, conditions: { headers: { 'X-A': 'a', 'x-a': 'b' } } }, 'CONFLICTING_OPTIONS',
      'mirror.conditions.headers["X-A"] and mirror.conditions.headers["x-a"] are the same option, give only one of them']
  ]
  for (const [block, code, message] of cases) {
    const error = refusal(() => readMirror(block))
    t.equal(error.message, `${OWNER}: ${message}`)
    t.equal(error.code, `FST_MIRROR_${code}`)
    t.equal(error.statusCode, 500)
    t.ok(error instanceof TypeError)
  }
  const pluginCases: Array<[options: unknown, message: string]> = [
    [null, 'options must be an object, got null'],
    [{ thraed: true }, 'thraed (true) is not an option, did you mean "thread"?; allowed: defaults, admin, thread, maxBufferedBytes, closeTimeout, onMismatch, prometheus, strict, keepTicksQuick'],
    [{ admin: { routeOptions: { handler: 1 } } },
      'admin.routeOptions.handler (1) is not an option; allowed: route options other than method, url, path, handler, onRequest and mirror'],
    [{ defaults: { compare: { enabled: 1 } } }, 'defaults.compare.enabled must be true or false, got 1'],
    [{ defaults: { backends: ['http://a?b'] } }, `defaults.backends[0].url must be ${URL_ALLOWED}, got "http://a?..."`],
    [{ defaults: { backends: [] } }, 'defaults.backends must be an array of 1 to 100 backends, each a URL or an object with a url, got []'],
    [{ max_buffered_bytes: 1, maxBufferedBytes: 1 }, 'max_buffered_bytes and maxBufferedBytes are the same option, give only one of them'],
    [{ prometheus: true }, 'prometheus must be an object with a Registry of prom-client as its register, got true'],
    [{ prometheus: new Registry() }, 'prometheus must be an object with a Registry of prom-client as its register, got [object Object]'],
    [{ prometheus: {} }, 'prometheus.register must be a Registry of prom-client, got undefined'],
    [{ prometheus: { register: null } }, 'prometheus.register must be a Registry of prom-client, got null'],
    [{ prometheus: { register: { registerMetric () {} } } }, 'prometheus.register must be a Registry of prom-client, got {"registerMetric":[function]}'],
    [{ prometheus: { register: Registry } }, 'prometheus.register must be a Registry of prom-client, got [function]'],
    [
      { prometheus: { registry: new Registry() } },
      'prometheus.registry ([object Object]) is not an option, did you mean "register"?; allowed: register, endpoints'
    ]
  ]
  for (const [options, message] of pluginCases) t.equal(refusal(() => readPluginOptions(options)).message, `plugin options: ${message}`)
})

t.test('a misspelled key is answered with the nearest one', async t => {
  const known = ['percentage', 'percentages', 'id', 'pathRegex']
  t.equal(suggest('percentage', known), 'percentage')
  t.equal(suggest('prcentages', known), 'percentages')
  t.equal(suggest('PATH-regex', known), 'pathRegex')
  t.equal(suggest('ix', known), undefined)
  t.equal(suggest('percentage'.repeat(5), known), undefined)
})

/** Their status codes. */
const OF_REQUESTS: Readonly<Record<string, number>> = {
  FST_MIRROR_OTHER_ORIGIN: 403,
  FST_MIRROR_OTHER_HOST: 421,
  FST_MIRROR_BAD_PERIOD: 400,
  FST_MIRROR_OLDER_PERIOD: 409,
  FST_MIRROR_TOO_MANY_WAIT: 503
}

t.test('the errors of the plugin have a code, a status and a plain message', async t => {
  const duplicate = new errors.FST_MIRROR_DUPLICATE_ID(OWNER, showValue('a%s'), 'route "GET /%d"')
  t.equal(duplicate.message, `${OWNER}: mirror.id "a%s" is taken by route "GET /%d"; every mirror needs an id of its own`)
  t.equal(new errors.FST_MIRROR_ALREADY_REGISTERED().message, 'fastify-mirror is already registered in this scope')
  t.equal(
    new errors.FST_MIRROR_CONFLICTING_OPTIONS(OWNER, 'mirror', 'config.mirror').message,
    `${OWNER}: mirror and config.mirror are the same option, give only one of them`
  )
  for (const [name, Constructor] of Object.entries(errors)) {
    const error = new (Constructor as typeof errors.FST_MIRROR_ALREADY_REGISTERED)()
    t.equal(error.code, name)
    // All are mistakes of whoever registers, but these, which are of whoever asks.
    const ofRequest = OF_REQUESTS[name]
    t.equal((error as Refusal).statusCode, ofRequest ?? 500, name)
    t.equal(error instanceof TypeError, ofRequest === undefined, name)
  }
})

t.test('the gateway\'s YAML block is taken as it is, and every key in its spelling', async t => {
  const config = readMirrorOptions({
    enabled: true,
    percentage: 25.5,
    backends: [{ url: 'http://shadow:9000', weight: 3 }],
    conditions: { methods: ['get'], headers: { X_Mirror_Me: 'Yes' }, path_regex: '^/api/v[23]/' },
    compare: {
      enabled: true,
      log_mismatches: true,
      detailed_diff: true,
      max_body_capture: 10,
      ignore_headers: ['Server'],
      ignore_json_fields: ['a.b'],
      redact: ['Pin']
    },
    max_in_flight: 3,
    max_backlog_bytes: 4,
    sample_by: 'X-User',
    preserve_host: true,
    remove_headers: ['Cookie'],
    rewrite_request_headers: KINDS.function,
    verdict: { max_mismatch_rate: 0.5, max_failure_rate: 0.25, max_slowdown: 9, min_coverage: 0.5, max_endpoint_mismatch_rate: 0.3, min_endpoint_share: 0.2, min_duration: '1h' }
  }, { conditions: { path_regex: 'x' } }, ROUTE)
  t.strictSame([config.maxInFlight, config.maxBacklogBytes, config.sampleBy, config.preserveHost], [3, 4, 'x-user', true])
  t.strictSame([config.removeHeaders, config.rewriteRequestHeaders], [['cookie'], KINDS.function])
  t.strictSame(config.conditions.headers, [['x_mirror_me', 'yes']], 'names of headers are never respelled')
  t.ok(config.conditions.pathRegex?.test('/api/v2/users'))
  t.notOk(config.conditions.pathRegex?.test('/x/api/v2/'))
  t.strictSame(config.compare, {
    enabled: true,
    logMismatches: true,
    detailedDiff: true,
    maxBodyCapture: 10,
    ignoreHeaders: ['server'],
    ignoreJsonFields: ['a.b'],
    rules: [],
    origins: {},
    redact: ['pin']
  })
  t.strictSame(config.verdict, {
    maxMismatchRate: 0.5, maxFailureRate: 0.25, maxEndpointMismatchRate: 0.3, minEndpointShare: 0.2, maxSlowdown: 9, minCoverage: 0.5, minDuration: 3_600_000, confidence: 0.95
  })
  t.strictSame(
    readMirror({ backends: [{ ...SECURE, connect: { reject_unauthorized: false, socket_path: '/s' } }] }).backends[0].connect,
    { rejectUnauthorized: false, socketPath: '/s' }
  )
  t.equal(readPluginOptions({ close_timeout: 5, on_mismatch: KINDS.function }).closeTimeout, 5)

  for (const conditions of [{ path_regex: undefined, pathRegex: 'a' }, { pathRegex: 'a', path_regex: undefined }]) {
    t.ok(readMirror({ backends: [SHADOW], conditions }).conditions.pathRegex?.test('a'), 'undefined is not given')
  }
  t.equal(readMirror({ backends: [SHADOW], conditions: { pathRegex: '' } }).conditions.pathRegex, null, 'empty: none')
})

t.test('defaults lie under the route\'s block, deeply', async t => {
  const ca = Buffer.from('ca')
  const onRequest = () => {}
  const raw = freeze({
    defaults: {
      timeout: 100,
      backends: [{ url: 'https://a', connect: { ca } }, 'http://b'],
      conditions: { methods: ['GET'], path_regex: '^/a', headers: { 'X-A': 'a', 'X-B': 'b' } },
      compare: { enabled: true, ignore_headers: ['server'] },
      breaker: { failures: 3 },
      remove_headers: ['cookie']
    },
    admin: { onRequest, routeOptions: { schema: { hide: true } } }
  })
  const { defaults, admin } = readPluginOptions(raw)
  t.not(defaults, raw.defaults)
  t.equal(admin?.onRequest[0], onRequest)
  freeze(defaults)

  const block = freeze({
    timeout: undefined,
    enabled: undefined,
    conditions: { methods: ['POST'], headers: { 'x-a': true } },
    compare: { ignoreHeaders: [] },
    breaker: { cooldown: 7 },
    removeHeaders: []
  })
  for (const given of [defaults, raw.defaults]) {
    const config = readMirror(block, given)
    t.equal(config.timeout, 100)
    t.equal(config.enabled, true)
    t.strictSame(config.backends.map(({ name }) => name), ['a', 'b'])
    t.equal(config.backends[0].connect.ca, ca, 'buffers are kept')
    t.strictSame(config.conditions.methods, new Set(['POST']), 'arrays replace')
    t.strictSame(config.conditions.headers, [['x-a', true], ['x-b', 'b']])
    t.ok(config.conditions.pathRegex?.test('/a'))
    t.strictSame([config.compare.enabled, config.compare.ignoreHeaders], [true, []])
    t.strictSame(config.breaker, { failures: 3, cooldown: 7 })
    t.strictSame(config.removeHeaders, [])
  }
  t.strictSame(readMirror({ backends: ['http://c'] }, defaults).backends.map(({ host }) => host), ['c'])
  t.equal(readMirror({ breaker: false }, defaults).breaker, null)
  t.strictSame(readMirror({ breaker: {}, backends: [SHADOW] }, { breaker: false }).breaker, { failures: 50, cooldown: 5000 })

  const shared = { backends: [{ url: 'http://a' }], compare: {} }
  readMirror(shared)
  t.strictSame(shared, { backends: [{ url: 'http://a' }], compare: {} }, 'no default is written into the user\'s object')
  t.equal(
    refusal(() => readMirror({ compare: { detailed_diff: true, detailedDiff: true } }, defaults)).code, 'FST_MIRROR_CONFLICTING_OPTIONS'
  )
  t.equal(readMirror({ compare: { enabled: true, detailed_diff: true } }, { ...raw.defaults, compare: { detailedDiff: false } }).compare.detailedDiff, true)
})

t.test('a backend\'s URL is taken apart, or refused', async t => {
  const good: Array<[url: string, origin: string, host: string, basePath: string]> = [
    ['http://shadow', 'http://shadow', 'shadow', ''],
    ['http://shadow/', 'http://shadow', 'shadow', ''],
    ['http://shadow//', 'http://shadow', 'shadow', ''],
    ['http://shadow:80/v2/', 'http://shadow', 'shadow', '/v2'],
    ['https://Shadow:443/a%2Fb/c d'.replace(' ', '%20'), 'https://shadow', 'shadow', '/a%2Fb/c%20d'],
    ['https://shadow:80', 'https://shadow:80', 'shadow:80', ''],
    ['http://[::1]:9000/x', 'http://[::1]:9000', '[::1]:9000', '/x'],
    ['http://shädow/ü/@me', 'http://xn--shdow-hra', 'xn--shdow-hra', '/%C3%BC/@me']
  ]
  for (const [url, origin, host, basePath] of good) {
    const [backend] = readMirror({ backends: [url] }).backends
    t.strictSame([backend.url, backend.origin, backend.host, backend.basePath], [url, origin, host, basePath])
  }
  const bad = [
    '', 'shadow', 'shadow:9000', '::port', '//shadow', '/shadow', 'ftp://shadow', 'file:///a', 'ws://shadow', 'http:', 'http:/shadow', 'http:shadow',
    'http://', 'http:///shadow', 'http:\\\\shadow', 'http://shadow\\a', ' http://shadow', 'http://shadow\n', 'http://sha\tdow', 'http://a b', 'http://:80',
    'http://shadow:0', 'http://shadow:65536', 'http://shadow:x', 'http://[::1', 'http://@shadow', 'http://u@shadow', 'http://shadow?', 'http://shadow/?a=b',
    'http://shadow#', 'http://shadow/#a', 'javascript://shadow'
  ]
  for (const url of bad) {
    const { message, code } = refusal(() => readMirror({ backends: [{ url }] }))
    t.equal(code, 'FST_MIRROR_INVALID_OPTION', url)
    t.ok(message.startsWith(`${OWNER}: mirror.backends[0].url must be ${URL_ALLOWED}, got "`), message)
  }
})

t.test('backends have names that differ', async t => {
  const names = (...backends: unknown[]): Array<[string, boolean]> =>
    readMirror({ backends }).backends.map(({ name, named }) => [name, named])
  t.strictSame(names('http://a', 'https://a', 'http://b:1', 'http://a/x'), [['a', false], ['a#2', false], ['b:1', false], ['a#3', false]])
  t.strictSame(
    names('http://a', 'http://a', { url: 'http://c', name: 'a' }, { url: 'http://d', name: 'a#2' }),
    [['a#3', false], ['a#4', false], ['a', true], ['a#2', true]],
    'the user\'s names come first'
  )
  t.equal(
    refusal(() => names({ ...SHADOW, name: 'x' }, SHADOW, { ...SHADOW, name: 'x' })).message,
    `${OWNER}: mirror.backends[2].name must be a name that no other backend has, got "x"`
  )
  const long = `http://${'a.'.repeat(60)}b`
  const cut = names(long, long, long.replace('b', 'c')).map(([name]) => name)
  t.equal(new Set(cut).size, 3)
  t.ok(cut.every(name => name.length === 100), 'cut, with a hash of the whole')
})

t.test('an id is made from the route', async t => {
  const id = (method: string | string[], url: string): string => readMirror({ backends: [SHADOW] }, {}, { method, url }).id
  t.equal(id('GET', '/users/:id'), 'get-users-id')
  t.equal(id(['GET'], '/users/:id/'), 'get-users-id')
  t.equal(id(['GET', 'POST'], '/a/*'), 'a-any')
  t.equal(id('POST', '/Größe/:a(^\\d+)-:b'), 'post-größe-a-d-b')
  t.equal(id('GET', '/'), 'get')
  t.equal(id(['GET', 'POST'], '/'), 'root')
  for (const url of ['/ui', '/verdict', '/../verdict.']) t.match(id(['GET', 'POST'], url), /^(?:ui|verdict)-[\da-f]{8}$/, 'what is reserved')
  t.equal(readMirror({ backends: [SHADOW], id: 'mine' }).id, 'mine')
  t.equal(readMirror({ backends: [SHADOW] }, { id: 'theirs' }).id, 'theirs')
  const odd = [
    `/${'a'.repeat(200)}`, `/${'a'.repeat(199)}b`, `/${'\u{10400}'.repeat(99)}`, `/a${'\u{10400}'.repeat(99)}`, '/a\nb', '/a\0c', '/\ud800', '/\ud800d'
  ].map(url => id(['GET', 'POST'], url))
  t.equal(new Set(odd).size, odd.length, 'cut ids stay apart')
  for (const one of odd) {
    t.ok(one.length > 0 && one.length <= 100)
    t.equal(readMirror({ backends: [SHADOW], id: one }).id, one, 'what the user may give')
    t.equal(decodeURIComponent(encodeURIComponent(one)), one)
  }
  t.equal(id('GET', `/${'a'.repeat(200)}`).replace(/-[\da-f]{8}$/, ''), `get-${'a'.repeat(87)}`)
})

t.test('errors name the route', async t => {
  t.equal(showRoute({ method: ['GET', 'POST'], url: '/a"\n/@me' }), 'route "GET,POST /a\\"\\n/@me"')
  t.equal(showRoute({ method: 'GET', url: `/${'a'.repeat(100)}` }), `route "GET /${'a'.repeat(75)}..."`)
})

t.test('an option of compare that can have no effect is an error', async t => {
  const compared = (compare: unknown, defaults: unknown = {}): string =>
    refusal(() => readMirror({ backends: [SHADOW], compare }, { compare: defaults })).message
  const fine = 'nothing was refused'
  t.equal(compared({ enabled: true, logMismatches: true, redact: ['a'] }), fine)
  t.equal(compared({ redact: undefined }), fine)
  t.equal(compared(undefined), fine)
  t.equal(compared({ logMismatches: false, redact: [], ignoreHeaders: [] }), fine, 'what is off needs nothing')

  const without = (key: string, needs: string, value: string): string =>
    `${OWNER}: mirror.compare.${key} must be left out, or compare.${needs} given: without it it can have no effect, got ${value}`
  const placed = (compare: unknown): string => refusal(() => readMirror({ backends: [SHADOW], compare, maxPlaces: 1 }, {})).message
  t.equal(placed({ enabled: true }), fine)
  t.equal(placed({ enabled: false }), fine, 'a comparison that stays written down')
  t.match(placed(undefined), 'mirror.maxPlaces must be left out, or compare.enabled given: without it it can have no effect, got 1')

  t.equal(compared({ redact: ['a'] }), without('redact', 'enabled', '["a"]'))
  t.equal(compared({ log_mismatches: true }), without('logMismatches', 'enabled', 'true'))
  t.equal(compared({ detailedDiff: true, maxBodyCapture: 0 }), without('detailedDiff', 'enabled', 'true'))
  t.equal(compared({ max_body_capture: 1 }), without('maxBodyCapture', 'enabled', '1'))
  t.equal(compared({ enabled: true, max_body_capture: 1 }), fine, 'coded bodies are decoded without a diff, too')
  t.equal(compared({ ignoreHeaders: ['a'] }, { enabled: true }), without('ignoreHeaders', 'detailedDiff', '["a"]'))
  t.match(compared({ redact: 5 }), /redact must be an array of at most/, 'first of all it must be right')

  t.equal(compared({ enabled: false, detailedDiff: true, maxBodyCapture: 1 }), fine, 'switched off, and still written down')
  t.equal(compared({ enabled: true, detailedDiff: false, maxBodyCapture: 1 }), fine)
  t.equal(compared({ detailedDiff: true }, { enabled: false }), fine, 'switched off for all')
  t.equal(compared({ ignoreHeaders: ['a'] }, { enabled: true, detailedDiff: true }), fine)
  t.equal(compared({}, { ignoreJsonFields: ['a'], redact: ['a'] }), fine, 'the defaults may be for other routes')
  t.equal(compared({ enabled: true }, { ignoreJsonFields: ['a'] }), fine)
  t.equal(refusal(() => readPluginOptions({ defaults: { compare: { ignoreHeaders: ['a'] } } })).message, fine)
})

t.test('fields in the notation of another tool are refused, with what to write', async t => {
  const fault = (field: string): string =>
    refusal(() => readMirror({ backends: [SHADOW], compare: { enabled: true, detailedDiff: true, ignoreJsonFields: [field] } })).message
  const translated = (field: string, rest: string) => t.equal(
    fault(field), `${OWNER}: mirror.compare.ignoreJsonFields[0] must be a JSON pointer or a dotted path: write ${rest}, got ${JSON.stringify(field)}`
  )
  translated('$.items[*].id', '"/items/*/id"')
  translated('items[*].id', '"/items/*/id"')
  translated('items[].id', '"/items/*/id"')
  translated('items[0].id', '"/items/0/id", or "/items/*/id" for every index')
  translated('a[0][1].b', '"/a/0/1/b", or "/a/*/*/b" for every index')
  translated('/items[0]/id', '"/items/0/id", or "/items/*/id" for every index; with a key that has these brackets, "/items~30]/id"')
  translated('/items/[*]/id', '"/items/*/id"; with a key that has these brackets, "/items/~3*]/id"')
  translated('#/items/0/id', '"/items/0/id"')
  translated('#/a%20b', '"/a b"')
  translated('#/a%zz', '"/a%zz"')
  translated('items/*/id', '"/items/*/id"')
  translated('$.user.lastSeen', '"/user/lastSeen"')
  translated('$[0].id', '"/0/id", or "/*/id" for every index')
  translated('$[\'a.b\']["c/d*[e]~"].f', '"/a.b/c~1d~2~3e]~0/f"')
  for (const field of ['**/updatedAt', '/**/updatedAt', '**.updatedAt', 'a.**', '$..updatedAt']) {
    t.match(fault(field), /must be a place with every level named: \*\* \(any depth\) is not supported, .*Name each place/, field)
  }
  for (const field of ['$.a[?(@.x>1)].b', '$.a[0:2]', 'a[-1].b', 'a[1:2]', '$.a~b', '$.items[*].?']) {
    t.match(fault(field), /must be a JSON pointer such as .*, or a dotted path such as /, field)
  }
  for (const field of ['/filter[name]', 'filter[name]', '/~2', '/a~30]', '/a/b', '$ref', '$ref.x', '#', '/$', '*.id', '@type']) {
    t.equal(fault(field), 'nothing was refused', field)
  }
})

t.test('connect has the options that have an effect', async t => {
  const refused = (connect: Options, url = 'https://shadow'): string => refusal(() => readMirror({ backends: [{ url, connect }] })).message
  const at = `${OWNER}: mirror.backends[0].connect`
  t.match(refused({ caa: 'secret' }), `${at}.caa ([hidden string]) is not an option, did you mean "ca"?; allowed: socketPath, `)
  t.match(refused({ servernam: 'a' }), /did you mean "servername"/)
  for (const key of ['allowH2', 'ALPNProtocols', 'host', 'port', 'path', 'noDelay', 'onread', 'socket']) {
    t.match(refused({ [key]: 1 }), `${at}.${key} ([hidden number]) is not an option`)
  }
  const fine = 'nothing was refused'
  t.equal(refused({ ca: '', ciphers: '', family: 4, autoSelectFamily: true, localAddress: '127.0.0.1', lookup () {} }), fine)
  t.equal(refused({ keepAlive: false, keepAliveInitialDelay: undefined, timeout: 1 }, 'http://shadow'), fine)

  const idle = (key: string, because: string, type: string) =>
    `${at}.${key} must be left out, as ${because}: it can have no effect, got [hidden ${type}]`
  for (const key of ['ca', 'cert', 'key', 'pfx', 'minVersion', 'servername', 'session']) {
    t.equal(refused({ [key]: 'a' }, 'http://shadow'), idle(key, 'the URL is http:, without TLS', 'string'))
  }
  t.equal(refused({ rejectUnauthorized: true, socketPath: '/s' }, 'http://shadow'), idle('rejectUnauthorized', 'the URL is http:, without TLS', 'boolean').replace('[hidden boolean]', 'true'))
  t.equal(refused({ family: 4, socketPath: '/s' }), idle('family', 'socketPath is given', 'number'))
  t.equal(refused({ keepAlive: false, keepAliveInitialDelay: 1 }), idle('keepAliveInitialDelay', 'keepAlive is false', 'number'))
  t.match(
    refusal(() => readPluginOptions({ defaults: { backends: [{ url: 'http://a', connect: { ca: 'a' } }] } })).message,
    /^plugin options: defaults\.backends\[0\]\.connect\.ca must be left out/
  )
})

t.test('a key that would be taken for the prototype is a key like any other', async t => {
  const evil = '{"polluted":true}'
  for (const key of ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty']) {
    for (const [json, path] of [
      [`{"${key}":${evil}}`, `mirror.${key}`],
      [`{"compare":{"${key}":${evil}}}`, `mirror.compare.${key}`],
      [`{"breaker":{"${key}":${evil}}}`, `mirror.breaker.${key}`],
      [`{"backends":[{"url":"http://a","${key}":${evil}}]}`, `mirror.backends[0].${key}`]
    ]) {
      const block = (): Options => ({ backends: [SHADOW], ...JSON.parse(json) })
      const rest = path.includes('backends') ? {} : { backends: [SHADOW] }
      for (const read of [() => readMirror(block()), () => readMirror(rest, JSON.parse(json)), () => readMirror(block(), JSON.parse(json))]) {
        const { code, message } = refusal(read)
        t.equal(code, 'FST_MIRROR_UNKNOWN_OPTION')
        t.ok(message.startsWith(`${OWNER}: ${path} ({"polluted":true}) is not an option`), message)
      }
    }
    t.equal(refusal(() => readPluginOptions(JSON.parse(`{"${key}":1}`))).code, 'FST_MIRROR_UNKNOWN_OPTION')
    t.equal(refusal(() => readPluginOptions(JSON.parse(`{"defaults":{"${key}":1}}`))).code, 'FST_MIRROR_UNKNOWN_OPTION')
    t.equal(refusal(() => readPluginOptions(JSON.parse(`{"admin":{"${key}":1}}`))).code, 'FST_MIRROR_UNKNOWN_OPTION')
  }
  for (const key of ['__proto__', 'constructor', 'prototype']) {
    const inner = JSON.parse(`{"${key}":${evil}}`)
    t.match(
      refusal(() => readMirror({ backends: [{ ...SHADOW, connect: inner }] })).message,
      `${OWNER}: mirror.backends[0].connect.${key} ([hidden object]) is not an option; allowed: socketPath, timeout, keepAlive, `
    )
    t.equal(refusal(() => readPluginOptions({ admin: { routeOptions: inner } })).code, 'FST_MIRROR_UNKNOWN_OPTION')
  }
  const headers = JSON.parse('{"__proto__":"Yes","constructor":true,"prototype":"","hasOwnProperty":true,"5":"x"}')
  t.strictSame(
    new Map(readMirror({ backends: [SHADOW], conditions: { headers } }, { conditions: { headers } }).conditions.headers),
    new Map<string, string | true>([['__proto__', 'yes'], ['constructor', true], ['prototype', ''], ['hasownproperty', true], ['5', 'x']])
  )
  t.equal(({} as Options).polluted, undefined)
})

t.test('objects without a prototype, or of another realm, are options', async t => {
  const { runInNewContext } = await import('node:vm')
  t.equal(readMirror(runInNewContext('({ backends: ["http://a"], timeout: 5 })')).timeout, 5)
  t.equal(readMirror(Object.assign(Object.create(null), { backends: ['http://a'], timeout: 5 })).timeout, 5)
  class Options { backends = ['http://a'] }
  t.equal(refusal(() => readMirror(new Options())).message, `${OWNER}: mirror must be an object, or false for no mirror, got [object Object]`)
})

t.test('no secret shows in a message', async t => {
  const secret = 's3cr3t'
  const blocks: unknown[] = [
    `http://user:${secret}@shadow`,
    [`http://user:${secret}@shadow`],
    { backends: `http://user:${secret}@shadow` },
    { backends: [`http://user:${secret}@shadow`] },
    { backends: [`http://${secret}@shadow`] },
    { backends: [`https:user:${secret}@shadow`] },
    { backends: [` http:\\\\user:${secret}@shadow`] },
    { backends: [`user:${secret}@shadow:9000`] },
    { backends: [`//user:${secret}@shadow:9000`] },
    { backends: [`${secret}@shadow`] },
    { backends: [`http://user:a/${secret}?@shadow`] },
    { backends: [`http://user:${'x'.repeat(200)}${secret}${'x'.repeat(200)}@shadow`] },
    { backends: [`http://shadow/?token=${secret}`] },
    { backends: [{ url: [`http://user:${secret}@shadow`] }] },
    { backends: [{ url: 'http://shadow', connect: secret }] },
    { backends: [{ url: 'http://shadow', connect: [secret] }] },
    { backends: [{ url: 'http://shadow', connect: { rejectUnauthorized: secret } }] },
    { backends: [{ url: 'http://shadow', connect: { timeout: { secret } } }] },
    { backends: [{ url: 'http://shadow', conect: { a: secret } }] },
    { backends: [{ url: 'http://shadow', tls: { key: secret, passphrase: secret } }] },
    { backends: [{ url: 'http://shadow', key: secret }] },
    { backends: [{ url: 'http://shadow', pem: `-----BEGIN ${secret}` }] },
    { backends: [{ url: 'http://shadow', x: `-----BEGIN ${secret}` }] },
    { backends: { url: 'http://shadow', connect: { key: secret } } },
    { backends: [SHADOW], conditions: { headers: { authorization: [secret] } } },
    { backends: [SHADOW], conditions: { headers: { 'x-api-key': { a: secret } } } },
    { backends: [SHADOW], backend: { x: { y: { url: `http://user:${secret}@shadow` } } } }
  ]
  for (const block of blocks) {
    const { code, message } = refusal(() => readMirror(block))
    t.match(code, /^FST_MIRROR_/)
    t.notMatch(message, new RegExp(secret), message)
  }
  t.match(refusal(() => readMirror({ backends: ['http://u:p@shadow:9/a'] })).message, /got "http:\/\/\*\*\*@shadow:9\/a"$/)
})

t.test('a value is shown short, and whatever it is', async t => {
  const cases: Array<[value: unknown, text: string]> = [
    ['a"b', '"a\\"b"'],
    ['@type', '"@type"'],
    ['/users/@me', '"/users/@me"'],
    [undefined, 'undefined'],
    [-1.5, '-1.5'],
    [10n, '10n'],
    [Symbol('s'), 'Symbol(s)'],
    [() => {}, '[function]'],
    [new Date(), '[object Date]'],
    [Buffer.from('x'), '[object Uint8Array]'],
    [throwing, '[unreadable]'],
    [revoked.proxy, '[unreadable]'],
    [circular, '{"self":{"self":{"self":[...]}}}'],
    [Object.create(null, { a: { value: [1, { b: null }], enumerable: true } }), '{"a":[1,{"b":null}]}'],
    [Array.from({ length: 1e6 }, (_, index) => index), '[0,1,2,3,4,5,6,7,8,9,...]'],
    [{ token: 'x', keys: ['x'], ok: true, pass: null }, '{"token":[hidden string],"keys":[hidden object],"ok":true,"pass":null}'],
    ['x'.repeat(1e6), `"${'x'.repeat(79)}...`],
    [Object.fromEntries(Array.from({ length: 99 }, (_, index) => [index, index])), '{"0":0,"1":1,"2":2,"3":3,"4":4,"5":5,"6":6,"7":7,"8":8,"9":9,...}']
  ]
  for (const [value, text] of cases) t.equal(showValue(value), text)
})

t.test('whatever is given, what is thrown is an error of the plugin', async t => {
  let seed = 42
  const random = (below: number): number => {
    seed = (seed * 1103515245 + 12345) % 2147483648
    return Math.floor(seed / 2147483648 * below)
  }
  const kinds = Object.values(KINDS)
  const keys = [
    ...new Set([...MIRROR_ROWS, ...PLUGIN_ROWS].flatMap(row => row.keys)), '__proto__', 'path_regex', 'x', 'a b', ''
  ].filter(key => typeof key === 'string')
  const junk = (depth: number): unknown => {
    const shape = depth === 0 ? 0 : random(4)
    if (shape === 0) return random(3) === 0 ? 'http://shadow' : kinds[random(kinds.length)]
    if (shape === 1) return Array.from({ length: random(4) }, () => junk(depth - 1))
    return Object.fromEntries(Array.from({ length: random(4) }, () => [keys[random(keys.length)], junk(depth - 1)]))
  }
  let deep: unknown = {}
  for (let depth = 0; depth < 100000; depth++) deep = depth % 2 === 0 ? { compare: deep, defaults: deep } : [deep]
  const inputs = [deep, { compare: deep }, { backends: deep }, { defaults: deep }, ...Array.from({ length: 3000 }, () => junk(4))]
  let refused = 0
  for (const input of inputs) {
    for (const read of [() => readPluginOptions(input), () => readMirror(input), () => readMirror({ backends: [SHADOW] }, input as Options)]) {
      try {
        read()
      } catch (error) {
        refused++
        if (!/^FST_MIRROR_/.test((error as Refusal).code)) t.fail(String((error as Error).stack))
      }
    }
  }
  t.ok(refused > inputs.length)
  t.equal(
    refusal(() => readMirror({ x: circular }, { x: circular })).code, 'FST_MIRROR_UNKNOWN_OPTION', 'what the schema does not know is not merged'
  )
})
