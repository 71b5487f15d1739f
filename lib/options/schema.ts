import { connectOption } from './connect'
import { PLACES } from '../compare/rules/at'
import { FORMAT_NAMES } from '../compare/rules/formats'
import { TOLERANCES } from '../compare/rules/tolerance'
import { MAX_DURATION, readDuration } from '../duration'
import { TOKEN } from '../http'
import { MAX_LABEL } from './label'
import type { OptionSchema } from './option-schema'
import { ORIGIN } from './origin'
import { DOTS, RESERVED } from './slug'

/** setTimeout's longest delay, and so the longest of ours. */
const MAX_INT = 2 ** 31 - 1
/** Name of a header, field or parameter, and no path to one. */
const SINGLE_NAME = '^[^/*.[\\]]+$'
/** Path segments that no client and no router rewrites. */
const STATIC_PATH = "^(?:/(?!\\.{1,2}(?:/|$))[\\w\\-.~!$&'()+,;=@]+)+$"

const flag = (byDefault?: boolean): OptionSchema => ({ type: 'boolean', default: byDefault, allowed: 'true or false' })
const integer = (minimum: number, maximum: number, byDefault?: number): OptionSchema =>
  ({ type: 'integer', minimum, maximum, default: byDefault, allowed: `an integer from ${minimum} to ${maximum}` })
const number = (minimum: number, maximum: number, byDefault?: number): OptionSchema =>
  ({ type: 'number', minimum, maximum, default: byDefault, allowed: `a number from ${minimum} to ${maximum}` })
const list = (items: OptionSchema, maxItems: number, what: string): OptionSchema =>
  ({ type: 'array', items, maxItems, default: [], allowed: `an array of at most ${maxItems} ${what}` })
const object = (properties: Record<string, OptionSchema>, allowed = 'an object'): OptionSchema =>
  ({ type: 'object', properties, additionalProperties: false, default: {}, allowed })

const percentage = number(0, 100, 100)
const headerName: OptionSchema = { type: 'string', pattern: TOKEN.source, maxLength: 200 }
const header: OptionSchema = { ...headerName, allowed: 'the name of a header, such as "x-request-id"' }
const headers = list(header, 1000, 'names of headers')

/** RFC 9110, 9.2.1: whoever sends them asks for nothing but an answer. TRACE has none that could be compared. */
const SAFE = 'GET, HEAD or OPTIONS'
const ANY_CASE_OF_SAFE = '^(?:[Gg][Ee][Tt]|[Hh][Ee][Aa][Dd]|[Oo][Pp][Tt][Ii][Oo][Nn][Ss])$'

/** Keys that no object of options may have: a spread or an assignment elsewhere could take them for the prototype. */
const PROTOTYPE_KEYS = ['__proto__', 'constructor', 'prototype']

const backend: OptionSchema = {
  type: 'object',
  accepts: value => typeof value === 'string' ? { url: value } : value,
  properties: {
    url: { type: 'string', maxLength: 2000, allowed: 'an http: or https: URL of at most 2000 characters' },
    name: { type: 'string', label: true, allowed: `1 to ${MAX_LABEL} characters, without control characters` },
    percentage,
    connect: connectOption,
    weight: { type: 'number', allowed: 'a number (which is ignored)' }
  },
  required: ['url'],
  additionalProperties: false,
  allowed: 'a URL, or an object with a url'
}

const isTrue: OptionSchema = { const: true, allowed: 'true, or left out' }

const rule: OptionSchema = {
  type: 'object',
  properties: {
    at: { type: 'string', maxLength: 1000, allowed: `${PLACES}, of at most 1000 characters` },
    endpoint: {
      type: 'string', minLength: 1, maxLength: 1000, allowed: 'the name of an endpoint, with * for any text'
    },
    ignore: isTrue,
    unordered: {
      anyOf: [{ const: true }, { type: 'string', minLength: 1, maxLength: 256 }],
      allowed: 'true, or the key of the elements by which they belong together'
    },
    tolerance: { anyOf: [{ type: 'number' }, { type: 'string', maxLength: 40 }], allowed: TOLERANCES },
    format: {
      anyOf: [
        { enum: FORMAT_NAMES },
        {
          type: 'object',
          properties: { pattern: { type: 'string', maxLength: 1000 } },
          required: ['pattern'],
          additionalProperties: false
        }
      ],
      allowed: `${FORMAT_NAMES.map(name => `"${name}"`).join(', ')}, ` +
        'or an object with an RE2 regular expression of at most 1000 characters as its pattern'
    },
    type: isTrue,
    presence: isTrue,
    optional: isTrue,
    additions: isTrue,
    only: isTrue
  },
  required: ['at'],
  additionalProperties: false,
  allowed: 'a rule: an object with at and one kind'
}

export const rules = list(rule, 500, 'rules')

const compare = object({
  enabled: flag(false),
  logMismatches: flag(false),
  detailedDiff: flag(false),
  maxBodyCapture: integer(0, MAX_INT, 1048576),
  ignoreHeaders: headers,
  ignoreJsonFields: list(
    {
      type: 'string',
      jsonField: true,
      maxLength: 1000,
      allowed: 'a JSON pointer such as "/items/*/updatedAt", or a dotted path such as "user.lastSeen"'
    },
    1000, 'JSON pointers or dotted paths'
  ),
  rules,
  origins: {
    type: 'object',
    maxProperties: 100,
    additionalProperties: { type: 'string', maxLength: 300, allowed: ORIGIN },
    default: {},
    allowed: 'an object of at most 100 origins of the primary\'s links, each with that of the shadow\'s'
  },
  redact: list(
    {
      type: 'string',
      pattern: SINGLE_NAME,
      maxLength: 256,
      allowed: 'a single name such as "ssn", of 1 to 256 characters, without any of / * . [ ]: ' +
        'it hides user.ssn and user[ssn], too'
    },
    1000, 'names'
  )
})

/** Another instance of the primary's version. */
const source: OptionSchema = {
  type: 'object',
  properties: {
    url: backend.properties?.url as OptionSchema,
    name: backend.properties?.name as OptionSchema,
    // Ajv fills in nothing below an anyOf.
    connect: { anyOf: connectOption.anyOf }
  },
  required: ['url'],
  additionalProperties: false,
  allowed: '"shadow", or an object with the url of another instance of the primary\'s version'
}

const noise: OptionSchema = {
  type: ['object', 'boolean'],
  properties: {
    from: { anyOf: [{ const: 'shadow' }, source], allowed: source.allowed },
    percentage: number(0, 100, 5),
    methods: {
      ...list({ type: 'string', pattern: ANY_CASE_OF_SAFE, allowed: SAFE }, 3, `of ${SAFE}`),
      default: ['GET', 'HEAD']
    },
    accept: { enum: ['manual', 'auto'], default: 'manual', allowed: '"manual" or "auto"' }
  },
  required: ['from'],
  additionalProperties: false,
  not: { const: true },
  allowed: 'false, or an object with from'
}

/** A route's `mirror`. */
export const mirrorSchema: OptionSchema = {
  type: 'object',
  properties: {
    id: {
      type: 'string',
      label: true,
      not: { anyOf: [{ enum: RESERVED }, { pattern: DOTS }] },
      allowed: `1 to ${MAX_LABEL} characters, without control characters, other than "ui" and "verdict", ` +
        'and without "." or ".." between slashes'
    },
    enabled: flag(true),
    percentage,
    sampleBy: {
      anyOf: [headerName, { callable: 'sync' }],
      allowed: 'the name of a header, or a synchronous function of the request'
    },
    backends: {
      type: 'array',
      items: backend,
      minItems: 1,
      maxItems: 100,
      allowed: 'an array of 1 to 100 backends, each a URL or an object with a url'
    },
    conditions: object({
      methods: list(
        { type: 'string', pattern: TOKEN.source, maxLength: 100, allowed: 'an HTTP method' }, 100, 'HTTP methods'
      ),
      headers: {
        type: 'object',
        caseless: true,
        propertyNames: header,
        maxProperties: 100,
        additionalProperties: {
          type: ['string', 'boolean'], not: { const: false }, allowed: 'text to be equal to, or true for present'
        },
        default: {},
        allowed: 'an object of at most 100 names of headers, each with text or true'
      },
      pathRegex: { type: 'string', maxLength: 1000, allowed: 'an RE2 regular expression of at most 1000 characters' }
    }),
    timeout: integer(1, MAX_INT, 5000),
    bodyTimeout: integer(1, MAX_INT, 5000),
    maxInFlight: integer(1, 65535, 256),
    maxBacklogBytes: integer(1, MAX_INT, 1048576),
    breaker: {
      ...object({
        failures: integer(1, MAX_INT, 50),
        cooldown: integer(1, MAX_INT, 5000)
      }, 'false, or an object with failures and cooldown'),
      type: ['object', 'boolean'],
      not: { const: true }
    },
    preserveHost: flag(false),
    removeHeaders: headers,
    rewriteRequestHeaders: { callable: 'sync', allowed: 'a synchronous function of the request and its headers' },
    compare,
    endpoint: {
      anyOf: [{ enum: ['auto', 'graphql'] }, { callable: 'sync' }],
      default: 'auto',
      allowed: '"auto", "graphql", or a synchronous function of the request'
    },
    maxEndpoints: integer(1, 1000, 200),
    maxPlaces: integer(0, 5000, 2000),
    noise,
    verdict: object({
      maxMismatchRate: number(0, 1, 0.001),
      maxFailureRate: number(0, 1, 0.01),
      maxEndpointMismatchRate: number(0, 1, 0.01),
      minEndpointShare: number(0, 1, 0.001),
      maxSlowdown: { type: 'number', minimum: 0, allowed: 'a number of milliseconds, 0 or more' },
      minCoverage: number(0, 1, 0.9),
      minDuration: {
        type: 'integer',
        minimum: 0,
        maximum: MAX_DURATION,
        default: 0,
        accepts: readDuration,
        allowed: 'milliseconds, or text such as "30m" or "1h", at most 366 days'
      },
      confidence: number(0.5, 0.999999, 0.95)
    })
  },
  required: ['backends'],
  additionalProperties: false,
  allowed: 'an object, or false for no mirror'
}

/** The plugin's own options. */
export const pluginSchema: OptionSchema = {
  type: 'object',
  properties: {
    defaults: { type: 'object', default: {}, allowed: 'an object of mirror options' },
    admin: {
      ...object({
        prefix: {
          type: 'string',
          pattern: STATIC_PATH,
          maxLength: 200,
          default: '/mirrors',
          allowed: 'a path such as "/mirrors", without a slash at its end, parameters or wildcards'
        },
        onRequest: {
          type: 'array',
          accepts: value => typeof value === 'function' ? [value] : value,
          items: { callable: 'any', allowed: 'a function' },
          minItems: 1,
          maxItems: 100,
          allowed: 'a function or an array of functions, at least one'
        },
        hosts: {
          type: 'array',
          items: {
            type: 'string',
            host: true,
            allowed: 'a host name or an address, without a port, such as "ops.example.com" or "::1"'
          },
          minItems: 1,
          maxItems: 1000,
          allowed: 'an array of 1 to 1000 host names or addresses'
        },
        routeOptions: {
          type: 'object',
          propertyNames: {
            not: { enum: ['method', 'url', 'path', 'handler', 'onRequest', 'mirror', ...PROTOTYPE_KEYS] },
            allowed: 'route options other than method, url, path, handler, onRequest and mirror'
          },
          default: {},
          allowed: 'an object of route options'
        }
      }, 'false, or an object'),
      type: ['object', 'boolean'],
      not: { const: true }
    },
    thread: flag(false),
    maxBufferedBytes: integer(0, Number.MAX_SAFE_INTEGER, 67108864),
    closeTimeout: integer(0, MAX_INT, 1000),
    onMismatch: { callable: 'any', allowed: 'a function' },
    prometheus: {
      type: 'object',
      properties: { register: { registry: true, allowed: 'a Registry of prom-client' }, endpoints: flag(false) },
      required: ['register'],
      additionalProperties: false,
      allowed: 'an object with a Registry of prom-client as its register'
    },
    strict: flag(false),
    keepTicksQuick: flag(true)
  },
  additionalProperties: false,
  allowed: 'an object'
}

/** Which of a mirror's places are asked for. */
export const mismatchQuerySchema: OptionSchema = {
  type: 'object',
  properties: {
    sort: {
      enum: ['rarest', 'frequent', 'newest', 'status'],
      default: 'rarest',
      allowed: '"rarest", "frequent", "newest" or "status"'
    },
    endpoint: { type: 'string', allowed: 'the name of an endpoint' },
    limit: integer(1, 5000, 100)
  },
  additionalProperties: false,
  allowed: 'an object with sort, endpoint or limit'
}

/** Settings of a mirror or a backend that can be changed while the app runs. Nothing is filled in. */
const settings = { enabled: flag(), percentage: number(0, 100) }

/** A change of a mirror. Its backends are known to the mirror alone, which checks them one by one. */
export const mirrorPatchSchema: OptionSchema = {
  type: 'object',
  properties: {
    ...settings,
    reconnect: { const: true, allowed: 'true, or left out' },
    rules: { ...rules, default: undefined },
    by: { type: 'string', label: true, allowed: `1 to ${MAX_LABEL} characters, without control characters` },
    backends: { type: 'object', maxProperties: 100, allowed: 'an object of at most 100 backends by name' }
  },
  additionalProperties: false,
  allowed: 'an object with enabled, percentage, rules, reconnect or backends'
}

/** A change of a backend. */
export const backendPatchSchema: OptionSchema = {
  type: 'object',
  properties: settings,
  additionalProperties: false,
  allowed: 'an object with enabled or percentage'
}

/** What is decided of proposals of noise. */
const ids = list({ type: 'string', maxLength: 100, allowed: 'the id of a proposal' }, 5000, 'ids of proposals')
export const noiseDecisionSchema: OptionSchema = {
  type: 'object',
  properties: { accept: ids, dismiss: ids },
  additionalProperties: false,
  allowed: 'an object with accept or dismiss'
}

/** A change of all mirrors at once. */
export const switchPatchSchema: OptionSchema = {
  type: 'object',
  properties: { enabled: flag() },
  additionalProperties: false,
  allowed: 'an object with enabled'
}
