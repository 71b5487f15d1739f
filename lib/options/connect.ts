import type { OptionSchema } from './option-schema'

const MAX_INT = 2 ** 31 - 1

const flag: OptionSchema = { type: 'boolean', allowed: 'true or false' }
const integer = (minimum: number): OptionSchema =>
  ({ type: 'integer', minimum, maximum: MAX_INT, allowed: `an integer from ${minimum} to ${MAX_INT}` })
const text = (allowed: string): OptionSchema => ({ type: 'string', minLength: 1, maxLength: 1000, allowed })
/** A value that node:tls checks. */
const any: OptionSchema = {}

/** Options that say how a host is found and reached: of no use where a path is given instead. */
const NETWORK: Readonly<Record<string, OptionSchema>> = {
  family: { enum: [0, 4, 6], allowed: '0, 4 or 6' },
  hints: integer(0),
  lookup: { callable: 'any', allowed: 'a function like dns.lookup' },
  localAddress: text('an address of this machine'),
  autoSelectFamily: flag,
  autoSelectFamilyAttemptTimeout: integer(1)
}

const TLS: Readonly<Record<string, OptionSchema>> = {
  servername: { type: 'string', allowed: 'a host name' },
  rejectUnauthorized: flag,
  checkServerIdentity: { callable: 'sync', allowed: 'a synchronous function like tls.checkServerIdentity' },
  maxCachedSessions: integer(0),
  ca: any,
  cert: any,
  key: any,
  passphrase: any,
  pfx: any,
  crl: any,
  ciphers: any,
  ecdhCurve: any,
  sigalgs: any,
  minVersion: any,
  maxVersion: any,
  secureProtocol: any,
  secureOptions: any,
  secureContext: any,
  allowPartialTrustChain: any,
  session: any,
  minDHSize: any,
  pskCallback: any,
  privateKeyEngine: any,
  privateKeyIdentifier: any,
  clientCertEngine: any,
  enableTrace: flag
}

/**
 * `backends[].connect`: of undici's connector, `net.connect` and `tls.connect` what has an effect on a connection to a
 * shadow. Host, port, ALPN and Nagle's algorithm are undici's and ours to say.
 */
export const connectSchema: OptionSchema = {
  type: 'object',
  properties: {
    socketPath: text('the path of a socket'),
    timeout: integer(0),
    keepAlive: flag,
    keepAliveInitialDelay: integer(0),
    ...NETWORK,
    ...TLS
  },
  additionalProperties: false,
  allowed: "an object of options for undici's connect, or a synchronous function that returns one"
}

/** The option: the object, or a function that gives it, now and whenever it is read again. */
export const connectOption: OptionSchema = { anyOf: [{ callable: 'sync' }, connectSchema], default: {} }

/** The object that such a function returned. */
export const givenSchema: OptionSchema = {
  type: 'object',
  properties: { connect: connectSchema },
  required: ['connect'],
  additionalProperties: false,
  allowed: connectSchema.allowed
}

/** A key that can have no effect beside the others, and why; `null`: there is none. */
export function idleConnectKey (
  protocol: string, connect: Readonly<Record<string, unknown>>
): { key: string, because: string } | null {
  for (const [key, value] of Object.entries(connect)) {
    if (value === undefined) continue
    if (protocol === 'http:' && key in TLS) return { key, because: 'the URL is http:, without TLS' }
    if (connect.socketPath !== undefined && key in NETWORK) return { key, because: 'socketPath is given' }
    if (connect.keepAlive === false && key === 'keepAliveInitialDelay') return { key, because: 'keepAlive is false' }
  }
  return null
}
