import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative, sep } from 'node:path'
import t from 'tap'
import { installPacked, root, run } from './helpers/packed'
import { cert, key } from './helpers/tls'

/** A package in package-lock.json. */
interface Locked {
  dev?: boolean
  devOptional?: boolean
  link?: boolean
  integrity?: string
  hasInstallScript?: boolean
  dependencies?: Record<string, string>
}

const tsc = join(root, 'node_modules/typescript/bin/tsc')
let dir = ''
let consumer = ''

t.before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'fastify-mirror-'))
  consumer = await installPacked(dir, ['fastify', '@fastify/http-proxy', '@types/node'])
})

t.teardown(() => rm(dir, { recursive: true, force: true }))

t.test('the package holds the build, the types, the licence and the README, and nothing else', async (t) => {
  const built = (await files(join(root, 'lib'))).map((path) => `dist/${path.replace(/\.ts$/, '.js')}`)
  const expected = ['LICENSE', 'README.md', 'package.json', 'types/index.d.ts', ...built]
  const packed = await files(join(consumer, 'node_modules/fastify-mirror'))
  t.strictSame(packed, expected.sort())
  const wanted = /^(dist\/[\w/-]+\.js|dist\/admin\/ui\/[\w-]+\.(mjs|css|html|svg)|types\/index\.d\.ts|LICENSE|README\.md|package\.json)$/
  t.strictSame(packed.filter(path => !wanted.test(path) || path.includes('test')), [], 'no tests, no maps, no sources')
})

t.test('installing it runs no script, of its own or of a dependency', async (t) => {
  const lock = JSON.parse(await readFile(join(consumer, 'node_modules/.package-lock.json'), 'utf8'))
  const packages = Object.entries<{ hasInstallScript?: boolean }>(lock.packages)
  t.ok(packages.some(([name]) => name === 'node_modules/fastify-mirror'))
  t.strictSame(packages.filter(([, { hasInstallScript }]) => hasInstallScript), [])

  // With nothing here that could build, a script that builds would have failed.
  t.notOk(existsSync(join(consumer, 'node_modules/typescript')))
})

t.test('neither does what is locked for it, and all of it comes from the registry, with its hash', async (t) => {
  const { packages } = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8'))
  const { '': own, ...others } = packages as Record<string, Locked>
  const shipped = Object.entries(others).filter(([, { dev, devOptional }]) => !dev && !devOptional)
  t.ok(Object.keys(own.dependencies ?? {}).every(name => shipped.some(([path]) => path === `node_modules/${name}`)))
  t.strictSame(shipped.filter(([, { hasInstallScript }]) => hasInstallScript), [])
  t.strictSame(shipped.filter(([, { integrity, link }]) => link || !integrity?.startsWith('sha512-')), [])
  const { scripts } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  t.strictSame(Object.keys(scripts).filter(name => /install|^(pre|post)?prepare$|publish/.test(name)), [])
})

// What every module below does with `Fastify`, `http`, `mirror` and `options`: mirrors one request, and prints what it
// got hold of and what the admin route says.
const use = `
  const shadow = http.createServer((request, response) => response.end()).listen(0, '127.0.0.1')
  await new Promise((resolve) => shadow.once('listening', resolve))
  const backends = ['http://127.0.0.1:' + shadow.address().port]

  const app = Fastify()
  await app.register(mirror, options)
  app.get('/', { mirror: { id: 'api', backends } }, async () => 'ok')
  await app.inject('/')

  const ended = () => app.mirrors.get('api').backends[0].success === 1
  while (!ended()) await new Promise((resolve) => setTimeout(resolve, 5))
  const { api } = (await app.inject('/mirrors')).json()
  console.log(typeof mirror, api.id, api.mirrored, api.backends[0].success)

  await app.close()
  shadow.closeAllConnections()
  shadow.close()
`
const esm = "import Fastify from 'fastify'; import http from 'node:http'; "

const modules = [
  {
    what: 'require',
    file: 'require.cjs',
    text: `const Fastify = require('fastify'), http = require('node:http'), mirror = require('fastify-mirror'), options = {}
      ;(async () => {${use}})()`
  },
  {
    what: 'a property of require',
    file: 'property.cjs',
    text: `const Fastify = require('fastify'), http = require('node:http'), { fastifyMirror: mirror } = require('fastify-mirror'), options = {}
      ;(async () => {${use}})()`
  },
  {
    what: 'the default import',
    file: 'default.mjs',
    text: `${esm} import mirror from 'fastify-mirror'; const options = {}; ${use}`
  },
  {
    what: 'the named import',
    file: 'named.mjs',
    text: `${esm} import { fastifyMirror as mirror } from 'fastify-mirror'; const options = {}; ${use}`
  },
  {
    what: 'the default import, on a worker thread',
    file: 'thread.mjs',
    text: `${esm} import mirror from 'fastify-mirror'; const options = { thread: true }; ${use}`
  }
]

for (const { what, file, text } of modules) {
  t.test(`mirrors with the plugin from ${what}`, async (t) => {
    await writeFile(join(consumer, file), text)
    t.equal(await run(consumer, process.execPath, file), 'function api 1 1\n')
  })
}

t.test('the page is served from the package', async (t) => {
  await writeFile(join(consumer, 'page.mjs'), `${esm}
    import mirror from 'fastify-mirror'
    const app = Fastify()
    await app.register(mirror, { admin: { onRequest: async () => {} } })
    const { body } = await app.inject('/mirrors/ui')
    for (const [, file] of body.matchAll(/(?:href|src)="(ui[^"]+)"/g)) {
      console.log(file, (await app.inject('/mirrors/' + file)).statusCode)
    }
  `)
  t.equal(await run(consumer, process.execPath, 'page.mjs'), 'ui/icon.svg 200\nui/style.css 200\nui/main.mjs 200\n')
})

const examples = join(root, 'examples')

t.test('the examples import it by its name, and print what their index says', async t => {
  const index = await readFile(join(examples, 'README.md'), 'utf8')
  const told = [...index.matchAll(/^### \[(.*)\]\(\1\)\n.*?^```\n(.*?)^```/gms)].map(([, file, output]) => ({ file, output }))
  const there = (await readdir(examples)).filter(file => file.endsWith('.mjs'))
  t.strictSame(told.map(({ file }) => file).sort(), there.sort())
  t.equal(there.length, 6)
  await writeFile(join(consumer, 'key.pem'), key)
  await writeFile(join(consumer, 'cert.pem'), cert)
  for (const { file, output } of told) {
    const text = await readFile(join(examples, file), 'utf8')
    t.ok(text.split('\n').length <= 31, `${file} has at most 30 lines`)
    t.match(text, "import mirror from 'fastify-mirror'\n")
    await writeFile(join(consumer, file), text)
    t.equal(await run(consumer, process.execPath, file), output, file)
  }
})

const typedUse = `
  const app = Fastify()
  app.register(mirror, { admin: false })
  app.get('/', { mirror: { backends: ['http://shadow:9000'] } }, async () => app.mirrors.get('get')?.mirrored)
  // @ts-expect-error
  app.get('/wrong', { mirror: { backends: 5 } }, async () => 'ok')
  export const options: MirrorOptions = {}
`
const typed = [
  {
    file: 'require.cts',
    text: `import Fastify = require('fastify'); import mirror = require('fastify-mirror'); import type { MirrorOptions } from 'fastify-mirror'; ${typedUse}`
  },
  {
    file: 'default.mts',
    text: `import Fastify from 'fastify'; import mirror, { type MirrorOptions } from 'fastify-mirror'; ${typedUse}`
  },
  {
    file: 'named.mts',
    text: `import Fastify from 'fastify'; import { fastifyMirror as mirror, type MirrorOptions } from 'fastify-mirror'; ${typedUse}`
  }
]

for (const [module, moduleResolution, pattern] of [['node16', 'node16', /ts$/], ['preserve', 'bundler', /mts$/]] as const) {
  t.test(`its types check in a project with moduleResolution ${moduleResolution}`, async (t) => {
    const project = join(consumer, moduleResolution)
    await mkdir(project)
    const chosen = typed.filter(({ file }) => pattern.test(file))
    for (const { file, text } of chosen) await writeFile(join(project, file), text)
    const compilerOptions = { module, moduleResolution, target: 'es2022', strict: true, skipLibCheck: false, noEmit: true, types: [] }
    await writeFile(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions }))

    const listed = await run(project, process.execPath, tsc, '--listFiles')
    t.equal(listed.split('\n').filter((path) => path.startsWith(project)).length, chosen.length)
    t.match(listed, /consumer\/node_modules\/fastify-mirror\/types\/index\.d\.ts/)
  })
}

/** Every file below a folder, in order, with slashes. */
async function files (folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort()
}
