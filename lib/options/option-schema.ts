/**
 * The part of JSON Schema that the options need, and what only this plugin reads. Every schema that a value can
 * fail has `allowed`: the message says it.
 */
export interface OptionSchema {
  readonly type?: string | readonly string[]
  readonly properties?: Readonly<Record<string, OptionSchema>>
  readonly items?: OptionSchema
  readonly anyOf?: readonly OptionSchema[]
  /** Allowed values, as the end of the sentence `timeout must be ...`. */
  readonly allowed?: string
  /** Turns a shorthand into what the schema describes; gives anything else back. */
  readonly accepts?: (value: unknown) => unknown
  /** The object's keys are names of headers. */
  readonly caseless?: boolean
  /** A function; `sync`: one that is not declared `async`. */
  readonly callable?: 'any' | 'sync'
  /** A registry of Prometheus metrics. */
  readonly registry?: boolean
  /** Text that can be an id or a name. */
  readonly label?: boolean
  /** A place in JSON documents, in a notation of ours. */
  readonly jsonField?: boolean
  /** Text that can be a host, without a port. */
  readonly host?: boolean
  readonly [keyword: string]: unknown
}

const NOTHING: Readonly<Record<string, OptionSchema>> = {}
const ANYTHING: OptionSchema = {}

export function hasProperty ({ properties = NOTHING }: OptionSchema, key: string): boolean {
  return Object.hasOwn(properties, key)
}

/** The schema of a key's value; one that allows anything when the key has none. */
export function propertyOf ({ properties = NOTHING }: OptionSchema, key: string): OptionSchema {
  return Object.hasOwn(properties, key) ? properties[key] : ANYTHING
}

/** The object or array among the schemas that a schema allows. */
export function shapeOf (schema: OptionSchema): OptionSchema {
  return schema.anyOf?.find(isContainer) ?? schema
}

/** Whether it describes an object or an array, and not only plain values. */
export function isContainer (schema: OptionSchema): boolean {
  return schema.type !== undefined && [schema.type].flat().some(type => type === 'object' || type === 'array')
}
