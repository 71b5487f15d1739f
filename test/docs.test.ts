import t from 'tap'
import httpProxy from '@fastify/http-proxy'
import Fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import fastifyMirror from '../lib'
import { connectSchema } from '../lib/options/connect'
import { mirrorSchema, pluginSchema } from '../lib/options/schema'
import type { OptionSchema } from '../lib/options/option-schema'
import { startBackend } from './helpers/backend'
import { until } from './helpers/until'

const root = join(__dirname, '..')
const readme = read('README.md')
const contributing = read('CONTRIBUTING.md')

function read (name: string): string {
  return readFileSync(join(root, name), 'utf8')
}

/** What stands below a heading, up to the next of its level or above. */
function sectionOf (text: string, heading: string): string {
  const level = /^#+/.exec(heading)?.[0].length as number
  const start = text.indexOf(`\n${heading}\n`) + heading.length + 2
  const rest = text.slice(start).replace(/```.*?```/gs, block => block.replaceAll('#', ' '))
  const end = rest.search(new RegExp(`^#{1,${level}} `, 'm'))
  return text.slice(start, end === -1 ? undefined : start + end)
}

function blocksOf (text: string, language: string): string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms'))].map(([, block]) => block)
}

/** Every key that has a value of its own, with its default as JavaScript writes it; `undefined`: none. */
function leaves (schema: OptionSchema, prefix = ''): Record<string, string | undefined> {
  const found: Record<string, string | undefined> = {}
  for (const [key, child] of Object.entries(schema.properties ?? {})) {
    const path = prefix + key
    // One row tells of all that `connect` has.
    if (key === 'connect') found[path] = '{}'
    else if (child.items?.properties !== undefined) Object.assign(found, leaves(child.items, `${path}[].`))
    else if (child.properties !== undefined && child.additionalProperties === false) Object.assign(found, leaves(child, `${path}.`))
    else found[path] = 'default' in child && child.default !== undefined ? JSON.stringify(child.default).replaceAll('"', "'") : undefined
  }
  return found
}

for (const [heading, schema] of [['### Route option `mirror`', mirrorSchema], ['### Plugin options', pluginSchema]] as const) {
  t.test(`README, ${heading}: has every option with its default, and no other`, async t => {
    const rows = [...sectionOf(readme, heading).matchAll(/^\| `([\w.[\]]+)` \| (.*?) \| ?(.*) \|$/gm)]
    const expected = leaves(schema)
    t.strictSame(rows.map(([, key]) => key).sort(), Object.keys(expected).sort())
    for (const [, key, shown] of rows) {
      const byDefault = expected[key]
      if (byDefault === undefined) t.match(shown, /^(none|required|`get-users-id`.*|the URL's host.*)$/, key)
      else t.match(shown, new RegExp(`^\`${byDefault.replace(/[[\]{}]/g, '\\$&')}\``), key)
    }
  })
}

t.test('README: tells of every option of connect', async t => {
  const row = /^\| `backends\[\]\.connect` .*$/m.exec(readme)?.[0] as string
  const { properties } = connectSchema
  for (const key of Object.keys(properties as object)) t.ok(row.includes(`\`${key}\``), key)
})

t.test('README: the first example works as it stands', async t => {
  const production = await startBackend(t)
  const shadow = await startBackend(t)
  const code = blocksOf(readme, 'js')[0]
    .replace(/^import (\w+) from '(.+)'$/gm, "const $1 = modules['$2']")
    .replace('http://production:9000', production.url)
    .replace('http://shadow:9000', shadow.url)
    .replace('percentage: 50', 'percentage: 100')
    .replace('logger: true', "logger: { level: 'silent' }")
    .replace('port: 8080', 'port: 0')
  const AsyncFunction = (async () => {}).constructor as FunctionConstructor
  const app: FastifyInstance = await AsyncFunction('modules', `${code}\nreturn app`)({
    fastify: Fastify, '@fastify/http-proxy': httpProxy, 'fastify-mirror': fastifyMirror
  })
  t.teardown(() => app.close())
  for (const [method, url] of [['GET', '/api/v2/a?b'], ['POST', '/api/v2/a'], ['GET', '/api/v1/a']] as const) {
    t.equal((await app.inject({ method, url })).body, 'ok')
  }
  await until('the copy is compared', () => app.mirrors.get('api')?.backends[0].matched === 1)
  t.strictSame(production.requests.map(({ method, url }) => [method, url]), [['GET', '/v2/a?b'], ['POST', '/v2/a'], ['GET', '/v1/a']])
  t.strictSame(shadow.requests.map(({ method, url }) => [method, url]), [['GET', '/v2/a?b']])

  const pasted = JSON.parse(blocksOf(sectionOf(readme, '## Metrics'), 'json')[0])
  t.strictSame(shape(pasted), shape((await app.inject('/mirrors/api')).json()), 'the snapshot has the real names')
})

/** A document with all values but objects and arrays made alike. */
function shape (value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shape)
  if (typeof value !== 'object' || value === null) return 0
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, shape(child)]))
}

t.test('README: all its examples are JavaScript, and its links lead somewhere', async t => {
  const AsyncFunction = (async () => {}).constructor as FunctionConstructor
  for (const block of blocksOf(readme, 'js')) {
    t.doesNotThrow(() => AsyncFunction(block.replace(/^import .*$/gm, '')), block.split('\n')[0])
  }
  const anchors = [...readme.matchAll(/^#+ (.*)$/gm)].map(([, title]) => title.toLowerCase().replace(/[^\w\- ]/g, '').replaceAll(' ', '-'))
  for (const [, target] of readme.matchAll(/\]\(([^)]+)\)/g)) {
    if (target.startsWith('#')) t.ok(anchors.includes(target.slice(1)), target)
    else if (!target.startsWith('https://')) t.ok(existsSync(join(root, target)), target)
  }
})

t.test('CONTRIBUTING: says where everything lives', async t => {
  const places = [...sectionOf(contributing, '## Where everything lives').matchAll(/^\| (`.*?) \|/gm)]
    .flatMap(([, cell]) => cell.split(', ').map(place => place.slice(1, -1)))
  for (const place of places) t.ok(existsSync(join(root, place)), place)
  const lib = readdirSync(join(root, 'lib'), { withFileTypes: true })
  for (const entry of lib) t.ok(places.includes(`lib/${entry.name}${entry.isDirectory() ? '/' : ''}`), entry.name)
})
