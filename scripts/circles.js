'use strict'

// No two files of a folder, and no two folders, may import each other, by whatever way round; types count. In each
// folder its files and its folders, each with all that is below, are looked at: what imports what among them must have
// no circle.

const { readdirSync, readFileSync } = require('node:fs')
const { dirname, join, relative, sep } = require('node:path')
const { preProcessFile } = require('typescript')

const lib = join(__dirname, '../lib')
const files = readdirSync(lib, { recursive: true }).filter(name => /\.m?ts$/.test(name))

/** By folder: what is in it, and for each of those the others that it imports, each with the import that shows it. */
const folders = new Map()

for (const file of files) {
  for (const { fileName } of preProcessFile(readFileSync(join(lib, file), 'utf8')).importedFiles) {
    const imported = fileName.startsWith('.') ? found(join(dirname(file), fileName)) : undefined
    if (imported !== undefined) note(file, imported)
  }
}

const circles = [...folders].flatMap(([folder, imports]) => circlesOf(imports).map(circle => (
  `lib/${folder}: ${circle.map(([name, example]) => `${name} (${example})`).join(' → ')}`
)))
if (circles.length > 0) {
  console.error(`Circles of imports:\n${circles.map(circle => `  ${circle}`).join('\n')}`)
  process.exitCode = 1
}

function found (path) {
  return [path, `${path}.ts`, join(path, 'index.ts')].find(name => files.includes(name))
}

function note (from, to) {
  const [a, b] = [from.split(sep), to.split(sep)]
  let depth = 0
  while (a[depth] === b[depth]) depth++
  const folder = a.slice(0, depth).join('/')
  if (!folders.has(folder)) folders.set(folder, new Map())
  const imports = folders.get(folder)
  if (!imports.has(a[depth])) imports.set(a[depth], new Map())
  imports.get(a[depth]).set(b[depth], `${relative('', from)} imports ${to}`)
}

/** For each file or folder the shortest way back to itself. Each circle once. */
function circlesOf (imports) {
  const circles = new Map()
  for (const start of imports.keys()) {
    const ways = [[[start, '']]]
    const seen = new Set()
    for (const way of ways) {
      const [last] = way.at(-1)
      for (const [next, example] of imports.get(last) ?? []) {
        const longer = [...way.slice(0, -1), [last, example]]
        if (next === start) {
          const key = longer.map(([name]) => name).sort().join()
          if (!circles.has(key)) circles.set(key, longer)
        } else if (!seen.has(next)) {
          seen.add(next)
          ways.push([...longer, [next, '']])
        }
      }
    }
  }
  return [...circles.values()]
}
