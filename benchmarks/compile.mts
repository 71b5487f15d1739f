import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import ts from 'typescript'

const here = import.meta.dirname
const out = resolve(here, '../node_modules/.cache/fastify-mirror-benchmarks')

/**
 * Makes plain JavaScript of the files beside this one, so that no loader runs in a process that is measured. Where they
 * are.
 */
export function compileBenchmarks (): string {
  mkdirSync(out, { recursive: true })
  for (const file of readdirSync(here).filter(name => name.endsWith('.mts'))) {
    const { outputText } = ts.transpileModule(readFileSync(join(here, file), 'utf8'), {
      fileName: file,
      compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, inlineSourceMap: true }
    })
    writeFileSync(join(out, file.replace(/mts$/, 'mjs')), outputText)
  }
  return out
}

/** Builds the plugin, as its users get it. Where it is. */
export function buildPlugin (): string {
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: resolve(here, '..'), stdio: 'inherit' })
  return resolve(here, '../dist')
}
