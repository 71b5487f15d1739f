import Fastify from 'fastify'
import fc from 'fast-check'
import t from 'tap'
import type { Test } from 'tap'
import { inspect } from 'node:util'
import fastifyMirror from '../../lib'
import { readPluginOptions } from '../../lib/options'
import { backendPatchSchema, mirrorPatchSchema, mirrorSchema, pluginSchema, switchPatchSchema } from '../../lib/options/schema'
import { isContainer, shapeOf } from '../../lib/options/option-schema'
import type { OptionSchema } from '../../lib/options/option-schema'
import type { MirrorOptions, MirrorPatch } from '../../types/index'
import { holds, same } from '../helpers/property'

type Entry = [key: string, value: unknown]

const ODD_KEYS = ['__proto__', 'constructor', 'prototype', 'toString', 'percentge', 'path_regex', 'ID', '', '0', 'a.b', '~/']
const TEXTS = [
  '', 'x-a', 'GET', '/a/*/b', '/mirrors', 'user.lastSeen', '^/a(b|c)*$', '(', 'http://shadow:9000', 'https://[::1]:1/base/', 'http://a@b?c#d',
  '__proto__', 'constructor', '\u0000', '\ud800', 'x'.repeat(101), '(a*)*b{1,1000}', '../..', '#1'
]
const NUMBERS = [0, -0, 1, -1, 50, 100, 100.5, 1e21, 2 ** 31, 2 ** 53, Number.MAX_VALUE, -Number.MAX_VALUE, 5e-324]

/** What a program could pass; JSON holds none of it. */
const NO_JSON = [
  undefined, NaN, Infinity, 1n, Symbol('s'), () => 'a', async () => 'a', new Date(0), /a/, new Map([['a', 1]]), Buffer.from('a'), new Error('e'),
  Object.create({ inherited: true }), Object.freeze({ enabled: true }), circular(),
  new Proxy(shownAs('[no keys]'), { ownKeys () { throw new Error('unreadable') } }),
  Object.defineProperty(shownAs('[no id]'), 'id', { enumerable: true, get () { throw new Error('unreadable') } })
]

/** What fast-check can tell of, though it can not read it. */
function shownAs (text: string) {
  return Object.defineProperty({}, fc.toStringMethod, { value: () => text })
}

function circular () {
  const object: Record<string, unknown> = {}
  object.backends = object.defaults = object.compare = object
  return object
}

const odd = fc.oneof(fc.jsonValue(), fc.constantFrom<unknown>(...TEXTS, ...NUMBERS, true, false, null), fc.object())

/** Options as somebody could write them who knows the schema, and errs. `strays`: what stands where it should not. */
function optionsOf (schema: OptionSchema, strays: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  const { properties } = schema
  const entry = fc.tuple(fc.constantFrom(...ODD_KEYS), strays) as fc.Arbitrary<Entry>
  if (properties === undefined) return fc.array(entry, { maxLength: 2 }).map(toObject)
  const known = Object.entries(properties).map(([key, child]) => {
    return fc.tuple(fc.constantFrom(key, key, snakeCase(key)), valueOf(child, strays)) as fc.Arbitrary<Entry>
  })
  const entries = fc.array(fc.oneof({ weight: 12, arbitrary: fc.oneof(...known) }, { weight: 1, arbitrary: entry }), { maxLength: 5 })
  return entries.map(toObject)
}

function valueOf (schema: OptionSchema, strays: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 8, arbitrary: likely(schema, strays) }, { weight: 1, arbitrary: strays })
}

function likely (given: OptionSchema, strays: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  const schema = shapeOf(given)
  const { type, items, minimum = 0, maximum = 1e6 } = schema as { type?: unknown, items?: OptionSchema, minimum?: number, maximum?: number }
  if (items !== undefined) return fc.array(valueOf(items, strays), { maxLength: 3 })
  if (isContainer(schema)) return fc.oneof(optionsOf(schema, strays), fc.constant(false))
  if (type === 'boolean') return fc.boolean()
  if (type === 'integer') return fc.integer({ min: minimum, max: Math.min(maximum, 2 ** 31 - 1) })
  if (type === 'number') return fc.double({ min: minimum, max: maximum, noNaN: true })
  return fc.constantFrom(...TEXTS)
}

function snakeCase (key: string): string {
  return key.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
}

/** As JSON.parse does: `__proto__` is a key like any other. */
function toObject (entries: Entry[]): object {
  const object = {}
  for (const [key, value] of entries) Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true })
  return object
}

const PROTOTYPES = [Object.prototype, Array.prototype, Function.prototype, String.prototype]
const unpolluted = PROTOTYPES.map(prototype => Reflect.ownKeys(prototype).length)

let accepted = 0
let refused = 0

/** Gives the options to `use`, which takes them, or throws an error of ours. */
async function give (raw: unknown, use: () => unknown): Promise<void> {
  const before = inspect(raw, { depth: 20, showHidden: true })
  try {
    await use()
    accepted++
  } catch (error) {
    const { code } = error as { code?: string }
    if (!code?.startsWith('FST_MIRROR_')) throw error
    refused++
  }
  same(inspect(raw, { depth: 20, showHidden: true }), before, 'the options as they were given')
  same(PROTOTYPES.map(prototype => Reflect.ownKeys(prototype).length), unpolluted, 'prototypes')
}

const anything = fc.oneof(odd, fc.constantFrom(...NO_JSON))

function bothHappened (t: Test): void {
  t.ok(accepted > 20 && refused > 20, `accepted ${accepted}, refused ${refused}`)
  accepted = refused = 0
}

t.test('a route', async t => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(fastifyMirror, { defaults: { backends: ['http://shadow:9000'] }, admin: false })
  let routes = 0
  const options = fc.oneof({ weight: 1, arbitrary: anything }, { weight: 6, arbitrary: optionsOf(mirrorSchema, anything) })
  await holds(t, 'takes the options of a mirror, or refuses them with an error of its own', fc.asyncProperty(options, fc.boolean(), async (raw, inConfig) => {
    const mirror = raw as MirrorOptions
    await give(raw, () => app.get(`/${++routes}`, inConfig ? { config: { mirror } } : { mirror }, () => 'ok'))
  }), 400)
  bothHappened(t)
})

t.test('the plugin', async t => {
  const options = optionsOf(pluginSchema, anything)
  await holds(t, 'reads its options, or refuses them with an error of its own', fc.asyncProperty(fc.oneof(anything, options), raw => {
    return give(raw, () => readPluginOptions(raw))
  }), 400)
  bothHappened(t)

  // Of admin.routeOptions Fastify decides itself, and a thread takes long to start.
  const { admin, thread, prometheus, ...properties } = pluginSchema.properties as Record<string, OptionSchema>
  const quick = optionsOf({ ...pluginSchema, properties }, anything)
  await holds(t, 'is registered with them, or is not', fc.asyncProperty(quick, async raw => {
    const app = Fastify()
    await give(raw, async () => { await app.register(fastifyMirror, raw as object) })
    await app.close().catch(() => {})
  }), 150)
  bothHappened(t)
})

t.test('a switch', async t => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(fastifyMirror, { admin: { onRequest: async () => {} } })
  app.get('/', { mirror: { id: 'a', backends: [{ name: 'v2', url: 'http://shadow:9000' }] } }, () => 'ok')
  await app.ready()

  const backends: OptionSchema = { type: 'object', properties: { v2: backendPatchSchema, ['__proto__' as string]: backendPatchSchema } }
  const patchSchema = { ...mirrorPatchSchema, properties: { ...mirrorPatchSchema.properties, backends } }
  const patch = (strays: fc.Arbitrary<unknown>) => fc.oneof(strays, optionsOf(patchSchema, strays), optionsOf(switchPatchSchema, strays))

  await holds(t, 'of code is taken, or refused with 400', fc.asyncProperty(patch(anything), raw => {
    return give(raw, () => {
      try {
        app.mirrors.update('a', raw as MirrorPatch)
      } catch (error) {
        same((error as { statusCode?: number }).statusCode, 400, 'status code')
        throw error
      }
    })
  }), 300)
  bothHappened(t)

  await holds(t, 'over HTTP is taken, or refused with 400', fc.asyncProperty(patch(odd), fc.constantFrom('/mirrors', '/mirrors/a'), async (raw, url) => {
    const payload = JSON.stringify(raw) ?? ''
    const before = app.mirrors.get('a')
    const { statusCode, body } = await app.inject({ method: 'PATCH', url, payload, headers: { 'content-type': 'application/json' } })
    if (statusCode !== 200) {
      same(statusCode, 400, `status code of ${payload}: ${body}`)
      same(app.mirrors.get('a'), before, 'all or nothing')
      refused++
    } else accepted++
    app.mirrors.updateAll({ enabled: true })
    same(PROTOTYPES.map(prototype => Reflect.ownKeys(prototype).length), unpolluted, 'prototypes')
  }), 300)
  bothHappened(t)
})
