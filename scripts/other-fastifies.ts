import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { installPacked, root, run } from '../test/helpers/packed'

// The package, packed and installed as by its users, is tried out beside earlier Fastify 5, with http-proxy and reply-from of their time.

/** Fastify, and what was there at that time. */
const VERSIONS: ReadonlyArray<[fastify: string, httpProxy: string, replyFrom: string]> = [
  ['5.0.0', '11.0.0', '12.0.0'],
  ['5.2.2', '11.1.2', '12.0.2'],
  ['5.4.0', '11.3.0', '12.2.0'],
  ['5.6.2', '11.4.1', '12.5.0'],
  ['5.8.5', '11.4.4', '12.6.2'],
  ['5.10.0', '11.5.0', '12.6.2'],
  // The newest.
  ['^5', '^11', '^12']
]

async function main (): Promise<void> {
  const { values } = parseArgs({ options: { versions: { type: 'string' } } })
  const wanted = values.versions?.split(',')
  const dir = await mkdtemp(join(tmpdir(), 'fastify-mirror-fastifies-'))
  const failed: string[] = []
  try {
    await mkdir(join(dir, 'packed'))
    // Its dependencies are there for all versions: only Fastify and http-proxy differ.
    await installPacked(join(dir, 'packed'), [])
    for (const [fastify, httpProxy, replyFrom] of VERSIONS) {
      if (wanted !== undefined && !wanted.includes(fastify)) continue
      try {
        const consumer = await install(dir, [`fastify@${fastify}`, `@fastify/http-proxy@${httpProxy}`, `@fastify/reply-from@${replyFrom}`])
        const found = await run(consumer, process.execPath, '-p', VERSIONS_OF)
        process.stdout.write(`${found.trim()}: ${await run(consumer, process.execPath, 'smoke.mjs')}`)
      } catch (error) {
        failed.push(fastify)
        console.error(`Fastify ${fastify}: ${(error as Error).message}`)
      }
    }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
  if (failed.length > 0) throw new Error(`the package does not work with Fastify ${failed.join(', ')}`)
}

const VERSIONS_OF = '["fastify", "@fastify/http-proxy", "@fastify/reply-from"]' +
  '.map(name => name + " " + JSON.parse(fs.readFileSync("node_modules/" + name + "/package.json")).version).join(", ")'

async function install (dir: string, others: readonly string[]): Promise<string> {
  const consumer = await mkdtemp(join(dir, 'consumer-'))
  await writeFile(join(consumer, 'package.json'), '{ "private": true }')
  await run(consumer, 'npm', 'install', '--prefer-offline', '--no-audit', '--no-fund', await tarballIn(join(dir, 'packed')), ...others)
  await copyFile(join(root, 'scripts/smoke.mjs'), join(consumer, 'smoke.mjs'))
  return consumer
}

async function tarballIn (dir: string): Promise<string> {
  return join(dir, basename((await run(dir, 'sh', '-c', 'ls *.tgz')).trim()))
}

main().catch(error => {
  console.error(error)
  process.exitCode = 1
})
