import { hasProperty } from './option-schema'
import type { OptionSchema } from './option-schema'

const SNAKE_CASE = /^[a-z]+(?:_[a-z]+)+$/

/**
 * The schema's spelling of a key: `path_regex`, as the gateway's YAML has it, is `pathRegex`; names of headers
 * are in lower case. A key that the schema does not know stays as it is.
 */
export function respell (key: string, schema: OptionSchema): string {
  if (schema.caseless === true) return key.toLowerCase()
  if (!SNAKE_CASE.test(key)) return key
  const camelCase = key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
  return hasProperty(schema, camelCase) ? camelCase : key
}
