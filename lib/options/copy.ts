import { conflicting, invalid } from './fail'
import type { Place } from './fail'
import { isContainer, propertyOf, shapeOf } from './option-schema'
import type { OptionSchema } from './option-schema'
import { respell } from './spelling'

/**
 * A private copy of the user's options, in the one spelling that the schema has. The user's object may be shared
 * between routes, hold getters, or come from JSON.parse: it is read once and never written to. The copy's objects
 * have no prototype, so that `__proto__` is a key like any other. Only what the schema describes is gone
 * into, which bounds the depth; what lies below (keys, buffers, functions) is kept by reference.
 */
export function copyOptions (raw: unknown, schema: OptionSchema, place: Place): Record<string, unknown> {
  const copied = copy(raw, schema, place, [])
  if (typeof copied !== 'object') throw invalid(place, [], schema.allowed as string, raw)
  return copied as Record<string, unknown>
}

function copy (raw: unknown, given: OptionSchema, place: Place, keys: readonly string[]): unknown {
  const schema = shapeOf(given)
  const value = schema.accepts === undefined ? raw : schema.accepts(raw)
  if (typeof value !== 'object' || !isContainer(schema)) return value
  const entries = value === null ? null : read(value, schema)
  if (entries === null) throw invalid(place, keys, schema.allowed as string, value)
  if (schema.items === undefined) return copyObject(entries, schema, place, keys)
  const items = schema.items
  return entries.map(([key, item]) => copy(item, items, place, [...keys, key]))
}

function copyObject (
  entries: ReadonlyArray<[string, unknown]>, schema: OptionSchema, place: Place, keys: readonly string[]
): Record<string, unknown> {
  const result: Record<string, unknown> = Object.create(null)
  const spellings = new Map<string, string>()
  for (const [given, value] of entries) {
    const key = respell(given, schema)
    const other = spellings.get(key)
    if (other !== undefined) {
      // `undefined` is not given, in whatever spelling.
      if (value === undefined) continue
      if (result[key] !== undefined) throw conflicting(place, keys, other, given)
    }
    spellings.set(key, given)
    result[key] = copy(value, propertyOf(schema, key), place, [...keys, given])
  }
  return result
}

/** The content of an array or a plain object. `null`: it is not what the schema wants, or cannot be read. */
function read (value: object, schema: OptionSchema): Array<[string, unknown]> | null {
  try {
    if (schema.items === undefined) return isPlain(value) ? Object.entries(value) : null
    if (!Array.isArray(value) || value.length > (schema.maxItems as number)) return null
    return Array.from({ length: value.length }, (_, index) => [String(index), value[index]])
  } catch {
    return null
  }
}

/** `=== Object.prototype` would not do: an object of another realm (`node:vm`, test runners) is as plain. */
function isPlain (value: object): boolean {
  const proto = Object.getPrototypeOf(value)
  return proto === null || Object.getPrototypeOf(proto) === null
}
