import { RE2JS } from 're2js'
import { readBackend, readBackends } from './backends'
import type { MirrorBlock, NoiseBlock } from './blocks'
import type { ConditionsConfig, MirrorConfig, NoiseConfig, NoiseSource } from './config'
import { copyOptions } from './copy'
import { idleKey } from './effect'
import { invalid } from './fail'
import type { Place } from './fail'
import { mergeOptions } from './merge'
import type { OptionsRoute } from './route'
import { checkRules, readOrigins } from './rules'
import { mirrorSchema } from './schema'
import { showRoute } from './show'
import { slugOf } from './slug'
import { validateMirror } from './validate'

/**
 * A route's `mirror` over the plugin's `defaults`. Neither object is written to or kept.
 * @throws FST_MIRROR_INVALID_OPTION, FST_MIRROR_UNKNOWN_OPTION, FST_MIRROR_CONFLICTING_OPTIONS
 */
export function readMirrorOptions (raw: unknown, defaults: Record<string, unknown>, route: OptionsRoute): MirrorConfig {
  const place = { owner: showRoute(route), root: 'mirror' }
  const base = copyOptions(defaults, mirrorSchema, { owner: place.owner, root: 'defaults' })
  const own = copyOptions(raw, mirrorSchema, place)
  const merged = mergeOptions(base, own, mirrorSchema)
  const idle = idleKey(own, merged)
  const { maxEndpointMismatchRate } = Object(merged.verdict) as Record<string, unknown>
  const block = validateMirror(merged, place)
  // A larger limit for the mirror holds for each endpoint, too.
  if (maxEndpointMismatchRate === undefined) {
    const { verdict } = block
    verdict.maxEndpointMismatchRate = Math.max(verdict.maxEndpointMismatchRate, verdict.maxMismatchRate)
  }
  if (idle !== null) {
    const { keys, needs } = idle
    const value = keys.reduce<unknown>((options, key) => (options as Record<string, unknown>)[key], own)
    throw invalid(place, keys, `left out, or compare.${needs} given: without it it can have no effect`, value)
  }
  return toConfig(block, slugOf(route), place)
}

/**
 * Checks `defaults` as far as they go: no backends are needed. @returns a copy, in one spelling, no default filled in
 */
export function readDefaults (raw: Record<string, unknown>, place: Place): Record<string, unknown> {
  const somewhere = { backends: [{ url: 'http://localhost' }] }
  toConfig(
    validateMirror(mergeOptions(somewhere, copyOptions(raw, mirrorSchema, place), mirrorSchema), place), '', place
  )
  return copyOptions(raw, mirrorSchema, place)
}

function toConfig (block: MirrorBlock, id: string, place: Place): MirrorConfig {
  const { compare } = block
  checkRules(compare.rules, ['compare', 'rules'], place)
  return {
    id: block.id ?? id,
    named: block.id !== undefined,
    enabled: block.enabled,
    percentage: block.percentage,
    sampleBy: typeof block.sampleBy === 'string' ? block.sampleBy.toLowerCase() : block.sampleBy ?? null,
    backends: readBackends(block.backends, place),
    conditions: readConditions(block.conditions, place),
    timeout: block.timeout,
    bodyTimeout: block.bodyTimeout,
    maxInFlight: block.maxInFlight,
    maxBacklogBytes: block.maxBacklogBytes,
    breaker: block.breaker === false ? null : { ...block.breaker },
    preserveHost: block.preserveHost,
    removeHeaders: block.removeHeaders.map(lowerCase),
    rewriteRequestHeaders: block.rewriteRequestHeaders ?? null,
    compare: {
      ...compare,
      ignoreHeaders: compare.ignoreHeaders.map(lowerCase),
      redact: compare.redact.map(lowerCase),
      origins: readOrigins(compare.origins, ['compare', 'origins'], place)
    },
    endpoint: block.endpoint,
    maxEndpoints: block.maxEndpoints,
    maxPlaces: block.maxPlaces,
    noise: readNoise(block, place),
    verdict: { ...block.verdict, maxSlowdown: block.verdict.maxSlowdown ?? null }
  }
}

/** `null`: none, or nothing is compared in detail. */
function readNoise ({ noise = false, compare }: MirrorBlock, place: Place): NoiseConfig | null {
  if (noise === false) return null
  const { from, percentage, methods, accept } = noise
  const auto = accept === 'auto'
  if (auto && from === 'shadow') {
    const allowed = '"manual", or from the url of another instance of the primary\'s version: ' +
      'a shadow that differs from itself may be at fault'
    throw invalid(place, ['noise', 'accept'], allowed, accept)
  }
  const source = from === 'shadow' ? from : readSource(from, place)
  if (!compare.enabled || !compare.detailedDiff) return null
  return { from: source, percentage, methods: new Set(methods.map(upperCase)), auto }
}

function readSource (block: Exclude<NoiseBlock['from'], 'shadow'>, place: Place): NoiseSource {
  const source = readBackend({ url: block.url, connect: block.connect ?? {} }, ['noise', 'from'], place)
  return { ...source, name: block.name ?? source.host }
}

function readConditions (block: MirrorBlock['conditions'], place: Place): ConditionsConfig {
  return {
    methods: block.methods.length === 0 ? null : new Set(block.methods.map(upperCase)),
    headers: Object.entries(block.headers)
      .map(([name, expected]) => [name, expected === true || expected.toLowerCase()]),
    pathRegex: block.pathRegex ? compileRegex(block.pathRegex, place) : null
  }
}

function compileRegex (pattern: string, place: Place): RE2JS {
  try {
    return RE2JS.compile(pattern)
  } catch (error) {
    const allowed = `an RE2 regular expression (${(error as Error).message.slice(0, 120)})`
    throw invalid(place, ['conditions', 'pathRegex'], allowed, pattern)
  }
}

function upperCase (method: string): string {
  return method.toUpperCase()
}

function lowerCase (name: string): string {
  return name.toLowerCase()
}
