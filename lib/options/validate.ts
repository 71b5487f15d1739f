import { Ajv } from 'ajv'
import type { ErrorObject, ValidateFunction } from 'ajv'
import { isAsyncFunction } from 'node:util/types'
import type {
  BackendPatch, MirrorPatch, MismatchQuery, NoiseDecision, PrometheusRegistry,
  SwitchState
} from '../../types/index'
import type { MirrorBlock, PluginBlock } from './blocks'
import type { ConnectOptions } from './config'
import { givenSchema } from './connect'
import { invalid, unknownKey } from './fail'
import type { Place } from './fail'
import { bareHost } from './host-name'
import { fieldFault } from '../compare/rules/notation'
import { isLabel } from './label'
import {
  backendPatchSchema, mirrorPatchSchema, mirrorSchema, mismatchQuerySchema, noiseDecisionSchema, pluginSchema,
  switchPatchSchema
} from './schema'
import { propertyOf } from './option-schema'
import type { OptionSchema } from './option-schema'

// All errors, so that the message can be of the key that is wrong: a misspelled `backends` is also a missing one.
// They are bounded: the schema limits each array.
const ajv = new Ajv({ useDefaults: true, allErrors: true, verbose: true, allowUnionTypes: true })
ajv.addVocabulary(['allowed', 'accepts', 'caseless'])
ajv.addKeyword({
  keyword: 'callable',
  validate: (kind: 'any' | 'sync', value: unknown) =>
    typeof value === 'function' && (kind === 'any' || !isAsyncFunction(value))
})
ajv.addKeyword({ keyword: 'registry', validate: (_: true, value: unknown) => isRegistry(value) })
ajv.addKeyword({ keyword: 'host', type: 'string', validate: (_: true, value: string) => bareHost(value) !== null })
ajv.addKeyword({ keyword: 'label', type: 'string', validate: (_: true, value: string) => isLabel(value) })
ajv.addKeyword({
  keyword: 'jsonField', type: 'string', validate: (_: true, value: string) => fieldFault(value) === null
})

const isMirrorBlock = ajv.compile<MirrorBlock>(mirrorSchema)
const isPluginBlock = ajv.compile<PluginBlock>(pluginSchema)
const isGiven = ajv.compile<{ connect: ConnectOptions }>(givenSchema)
const isMirrorPatch = ajv.compile<MirrorPatch>(mirrorPatchSchema)
const isBackendPatch = ajv.compile<BackendPatch>(backendPatchSchema)
const isMismatchQuery = ajv.compile<MismatchQuery>(mismatchQuerySchema)
const isNoiseDecision = ajv.compile<NoiseDecision>(noiseDecisionSchema)
const isSwitchPatch = ajv.compile<Partial<SwitchState>>(switchPatchSchema)

/**
 * Fills in the defaults and gives the same object back. @throws FST_MIRROR_UNKNOWN_OPTION, FST_MIRROR_INVALID_OPTION
 */
export function validateMirror (options: Record<string, unknown>, place: Place): MirrorBlock {
  return validate(isMirrorBlock, options, place)
}

/**
 * Fills in the defaults and gives the same object back. @throws FST_MIRROR_UNKNOWN_OPTION, FST_MIRROR_INVALID_OPTION
 */
export function validatePlugin (options: Record<string, unknown>, place: Place): PluginBlock {
  return validate(isPluginBlock, options, place)
}

/** @throws FST_MIRROR_UNKNOWN_OPTION, FST_MIRROR_INVALID_OPTION */
export function validateGiven (given: Record<string, unknown>, place: Place) {
  return validate(isGiven, given, place)
}

/** @throws FST_MIRROR_UNKNOWN_OPTION, FST_MIRROR_INVALID_OPTION */
export function validateMirrorPatch (patch: Record<string, unknown>, place: Place) {
  return validate(isMirrorPatch, patch, place)
}

/** @throws FST_MIRROR_UNKNOWN_OPTION, FST_MIRROR_INVALID_OPTION */
export function validateBackendPatch (patch: Record<string, unknown>, place: Place) {
  return validate(isBackendPatch, patch, place)
}

/**
 * Fills in the defaults and gives the same object back. @throws FST_MIRROR_UNKNOWN_OPTION, FST_MIRROR_INVALID_OPTION
 */
export function validateMismatchQuery (query: Record<string, unknown>, place: Place) {
  return validate(isMismatchQuery, query, place)
}

/** @throws FST_MIRROR_UNKNOWN_OPTION, FST_MIRROR_INVALID_OPTION */
export function validateNoiseDecision (decision: Record<string, unknown>, place: Place) {
  return validate(isNoiseDecision, decision, place)
}

/** @throws FST_MIRROR_INVALID_OPTION, FST_MIRROR_UNKNOWN_OPTION */
export function validateSwitchPatch (patch: Record<string, unknown>, place: Place) {
  return validate(isSwitchPatch, patch, place)
}

function validate<T> (is: ValidateFunction<T>, options: Record<string, unknown>, place: Place): T {
  if (is(options)) return options
  throw explain(is.errors as ErrorObject[], options, place)
}

/** The first error that is about a key nobody knows, else the first that can say what is allowed. */
function explain (errors: ErrorObject[], options: Record<string, unknown>, place: Place): Error {
  const stranger = errors.find(isUnknownKey)
  if (stranger !== undefined) {
    const { allowed, properties } = stranger.parentSchema as OptionSchema
    const keys = keysOf(stranger)
    return unknownKey(place, keys, valueAt(options, keys), properties ? Object.keys(properties) : allowed as string)
  }
  const error = errors.find(({ parentSchema }) => parentSchema?.allowed !== undefined) as ErrorObject
  const keys = keysOf(error)
  const schema = error.parentSchema as OptionSchema
  const { allowed } = error.keyword === 'required' ? propertyOf(schema, error.params.missingProperty) : schema
  const value = error.propertyName ?? valueAt(options, keys)
  return invalid(
    place, keys, error.keyword === 'jsonField' ? fieldFault(value as string) as string : allowed as string, value
  )
}

function isUnknownKey (error: ErrorObject): boolean {
  return error.keyword === 'additionalProperties' || (error.keyword === 'not' && error.propertyName !== undefined)
}

/** The keys that lead to what is wrong. Ajv points to the object when a key of it is. */
function keysOf (error: ErrorObject): string[] {
  const keys = error.instancePath.split('/').slice(1).map(key => key.replace(/~1/g, '/').replace(/~0/g, '~'))
  const own: string | undefined =
    error.propertyName ?? error.params.additionalProperty ?? error.params.missingProperty
  return own === undefined ? keys : [...keys, own]
}

function valueAt (options: unknown, keys: readonly string[]): unknown {
  return keys.reduce((value, key) => (value as Record<string, unknown>)[key], options)
}

/** Tells a registry by its methods: prom-client need not be there, may be there twice, and has forks. */
function isRegistry (value: unknown): boolean {
  const registry = Object(value) as Partial<PrometheusRegistry>
  return [registry.registerMetric, registry.getSingleMetric, registry.removeSingleMetric].every(
    method => typeof method === 'function'
  )
}
