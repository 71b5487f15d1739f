import type { Difference } from '../compare/answers'
import { cut } from '../compare/cut'
import type { Redactor } from '../compare/redact'
import type { NoiseExample } from './spot'

/** Characters of a value. */
const MAX_VALUE = 80
/** Bytes of an example, besides its values. */
const OVERHEAD = 64

/** What differs first at the place of this key, masked: values of JSON come so. */
export function exampleOf (
  { headers, body, places }: Pick<Difference, 'headers' | 'body' | 'places'>, index: number,
  redactor: Pick<Redactor, 'header'>
): NoiseExample {
  const first = places.firsts[index]
  if (places.keys[index].includes(' header:')) {
    const { name, primary, shadow } = headers[first]
    const masked = (values: readonly string[]) => {
      return values.length === 0 ? undefined : values.map(value => redactor.header(name, value)).join(', ')
    }
    return { first: shown(masked(primary)), second: shown(masked(shadow)) }
  }
  const difference = body?.kind === 'json' ? body.differences[first] : undefined
  return { first: shown(difference?.primary), second: shown(difference?.shadow) }
}

function shown (value: string | undefined): string | null {
  return value === undefined ? null : cut(value, MAX_VALUE)
}

/** As text of two bytes a character. */
export function bytesOf ({ first, second }: NoiseExample): number {
  return OVERHEAD + ((first?.length ?? 0) + (second?.length ?? 0)) * 2
}
