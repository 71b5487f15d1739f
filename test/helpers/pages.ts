import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

export const root = join(__dirname, '../..')

/** Every page that users read, from the root. */
export const pages: readonly string[] = [
  'README.md', 'CHANGELOG.md', 'CODE_OF_CONDUCT.md', 'CONTRIBUTING.md', 'SECURITY.md', 'benchmarks/README.md', 'examples/README.md',
  ...readdirSync(join(root, 'docs')).filter(name => name.endsWith('.md')).map(name => `docs/${name}`)
]

export function read (page: string): string {
  return readFileSync(join(root, page), 'utf8')
}

/** What stands below a heading, up to the next of its level or above. */
export function sectionOf (text: string, heading: string): string {
  const level = /^#+/.exec(heading)?.[0].length as number
  const at = `\n${text}`.indexOf(`\n${heading}\n`)
  if (at === -1) throw new Error(`no heading ${heading}`)
  const start = at + heading.length
  const rest = text.slice(start).replace(/```.*?```/gs, block => block.replaceAll('#', ' '))
  const end = rest.search(new RegExp(`^#{1,${level}} `, 'm'))
  return text.slice(start, end === -1 ? undefined : start + end)
}

/** The blocks of code in one language; '': in none. */
export function blocksOf (text: string, language: string): string[] {
  return [...text.matchAll(/^```(\w*)\n(.*?)^```/gms)].filter(([, found]) => found === language).map(([, , block]) => block)
}

/** The fragments that links may lead to, as GitHub makes them. */
export function anchorsOf (text: string): string[] {
  const titles = [...text.replace(/^```.*?^```/gms, '').matchAll(/^#+ (.*)$/gm)]
  return titles.map(([, title]) => title.toLowerCase().replace(/[^\w\- ]/g, '').replaceAll(' ', '-'))
}

/** Where a page's links and pictures lead. */
export function linksOf (text: string): string[] {
  return [...text.replace(/^```.*?^```/gms, '').matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target)
}
