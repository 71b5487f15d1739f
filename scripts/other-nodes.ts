import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { installPacked, root, run } from '../test/helpers/packed'

// The package, packed and installed as by its users, is tried out on this Node and on later ones, which come as npm
// packages. A Node that can not be had is a failure, as is one on which it does not work.

const LATER = ['22', '24', '26']

async function main (): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'fastify-mirror-nodes-'))
  const failed: string[] = []
  try {
    const consumer = await installPacked(dir, ['fastify', '@fastify/http-proxy'])
    await copyFile(join(root, 'scripts/smoke.mjs'), join(consumer, 'smoke.mjs'))
    for (const version of ['this', ...LATER]) {
      try {
        process.stdout.write(await run(consumer, await nodeOf(version), 'smoke.mjs'))
      } catch (error) {
        failed.push(version)
        console.error(`Node ${version}: ${(error as Error).message}`)
      }
    }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
  if (failed.length > 0) throw new Error(`the package does not work on Node ${failed.join(', ')}`)
}

/** The path of an executable. `tries`: a registry may be slow for once. */
async function nodeOf (version: string, tries = 3): Promise<string> {
  if (version === 'this') return process.execPath
  try {
    return (await run(
      root, 'npx', '--yes', '--package', `node@${version}`, '--', 'node', '--print', 'process.execPath'
    )).trim()
  } catch (error) {
    if (tries > 1) return nodeOf(version, tries - 1)
    throw new Error(`it can not be had from the registry: ${(error as Error).message}`)
  }
}

main().catch(error => {
  console.error(error)
  process.exitCode = 1
})
