import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pack, root, run } from '../test/helpers/packed'

// The package, as it would be published: its size, what publint says of it, and what attw says of its types.

const MAX_BYTES = 210_000

/**
 * publint reads `exports.default` and `__esModule` in the text of index.js. What is loaded is the function that
 * `module.exports` is set to last, and it has no `__esModule`: `test/package.test.ts` imports it in every way.
 */
const KNOWN: ReadonlySet<string> = new Set(['CJS_WITH_ESMODULE_DEFAULT_EXPORT'])

async function main (): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'fastify-mirror-package-'))
  try {
    const tarball = await pack(dir)
    const faults = [...await faultOfSize(tarball), ...await faultsOfPackage(tarball)]
    process.stdout.write(
      await run(root, join(root, 'node_modules/.bin/attw'), tarball, '--no-color', '--no-emoji', '--format', 'ascii')
    )
    if (faults.length > 0) throw new Error(faults.join('\n'))
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

async function faultOfSize (tarball: string): Promise<string[]> {
  const { size } = await stat(tarball)
  console.log(`The package has ${size} bytes.`)
  return size <= MAX_BYTES ? [] : [`the package has ${size} bytes, more than ${MAX_BYTES}`]
}

async function faultsOfPackage (tarball: string): Promise<string[]> {
  // Modules that a script of this kind can only import so.
  const [{ publint }, { formatMessage }] = await Promise.all([import('publint'), import('publint/utils')])
  const { buffer } = new Uint8Array(await readFile(tarball))
  const { messages, pkg } = await publint({ pack: { tarball: buffer }, strict: true })
  return messages.filter(({ code }) => !KNOWN.has(code))
    .map(message => formatMessage(message, pkg, { color: false }) ?? message.code)
}

main().catch(error => {
  console.error((error as Error).message)
  process.exitCode = 1
})
