'use strict'

// Makes dist from lib: the plugin as tsc compiles it, in shorter statements, and the page's files as short as browsers
// take them. Names stay, for whoever reads a stack trace.

const { execFileSync } = require('node:child_process')
const { cpSync, readFileSync, readdirSync, rmSync, writeFileSync } = require('node:fs')
const { extname, join } = require('node:path')
const { transformSync } = require('esbuild')

const root = join(__dirname, '..')
const dist = join(root, 'dist')
const tsc = require.resolve('typescript/bin/tsc')

const common = { charset: 'utf8', legalComments: 'none' }
const settings = {
  '.js': { ...common, loader: 'js', minifySyntax: true },
  '.mjs': { ...common, loader: 'js', minify: true },
  '.css': { ...common, loader: 'css', minify: true }
}

rmSync(dist, { recursive: true, force: true })
execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' })
cpSync(join(root, 'lib/admin/ui'), join(dist, 'admin/ui'), { recursive: true })
for (const name of readdirSync(dist, { recursive: true })) {
  const setting = settings[extname(name)]
  if (setting === undefined) continue
  const path = join(dist, name)
  writeFileSync(path, transformSync(readFileSync(path, 'utf8'), setting).code)
}
