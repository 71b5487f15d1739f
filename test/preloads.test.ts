import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { root, run } from './helpers/packed'

const permission = process.allowedNodeEnvironmentFlags.has('--permission') ? '--permission' : '--experimental-permission'

/** Mirrors until one copy is compared, and says so. */
const APP = `
const http = require('node:http')
const Fastify = require('fastify')
const mirror = require('./dist')
const wait = ms => new Promise(resolve => setTimeout(resolve, ms))
const shadow = http.createServer((request, response) => response.end('x')).listen(0, '127.0.0.1', async () => {
  const app = Fastify()
  await app.register(mirror, { thread: true })
  const backends = ['http://127.0.0.1:' + shadow.address().port]
  app.get('/', { mirror: { id: 'm', backends, compare: { enabled: true } } }, async () => 'x')
  const [backend] = await (async () => {
    for (;;) {
      await app.inject('/')
      await wait(20)
      const { backends } = app.mirrors.get('m')
      if (backends[0].matched > 0 || backends[0].dropped.thread > 0) return backends
    }
  })()
  console.log(backend.dropped.thread === 0 ? 'matched' : 'dropped')
  process.exit()
})
`
/** Opens a port, as telemetry does, and says where it runs. */
const PRELOAD = `
const { appendFileSync } = require('node:fs')
const { join } = require('node:path')
appendFileSync(join(__dirname, 'runs'), 'run ')
if (!require('node:worker_threads').isMainThread) throw Object.assign(new Error('the port is taken'), { code: 'EADDRINUSE' })
`

t.test('compiled', async t => {
  const dir = await mkdtemp(join(tmpdir(), 'mirror-preloads-'))
  t.teardown(() => rm(dir, { recursive: true, force: true }))
  await symlink(join(root, 'node_modules'), join(dir, 'node_modules'))
  await run(root, process.execPath, 'node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--outDir', join(dir, 'dist'))
  await writeFile(join(dir, 'app.cjs'), APP)
  await writeFile(join(dir, 'pre load.cjs'), PRELOAD)
  await writeFile(join(dir, 'preload.mjs'), "import './pre load.cjs'\n")

  const forms: Array<[name: string, options: string, ...argv: string[]]> = [
    ['--require', '', '--require', './pre load.cjs'],
    ['-r', '', '-r', './pre load.cjs'],
    ['--import', '', '--import', './preload.mjs'],
    ['NODE_OPTIONS with --require', '--require "./pre load.cjs"'],
    ['NODE_OPTIONS with --import', '--import=./preload.mjs'],
    ['several, and flags that stay', '--import ./preload.mjs --max-old-space-size=200', '--max-http-header-size=20000', '--require', './pre load.cjs']
  ]
  for (const [name, options, ...argv] of forms) {
    t.test(`a preload by ${name} runs once, in the process, and the thread works`, async t => {
      await writeFile(join(dir, 'runs'), '')
      t.equal(await run(dir, 'env', `NODE_OPTIONS=${options}`, process.execPath, ...argv, 'app.cjs'), 'matched\n')
      t.equal(await readFile(join(dir, 'runs'), 'utf8'), 'run ')
    })
  }

  t.test('Node\'s permission model', async t => {
    await t.rejects(run(dir, process.execPath, permission, '--allow-fs-read=*', 'app.cjs'), { message: /FST_MIRROR_THREAD_NOT_ALLOWED/ })
    t.equal(await run(dir, process.execPath, permission, '--allow-fs-read', '*', '--allow-worker', ...net(), 'app.cjs'), 'matched\n')
  })
})

/** Later versions of Node also ask for leave to use the network. */
function net (): string[] {
  return process.allowedNodeEnvironmentFlags.has('--allow-net') ? ['--allow-net'] : []
}
