import { execFile } from 'node:child_process'
import { cp, mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises'
import { basename, join, relative } from 'node:path'

export const root = join(__dirname, '../..')

const NOT_PACKED = new Set(['.git', '.tap', 'dist', 'node_modules'])

/**
 * The package as a user gets it: packed from a copy of the tree, so that nothing else sees its build, and installed outside
 * the tree, so that it finds no module but its own dependencies.
 * @param dir an empty folder
 * @param others what is installed with it: packages that the tests have, in the same versions
 * @returns the folder of a project that depends on it
 */
export async function installPacked (dir: string, others: readonly string[]): Promise<string> {
  const tarball = await pack(dir)
  const consumer = join(dir, 'consumer')
  await mkdir(consumer)
  await writeFile(join(consumer, 'package.json'), '{ "private": true }')
  const versions = await Promise.all(others.map(async name => `${name}@${await installed(name)}`))
  await run(consumer, 'npm', 'install', '--prefer-offline', '--no-audit', '--no-fund', tarball, ...versions)
  return consumer
}

/** Packs a copy of the tree into an empty folder. Returns the tarball's path. */
export async function pack (dir: string): Promise<string> {
  const source = join(dir, 'source')
  await cp(root, source, { recursive: true, filter: path => !NOT_PACKED.has(relative(root, path)) })
  await symlink(join(root, 'node_modules'), join(source, 'node_modules'))
  await run(source, 'npm', 'pack', '--pack-destination', dir)
  return join(dir, (await readdir(dir)).find(name => name.endsWith('.tgz')) ?? 'none')
}

/** Runs a program and gives what it wrote, without the loader that tap puts into every Node process below its own. */
export function run (cwd: string, program: string, ...args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { cwd, timeout: 120_000, maxBuffer: 16 * 1024 * 1024 }
    execFile('env', ['-u', 'NODE_OPTIONS', program, ...args], options, (error, stdout, stderr) => {
      if (error) reject(new Error(`${basename(program)} ${args.join(' ')}\n${stdout}${stderr}`, { cause: error }))
      else resolve(stdout)
    })
  })
}

/** The version of a dependency that the tests run with. */
async function installed (name: string): Promise<string> {
  return JSON.parse(await readFile(join(root, 'node_modules', name, 'package.json'), 'utf8')).version
}
