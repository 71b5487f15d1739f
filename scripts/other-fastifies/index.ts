import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { installPacked, run } from '../../test/helpers/packed'
import { compile, makeConsumer } from './consumer'
import { CORE, runCore } from './core'

// Beside earlier Fastify 5, with http-proxy and reply-from of their time: the package, packed and installed as by its
// users, is tried out, and the core of the tests is run. What such a version lacks is skipped, and the reason said.

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

const HELP = `Usage: npm run test:fastify -- [--versions <versions>] [--files <regular expression>]
  --versions  ${VERSIONS.map(([fastify]) => fastify).join(',')}
  --files     only test files whose path matches`

async function main (): Promise<void> {
  const { values } = parseArgs({
    options: {
      versions: { type: 'string' },
      files: { type: 'string', default: '' },
      help: { type: 'boolean', short: 'h', default: false }
    }
  })
  if (values.help) return console.log(HELP)
  const wanted = values.versions?.split(',') ?? VERSIONS.map(([fastify]) => fastify)
  const files = CORE.filter(file => new RegExp(values.files).test(file))
  const dir = await mkdtemp(join(tmpdir(), 'mirror-fastifies-'))
  const failed: string[] = []
  try {
    const [packed, compiled] = [join(dir, 'packed'), join(dir, 'compiled')]
    await mkdir(packed)
    // Its dependencies are there for all versions: only Fastify and http-proxy differ.
    await Promise.all([compile(compiled), installPacked(packed, [])])
    const tarball = join(packed, (await readdir(packed)).find(name => name.endsWith('.tgz')) as string)
    for (const [fastify, httpProxy, replyFrom] of VERSIONS) {
      if (!wanted.includes(fastify)) continue
      const begun = performance.now()
      try {
        const packages = [`fastify@${fastify}`, `@fastify/http-proxy@${httpProxy}`, `@fastify/reply-from@${replyFrom}`]
        const consumer = await makeConsumer(dir, compiled, tarball, packages)
        process.stdout.write(`${(await run(consumer, process.execPath, '-p', VERSIONS_OF)).trim()}: `)
        process.stdout.write(`packed: ${(await run(consumer, process.execPath, 'smoke.mjs')).trim()}; `)
        const { passed, skipped, reasons, failures } = await runCore(consumer, files)
        const seconds = Math.round((performance.now() - begun) / 1000)
        console.log(`core: ${passed} passed, ${skipped} skipped, ${failures.length} files failed, ${seconds} s`)
        for (const reason of [...reasons].sort()) console.log(`  skipped: ${reason}`)
        if (failures.length > 0) throw new Error(failures.join('\n'))
        await rm(consumer, { recursive: true, force: true })
      } catch (error) {
        failed.push(fastify)
        console.error(`Fastify ${fastify}: ${(error as Error).message}`)
      }
    }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
  if (failed.length > 0) throw new Error(`it does not work with Fastify ${failed.join(', ')}`)
}

const VERSIONS_OF = '["fastify", "@fastify/http-proxy", "@fastify/reply-from"]' +
  '.map(name => name + " " + JSON.parse(fs.readFileSync("node_modules/" + name + "/package.json")).version).join(", ")'

main().catch(error => {
  console.error(error)
  process.exitCode = 1
})
