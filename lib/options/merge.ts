import { isContainer, propertyOf } from './option-schema'
import type { OptionSchema } from './option-schema'

type Options = Readonly<Record<string, unknown>>

/**
 * `over` on top of `base`, deeply where the schema has objects; arrays and all else replace. Both are copies that
 * `copyOptions` made. `undefined` is not given, and replaces nothing.
 */
export function mergeOptions (base: Options, over: Options, schema: OptionSchema): Record<string, unknown> {
  const result: Record<string, unknown> = Object.assign(Object.create(null), base)
  for (const [key, value] of Object.entries(over)) {
    const below = result[key]
    const child = propertyOf(schema, key)
    if (isContainer(child) && isObject(below) && isObject(value)) result[key] = mergeOptions(below, value, child)
    else if (value !== undefined || below === undefined) result[key] = value
  }
  return result
}

function isObject (value: unknown): value is Options {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
