import t from 'tap'
import { join } from 'node:path'
import ts from 'typescript'
import { connectSchema } from '../lib/options/connect'
import { mirrorSchema, mismatchQuerySchema, pluginSchema } from '../lib/options/schema'
import type { OptionSchema } from '../lib/options/option-schema'
import { DROPPED, FAILED, NOT_COMPARED } from '../lib/reasons'
import type { Reason } from '../lib/reasons'
import { read, root } from './helpers/pages'

const FILE = 'types/index.d.ts'
const source = ts.createSourceFile(FILE, read(FILE), ts.ScriptTarget.Latest, true)

/** What users may write themselves. */
const WRITTEN = [
  'FastifyMirrorOptions', 'PrometheusOptions', 'AdminOptions', 'MirrorOptions', 'EndpointRequest', 'VerdictOptions',
  'BackendOptions', 'ConnectOptions', 'ConditionOptions', 'BreakerOptions', 'CompareOptions', 'MirrorPatch',
  'MismatchQuery', 'MismatchEvent'
]

interface Doc { text: string, defaults: string[], examples: string[], see: boolean }
type Declared = ts.InterfaceDeclaration | ts.TypeAliasDeclaration

const declared = new Map<string, Declared>()
collect(source)

function collect (node: ts.Node): void {
  if (ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)) {
    if (node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)) declared.set(node.name.text, node)
  }
  ts.forEachChild(node, collect)
}

function docOf (node: ts.Node): Doc {
  const tags = ts.getJSDocTags(node)
  const textOf = (comment: ts.JSDocTag['comment']) => (ts.getTextOfJSDocComment(comment) ?? '').trim()
  const named = (name: string) => tags.filter(({ tagName }) => tagName.text === name).map(({ comment }) => textOf(comment))
  const comments = ts.getJSDocCommentsAndTags(node).filter(ts.isJSDoc)
  return {
    text: comments.map(({ comment }) => textOf(comment)).join(' ').replaceAll(/\s+/g, ' '),
    defaults: named('default'),
    examples: named('example'),
    see: named('see').length > 0
  }
}

function membersOf (name: string): Map<string, ts.TypeElement> {
  const { members } = declared.get(name) as ts.InterfaceDeclaration
  return new Map(members.map(member => [(member.name as ts.Identifier).text, member]))
}

t.test('every public type, and every field of one, says what it is', async t => {
  t.ok(declared.size > 40)
  for (const [name, node] of declared) {
    t.not(docOf(node).text, '', name)
    if (!ts.isInterfaceDeclaration(node)) continue
    for (const [key, member] of membersOf(name)) {
      const { text, see } = docOf(member)
      // Another spelling leads to the one that says it.
      if (key.includes('_')) t.ok(see, `${name}.${key}`)
      else t.not(text, '', `${name}.${key}`)
    }
  }
})

/** What docs/options says of keys without a default in the schema, such as `none`. */
const shownDefaults = new Map(
  [...read('docs/options.md').matchAll(/^\| `([\w.[\]]+)` \| (.*?) \| ?.* \|$/gm)].map(([, key, shown]) => [key, shown])
)

/** How a type of the schema is written in TypeScript. */
const TYPES: Readonly<Record<string, RegExp>> = {
  boolean: /\b(?:boolean|true|false)\b/,
  integer: /\bnumber\b/,
  number: /\bnumber\b/,
  string: /\bstring\b|'/,
  array: /\[\]|Array</,
  object: /[A-Z]\w+/
}

t.test('each option has the type and the default that schema and docs have', async t => {
  check('MirrorOptions', mirrorSchema, '')
  check('FastifyMirrorOptions', pluginSchema, '')
  check('MismatchQuery', mismatchQuerySchema, '?')

  function check (name: string, schema: OptionSchema, prefix: string): void {
    const members = membersOf(name)
    for (const [key, child] of Object.entries(schema.properties ?? {})) {
      const member = members.get(key)
      if (member === undefined) {
        t.fail(`${name}.${key} is missing`)
        continue
      }
      const written = (member as ts.PropertySignature).type?.getText() ?? ''
      for (const type of [child.type ?? []].flat()) t.match(written, TYPES[type], `${name}.${key}: ${type}`)
      const { properties, additionalProperties } = child.items ?? child
      const inner = properties !== undefined && additionalProperties === false && key !== 'connect'
      if (inner) {
        check(referred(member as ts.PropertySignature), child.items ?? child, `${prefix}${key}${child.items ? '[]' : ''}.`)
      } else {
        const expected = key === 'connect' ? '{}' : child.default === undefined ? shownDefaults.get(prefix + key) : asWritten(child.default)
        const { defaults } = docOf(member)
        // None may go without saying.
        const silent = [undefined, 'required', 'none'].includes(expected) && defaults.length === 0
        if (!silent) t.strictSame(defaults, [expected], `${name}.${key}`)
      }
    }
    for (const key of members.keys()) {
      const plain = key.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase())
      t.ok(Object.hasOwn(schema.properties ?? {}, plain), `${name}.${key} is an option`)
    }
  }
})

/** The first of our own interfaces in the type of a member. */
function referred (member: ts.PropertySignature): string {
  const names = member.type?.getText().match(/\w+/g) ?? []
  return names.find(name => declared.has(name)) as string
}

function asWritten (value: unknown): string {
  return JSON.stringify(value).replaceAll('"', "'")
}

t.test('the options of a connection are those of the schema', async t => {
  const { members, heritageClauses = [] } = declared.get('ConnectOptions') as ts.InterfaceDeclaration
  t.match(heritageClauses[0].getText(), 'TlsOption')
  const alias = /type TlsOption =(.*?)\n\n/s.exec(read(FILE))?.[1] ?? ''
  const names = [...alias.matchAll(/'(\w+)'/g)].map(([, name]) => name)
  const own = members.map(({ name }) => (name as ts.Identifier).text)
  t.strictSame([...names, ...own].sort(), Object.keys(connectSchema.properties as object).sort())
})

t.test('each reason has a line that says what it means', async t => {
  const groups: Array<[string, Readonly<Record<string, Reason>>]> = [
    ['DropReason', DROPPED], ['FailureReason', FAILED], ['NotComparedReason', NOT_COMPARED]
  ]
  for (const [name, reasons] of groups) {
    const { text } = docOf(declared.get(name) as Declared)
    for (const [reason, { meaning }] of Object.entries(reasons)) t.match(text, `- \`${reason}\`: ${meaning}`, `${name}: ${reason}`)
  }
})

t.test('what users write has an example, and every example compiles', async t => {
  for (const name of WRITTEN) t.ok(docOf(declared.get(name) as Declared).examples.length > 0, name)

  const examples = [...declared.values()].flatMap(node => [node, ...ts.isInterfaceDeclaration(node) ? node.members : []])
    .flatMap(node => docOf(node).examples)
  const text = [
    'import type { FastifyInstance, FastifyRequest } from \'fastify\'',
    'import { readFileSync } from \'node:fs\'',
    'import { Registry } from \'prom-client\'',
    `import type { ${WRITTEN.join(', ')} } from './index'`,
    'declare const fastify: FastifyInstance',
    'declare const request: FastifyRequest',
    ...examples.map(example => `{\n${example}\n}`)
  ].join('\n')
  t.strictSame(problemsOf(join(root, 'types/examples.ts'), text), [])
})

function problemsOf (file: string, text: string): string[] {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile)
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root)
  const host = ts.createCompilerHost({ ...options, noUnusedLocals: false }, true)
  const { getSourceFile, fileExists } = host
  host.fileExists = name => name === file || fileExists(name)
  host.getSourceFile = (name, ...rest) =>
    name === file ? ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true) : getSourceFile(name, ...rest)
  const program = ts.createProgram([file, join(root, FILE)], { ...options, noUnusedLocals: false }, host)
  return program.getSemanticDiagnostics(program.getSourceFile(file))
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
}
