import { createHash } from 'node:crypto'
import { MAX_LABEL } from './label'
import type { OptionsRoute } from './route'

/** Ids that no mirror may have: the admin routes have these words beside the ids. */
export const RESERVED: readonly string[] = ['ui', 'verdict']
/**
 * Nor may this be in an id. Clients and proxies resolve it in a path, and what was meant for it would come to another.
 */
export const DOTS = '(?:^|[/\\\\])\\.{1,2}(?:[/\\\\]|$)'

/** Characters of the hash that tells routes of one slug apart. */
const MARK = 8

/**
 * A mirror's id made from its route: `get-users-id` for `GET /users/:id`, `users-id` where it has several methods. It
 * can stand in a path as it is.
 */
export function slugOf (route: OptionsRoute): string {
  const slug = wordsOf(route)
  return slug.length > MAX_LABEL || RESERVED.includes(slug) ? markedSlugOf(route) : slug
}

/**
 * The same for a route that shares its slug with another: ends in a hash of method and URL, the same in every process.
 */
export function markedSlugOf (route: OptionsRoute): string {
  const whole = `${[route.method].flat().sort()} ${route.url}`
  const mark = createHash('sha256').update(whole).digest('hex').slice(0, MARK)
  // Half a character is none.
  const slug = wordsOf(route).slice(0, MAX_LABEL - MARK - 1).replace(/[\ud800-\udbff]$/, '')
  return `${slug}-${mark}`
}

function wordsOf ({ method, url }: OptionsRoute): string {
  const methods = [method].flat()
  const words = (methods.length === 1 ? `${methods[0]} ${url}` : url).toLowerCase().replaceAll('*', ' any ')
  return words.replace(/[^\p{L}\p{M}\p{N}]+/gu, '-').replace(/^-|-$/g, '') || 'root'
}
