import t from 'tap'
import type { Test } from 'tap'
import type { FastifyError } from 'fastify'
import { existsSync, readdirSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import * as errors from '../lib/errors'
import { connectSchema } from '../lib/options/connect'
import { mirrorSchema, pluginSchema } from '../lib/options/schema'
import type { OptionSchema } from '../lib/options/option-schema'
import { endpointFamily, families } from '../lib/metrics/families'
import { foldPath } from '../lib/endpoints/path'
import { DROPPED, FAILED, NOT_COMPARED } from '../lib/reasons'
import type { Reason } from '../lib/reasons'
import { isSecretName } from '../lib/secrets'
import { anchorsOf, blocksOf, linksOf, pages, read, root, sectionOf } from './helpers/pages'

const readme = read('README.md')
const options = read('docs/options.md')

t.test('README is short, and leads to every page of docs, as the index does', async t => {
  t.ok(Buffer.byteLength(readme) <= 8192, `${Buffer.byteLength(readme)} bytes`)
  const topics = readdirSync(join(root, 'docs')).filter(name => name.endsWith('.md') && name !== 'README.md')
  const index = linksOf(read('docs/README.md'))
  for (const topic of topics) {
    t.ok(linksOf(readme).some(link => link.startsWith(`docs/${topic}`)), `README: ${topic}`)
    t.ok(index.includes(topic), `docs/README: ${topic}`)
  }
})

for (const page of pages) {
  t.test(`${page}: begins with its title, and its links lead somewhere`, async t => {
    const text = read(page)
    t.match(text, /^# \S.*\n\n/)
    for (const target of linksOf(text)) {
      if (target.startsWith('https://')) continue
      const [path, fragment] = target.split('#')
      const file = path === '' ? page : normalize(join(dirname(page), path))
      t.ok(existsSync(join(root, file)), target)
      if (fragment !== undefined) t.ok(anchorsOf(read(file)).includes(fragment), target)
    }
  })
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

for (const [heading, schema] of [['## Route option `mirror`', mirrorSchema], ['## Plugin options', pluginSchema]] as const) {
  t.test(`docs/options, ${heading}: has every option with its default, and no other`, async t => {
    const rows = [...sectionOf(options, heading).matchAll(/^\| `([\w.[\]]+)` \| (.*?) \| ?(.*) \|$/gm)]
    const expected = leaves(schema)
    t.strictSame(rows.map(([, key]) => key).sort(), Object.keys(expected).sort())
    for (const [, key, shown] of rows) {
      const byDefault = expected[key]
      if (byDefault === undefined) t.match(shown, /^(none|required|`get-users-id`.*|the URL's host)$/, key)
      else t.equal(shown, `\`${byDefault}\``, key)
    }
  })
}

t.test('docs/options: tells of every option of connect, and of no other', async t => {
  const list = sectionOf(options, '### `connect`').split('\n- ').slice(1).join('\n').split('\n\n')[0]
  const told = [...list.matchAll(/`(\w+)`/g)].map(([, name]) => name)
  t.strictSame(told.sort(), Object.keys(connectSchema.properties as object).sort())
})

t.test('README: its ten options are options, with their defaults', async t => {
  const rows = [...sectionOf(readme, '## Ten options').matchAll(/^\| `(\w+)` \| (.*?) \|/gm)]
  t.equal(rows.length, 10)
  const { properties = {} } = mirrorSchema
  for (const [, key, shown] of rows) {
    t.ok(Object.hasOwn(properties, key), key)
    const value = /^`(.*)`$/.exec(shown)?.[1]
    if (value !== undefined) t.strictSame(JSON.parse(value), properties[key].default, key)
  }
})

t.test('each reason has its row, with its class', async t => {
  const backend = sectionOf(read('docs/metrics.md'), '## Of a backend')
  const tableOf = (text: string, head: string) => text.slice(text.indexOf(`\n\n| \`${head}\` |`) + 2).split('\n\n')[0]
  const notCompared = sectionOf(read('docs/comparison.md'), '## What is not compared')
  for (const [text, head, reasons] of [
    [backend, 'dropped', DROPPED], [backend, 'failure', FAILED], [notCompared, 'notCompared', NOT_COMPARED]
  ] as const) {
    const rows = [...tableOf(text, head).matchAll(/^\| `(\w+)` \| ([a-z ]+) \|/gm)].slice(1)
    t.strictSame(Object.fromEntries(rows.map(([, name, about]) => [name, about])), classesOf(reasons), head)
  }
})

function classesOf (reasons: Readonly<Record<string, Reason>>): Record<string, string> {
  return Object.fromEntries(Object.entries(reasons).map(([name, { class: about }]) => [name, about]))
}

t.test('docs/errors: has every code with its status, and no other', async t => {
  const rows = [...read('docs/errors.md').matchAll(/^\| `(FST_\w+)` \|(?: (\d+) \|)?/gm)]
  const told = Object.fromEntries(rows.map(([, code, status = '500']) => [code, Number(status)]))
  const made = Object.values(errors).map(MirrorError => new (MirrorError as new () => FastifyError)())
  t.strictSame(told, Object.fromEntries(made.map(({ code, statusCode }) => [code, statusCode])))
})

t.test('docs/prometheus: has every metric, and no other', async t => {
  const cells = [...read('docs/prometheus.md').matchAll(/^\| [^|]* \| (`.*) \|$/gm)].map(([, cell]) => cell).join()
  const told = [...cells.matchAll(/`(\w+)(?:\{\w+\})?`/g)].map(([, name]) => `fastify_mirror_${name}`)
  t.strictSame(told.sort(), [...families, endpointFamily].map(({ name }) => name).sort())
})

t.test('docs/isolation: each rule names tests that there are', async t => {
  const rows = [...read('docs/isolation.md').matchAll(/^\| (\d+) \| .* \| (.*) \|$/gm)]
  t.strictSame(rows.map(([, rule]) => Number(rule)), Array.from({ length: 11 }, (_, i) => i + 1))
  for (const [, rule, cell] of rows) isTested(t, `rule ${rule}`, cell)
})

/** `[file](../test/file.test.ts): "a test", "another"; [file] ...`: all of which stand there. */
function isTested (t: Test, what: string, cell: string): void {
  for (const part of cell.split('; [')) {
    const file = /\]\(\.\.\/(test\/.*?)\)/.exec(part)?.[1] as string
    // As it stands in source, where quotes within it are escaped.
    const source = read(file).replaceAll("\\'", "'")
    const names = [...part.matchAll(/"(.*?)"/g)].map(([, name]) => name)
    t.ok(names.length > 0, what)
    for (const name of names) t.ok(source.includes(name), `${file}: ${name}`)
  }
}

t.test('docs/secrets: each name is a secret\'s, or is none, as it says', async t => {
  const byName = sectionOf(read('docs/secrets.md'), '## By name')
  const [, secret, none] = /:\n\n(- with one.*?)\n\nSome names are none:(.*)/s.exec(byName) as unknown as string[]
  const namesIn = (text: string) => [...text.matchAll(/`([\w-]+)`/g)].map(([, name]) => name).filter(name => name !== 'key')
  t.ok(namesIn(secret).length > 30)
  for (const name of namesIn(secret)) t.ok(isSecretName(name), name)
  for (const name of namesIn(none)) t.notOk(isSecretName(name), name)
})

t.test('docs/endpoints: paths are folded as it says', async t => {
  const text = sectionOf(read('docs/endpoints.md'), '## What looks like an id')
  for (const name of ['how-to-tie-shoes', '2026-01-31', '7', 'a@b.example', 'a'.repeat(49)]) t.equal(foldPath(`/${name}`), '/*', name)
  for (const name of ['v2', 'shoes']) t.equal(foldPath(`/${name}`), `/${name}`, name)
  const [, ...pairs] = /`([^`]+)` becomes `([^`]+)`, and `([^`]+)` becomes `([^`]+)`/.exec(text) as unknown as string[]
  t.equal(foldPath(`/${pairs[0]}`), `/${pairs[1]}`)
  t.equal(foldPath(`/${pairs[2]}/x`), `/${pairs[3]}/x`)
  t.equal(foldPath('/x'.repeat(11)), `${'/x'.repeat(10)}/**`)
})

t.test('commands of the pages are there', async t => {
  const { scripts } = JSON.parse(read('package.json'))
  for (const page of pages) {
    for (const line of blocksOf(read(page), 'sh').join('').split('\n')) {
      for (const [, script] of line.matchAll(/\bnpm run (?:-\S+ )*([\w:]+)/g)) t.ok(Object.hasOwn(scripts, script), `${page}: ${line}`)
      for (const [path] of line.matchAll(/\b(?:examples|test|benchmarks)\/[\w./-]+/g)) t.ok(existsSync(join(root, path)), `${page}: ${line}`)
    }
  }
})

t.test('CONTRIBUTING: says where everything lives', async t => {
  const places = [...sectionOf(read('CONTRIBUTING.md'), '## Where everything lives').matchAll(/^\| (`.*?) \|/gm)]
    .flatMap(([, cell]) => cell.split(', ').map(place => place.slice(1, -1)))
  for (const place of places) t.ok(existsSync(join(root, place)), place)
  const lib = readdirSync(join(root, 'lib'), { withFileTypes: true })
  for (const entry of lib) t.ok(places.includes(`lib/${entry.name}${entry.isDirectory() ? '/' : ''}`), entry.name)
})

t.test('docs/internals: each row names a file of lib, and tests that there are', async t => {
  const rows = [...read('docs/internals.md').matchAll(/^\| (?!what|---)(.*) \|$/gm)].map(([, row]) => row.split(' | '))
  t.ok(rows.length > 40)
  for (const [what, , where, tests] of rows) {
    t.match(where, /\]\(\.\.\/lib\//, what)
    isTested(t, what, tests)
  }
})
