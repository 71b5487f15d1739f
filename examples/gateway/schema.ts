import { Ajv } from 'ajv'
import type { ErrorObject } from 'ajv'
import type { Path } from './yaml-file'

/** JSON Schema; `description` is what a value must be, for people. */
export interface Schema {
  description: string
  properties?: Record<string, Schema>
  [keyword: string]: unknown
}

export interface Fault {
  path: Path
  reason: string
}

const ajv = new Ajv({ allErrors: true, useDefaults: true, verbose: true })
ajv.addFormat('address', value => Number(/^(?:\[[\da-f:.]+\]|[^\s:/[\]]*):(\d{1,5})$/i.exec(value)?.[1]) <= 65535)
ajv.addFormat('host', /^(?:[^\s:/?#@\\[\]<>^|%*,;"]+|\[?[\da-f:.]+\]?)$/i)
ajv.addFormat('origin', value => /^https?:\/\/[^/?#@\\]+\/?$/i.test(value) && URL.canParse(value))
ajv.addFormat('path', /^\/$|^(?:\/[^/:*?#%\s]+)+$/)

export function mapping (required: string[], properties: Record<string, Schema>): Schema {
  return { type: 'object', description: 'a mapping', required, properties, additionalProperties: false }
}

export function list (items: Schema): Schema {
  return { type: 'array', description: 'a list of one or more', minItems: 1, items }
}

export function text (): Schema {
  return { type: 'string', description: 'a text of one character or more', minLength: 1 }
}

export function flag (): Schema {
  return { type: 'boolean', description: 'true or false' }
}

/**
 * What is wrong with a value, which gets the schema's defaults; `null`: nothing. Of several faults a key that nobody
 * knows comes first: where one is misspelled, it is also missing.
 */
export function firstFault (schema: Schema, value: unknown): Fault | null {
  const validate = ajv.compile(schema)
  if (validate(value)) return null
  const errors = validate.errors as ErrorObject[]
  return faultOf(errors.find(({ keyword }) => keyword === 'additionalProperties') ?? errors[0], value)
}

function faultOf ({ instancePath, keyword, params, parentSchema }: ErrorObject, value: unknown): Fault {
  const { description, properties } = parentSchema as Schema
  const path = pathOf(instancePath, value)
  switch (keyword) {
    case 'additionalProperties': {
      const own = [...path, params.additionalProperty as string]
      return { path: own, reason: `${show(own)} is not a key; there are ${Object.keys(properties ?? {}).join(', ')}` }
    }
    case 'required':
      return { path, reason: `${show([...path, params.missingProperty])} is missing` }
    default:
      return { path, reason: `${show(path)} must be ${description}` }
  }
}

/** From a JSON pointer. */
function pathOf (pointer: string, value: unknown): Path {
  return pointer.split('/').slice(1).map(token => {
    const key = token.replaceAll('~1', '/').replaceAll('~0', '~')
    const index = Array.isArray(value)
    value = (value as Record<string, unknown>)[key]
    return index ? Number(key) : key
  })
}

function show (path: Path): string {
  return path.map(key => typeof key === 'number' ? `[${key}]` : `.${key}`).join('').slice(1) || 'the file'
}
