'use strict'

// tap counts coverage over the files that its tests loaded: a file that none of them did would not count against
// the 100 %. To be run after all tests; fails, with their names, when there are such files in lib.

const { readdirSync, readFileSync } = require('node:fs')
const { join, relative } = require('node:path')
const { pathToFileURL } = require('node:url')
const { ModuleKind, transpileModule } = require('typescript')

const root = join(__dirname, '..')
const coverage = join(root, '.tap/coverage')
const lib = join(root, 'lib')

const loaded = new Set(readdirSync(coverage).flatMap((name) => {
  return JSON.parse(readFileSync(join(coverage, name), 'utf8')).result.map(({ url }) => url)
}))

const unloaded = readdirSync(lib, { recursive: true })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => join(lib, name))
  .filter((path) => !loaded.has(pathToFileURL(path).href) && holdsCode(path))

if (unloaded.length > 0) {
  console.error(`No test loads:\n${unloaded.map((path) => `  ${relative(root, path)}`).join('\n')}`)
  process.exitCode = 1
}

/** Whether anything is left of a file when its types are taken away. */
function holdsCode (path) {
  const compilerOptions = { module: ModuleKind.ESNext, removeComments: true }
  const { outputText } = transpileModule(readFileSync(path, 'utf8'), { compilerOptions })
  return !/^\s*(export \{\};)?\s*$/.test(outputText)
}
