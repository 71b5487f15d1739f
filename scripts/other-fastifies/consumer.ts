import { existsSync } from 'node:fs'
import { copyFile, cp, mkdir, mkdtemp, readFile, readdir, symlink, writeFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { ModuleKind, ScriptTarget, transpileModule } from 'typescript'
import { root, run } from '../../test/helpers/packed'

/** Of this project, what its tests load. */
const LOADED = ['lib', 'test', 'types', 'examples']

/** Makes JavaScript of this project's sources and tests: each version runs it, and threads start the faster. */
export async function compile (dir: string): Promise<void> {
  const compilerOptions = { target: ScriptTarget.ES2022, module: ModuleKind.CommonJS, esModuleInterop: true }
  for (const name of LOADED) {
    await cp(join(root, name), join(dir, name), { recursive: true })
    for (const file of await readdir(join(dir, name), { recursive: true })) {
      if (extname(file) !== '.ts') continue
      const path = join(dir, name, file)
      const { outputText } = transpileModule(await readFile(path, 'utf8'), { compilerOptions })
      await writeFile(path.replace(/ts$/, 'js'), outputText)
    }
  }
}

/**
 * A project of a user's, with the packed package and what is installed with it, and with this project's own sources
 * and tests beside it: these find the packages that are installed there, and this project's for all others.
 * @param dir where it is made
 * @param compiled the folder that `compile` has filled
 */
export async function makeConsumer (
  dir: string, compiled: string, tarball: string, others: readonly string[]
): Promise<string> {
  const consumer = await mkdtemp(join(dir, 'consumer-'))
  await writeFile(join(consumer, 'package.json'), '{ "private": true }')
  await run(consumer, 'npm', 'install', '--prefer-offline', '--no-audit', '--no-fund', tarball, ...others)
  await copyFile(join(root, 'scripts/smoke.mjs'), join(consumer, 'smoke.mjs'))
  for (const name of LOADED) await cp(join(compiled, name), join(consumer, name), { recursive: true })
  await linkOthers(join(root, 'node_modules'), join(consumer, 'node_modules'))
  return consumer
}

/** Links the packages of a folder that another lacks. */
async function linkOthers (from: string, to: string): Promise<void> {
  for (const name of await readdir(from)) {
    if (name.startsWith('@')) {
      await mkdir(join(to, name), { recursive: true })
      await linkOthers(join(from, name), join(to, name))
    } else if (!name.startsWith('.') && !existsSync(join(to, name))) {
      await symlink(join(from, name), join(to, name))
    }
  }
}
