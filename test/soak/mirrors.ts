import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BackendOptions, MirrorOptions } from '../../types/index'
import type { ShadowUrls } from './shadows'

export type Mode = 'inline' | 'thread' | 'no mirror'

/** Whoever reads or switches the mirrors has this header. */
export const GUARD = 'x-operator'
/** Ways through the gateway to the primary; each has the mirror of its name. */
export const PROXIED = ['/api', '/uploads', '/sampled'] as const

const MiB = 1024 * 1024

/** Each meets the shadows in another way. */
export function mirrorsOf ({ steady, moody, secure, flapping }: ShadowUrls): Record<string, MirrorOptions> {
  const backends: Record<string, BackendOptions> = {
    steady: { url: steady, name: 'steady' },
    moody: { url: moody, name: 'moody' },
    secure: { url: secure, name: 'secure', connect: { ca: readFileSync(join(__dirname, '../fixtures/ca.crt'), 'utf8') } },
    flapping: { url: flapping, name: 'flapping' }
  }
  const compare = { enabled: true, detailedDiff: true, ignoreJsonFields: ['/items/*/price'], redact: ['x-version'] }
  return {
    api: {
      id: 'api', backends: [backends.steady, backends.moody], compare: { ...compare, logMismatches: true }, timeout: 2000, breaker: false
    },
    uploads: {
      id: 'uploads',
      backends: [backends.steady, backends.moody, backends.secure],
      compare: { ...compare, maxBodyCapture: 64 * 1024 },
      timeout: 1500,
      maxInFlight: 16,
      maxBacklogBytes: MiB / 2,
      breaker: { failures: 5, cooldown: 300 }
    },
    sampled: {
      id: 'sampled',
      backends: [backends.steady, { ...backends.flapping, percentage: 70 }],
      compare: { enabled: true },
      percentage: 60,
      sampleBy: 'x-user-id',
      conditions: { methods: ['GET', 'POST', 'PUT'], pathRegex: '[0-9]' },
      removeHeaders: ['cookie'],
      rewriteRequestHeaders: (_, headers) => ({ ...headers, 'x-rewritten': 'yes' }),
      timeout: 1000
    },
    plain: {
      id: 'plain',
      backends: [backends.steady, backends.secure, backends.flapping],
      compare,
      maxPlaces: 20,
      timeout: 2000,
      maxBacklogBytes: 4 * MiB
    }
  }
}
