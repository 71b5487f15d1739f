import { execFile } from 'node:child_process'
import { realpathSync, rmSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const exec = promisify(execFile)

export const root = join(__dirname, '../..')
/** What is fetched and built once, and kept: its path as Node has it, also where `node_modules` is a link. */
export const cache = join(realpathSync(join(root, 'node_modules')), '.cache/fastify-mirror')

/** The test suite of another project, as its package on npm has it. */
export interface Suite {
  name: string
  package: string
  /** Its test files, below `test/`. */
  files: RegExp
  /** Those of them that a quick run takes. */
  quick: RegExp
  /** The Fastify that its tests load. */
  fastify: string
}

/** Of what Fastify does with a request, in the names of its files: all but listening, logging, schemas, plugins and the router. */
const ANSWERING = new RegExp('^(?!internals/|build/|scripts/|logger/|diagnostics-channel/|types/|bundler/).*' +
  '(404s|500s|async|body|buffer|close|content|custom-parser|delete|error|handler|head|hooks|http2/|max-requests|promises|reply|' +
  'request|sync-routes|stream|trailers|upgrade|url-rewriting|web-api|wrap-thenable)')

export const suites: readonly Suite[] = [
  { name: 'http-proxy', package: '@fastify/http-proxy', files: /\.js$/, quick: /./, fastify: 'node_modules/fastify/fastify.js' },
  { name: 'reply-from', package: '@fastify/reply-from', files: /\.test\.js$/, quick: /./, fastify: 'node_modules/fastify/fastify.js' },
  { name: 'fastify', package: 'fastify', files: /\.test\.m?js$/, quick: ANSWERING, fastify: 'fastify.js' }
]

/** The version that the tests of this project run with. */
export async function lockedVersion (name: string): Promise<string> {
  const lock = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8'))
  return lock.packages[`node_modules/${name}`].version
}

/** The folder of a suite with all that it needs, fetched unless it is there already. */
export async function fetchSuite (suite: Suite, version: string): Promise<string> {
  const dir = join(cache, 'peers', `${suite.name}-${version}`)
  if (await stat(dir).catch(() => null) !== null) return dir
  await mkdir(join(cache, 'peers'), { recursive: true })
  const partial = await mkdtemp(join(cache, 'peers', '.partial-'))
  try {
    await exec('npm', ['pack', `${suite.package}@${version}`], { cwd: partial })
    const [tarball] = await readdir(partial)
    await exec('tar', ['-xzf', tarball, '--strip-components', '1'], { cwd: partial })
    await exec('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline'], { cwd: partial })
    // Only now is it whole.
    await rename(partial, dir)
  } catch (error) {
    await rm(partial, { recursive: true, force: true })
    throw error
  }
  return dir
}

/** A suite's test files, relative to its folder. */
export async function filesOf (suite: Suite, dir: string, quick: boolean): Promise<string[]> {
  const all = await readdir(join(dir, 'test'), { recursive: true })
  return all.filter(file => suite.files.test(file) && (!quick || suite.quick.test(file))).sort().map(file => join('test', file))
}

/** This project as it is, built. */
export async function buildPlugin (): Promise<string> {
  const out = join(cache, 'peers', `build-${process.pid}`)
  process.once('exit', () => { rmSync(out, { recursive: true, force: true }) })
  await exec(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json', '--outDir', out], { cwd: root })
  return out
}
