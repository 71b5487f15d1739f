import { RE2JS } from 're2js'
import t from 'tap'
import { Conditions } from '../../lib/decision/conditions'
import { keyReader } from '../../lib/decision/key'
import { Sampler } from '../../lib/decision/sampler'
import { MismatchReporter } from '../../lib/mismatches/reporter'
import { startBackend } from '../helpers/backend'
import { booksClose } from '../helpers/books'
import { gc } from '../helpers/gc'
import { keepAlive, modes, startGateway } from '../helpers/gateway'
import { TestPlaces, differenceOf } from '../helpers/places'
import { until } from '../helpers/until'

const MiB = 1024 * 1024

/** Bytes that are in use. */
function heap (): number {
  gc()
  return process.memoryUsage().heapUsed
}

t.test('a hundred thousand keys, paths and kinds of mismatches take no more memory than the first of them', async t => {
  const conditions = new Conditions({ methods: null, headers: [['x-key', true]], pathRegex: RE2JS.compile('^/(?:a|b)+/\\d+$') })
  const failed = (error: unknown) => { throw error }
  const readKey = keyReader<{ headers: Record<string, string> }>('x-key', failed)
  const sampler = new Sampler()
  const reporter = new MismatchReporter({ id: 'flood' }, { logMismatches: false, detailedDiff: true, redact: [] }, null, failed, failed)
  const places = new TestPlaces(100)
  let chosen = 0
  const flood = (from: number, to: number) => {
    for (let i = from; i < to; i++) {
      const headers = { 'x-key': `key-${i}-${'k'.repeat(50)}` }
      const path = `/abba/${i}`
      if (conditions.matches('GET', headers, ['x-key', headers['x-key']], path) && sampler.chosenBackend(50, readKey({ headers }), `${i}`)) chosen++
      const request = { method: 'POST', path, sentPath: path, headers: ['x-key', headers['x-key']], body: Buffer.from(`body ${i}`), complete: true }
      const difference = differenceOf({
        primaryStatus: 200,
        shadowStatus: 200 + i % 400,
        primaryHash: `${i}`.padEnd(64, '0'),
        shadowHash: `${i}`.padEnd(64, '1'),
        headers: [{ name: `x-${word(i)}`, primary: [`${i}`], shadow: [] }],
        body: { kind: 'json', truncated: false, differences: [{ change: 'changed', pointer: `/${word(i)}/${word(i * 7)}`, primary: `${i}`, shadow: 'null' }] }
      })
      reporter.report({ places, endpoint: places.endpoint('POST /abba/*'), backend: 0, name: 'shadow', request, difference, log: null })
    }
  }
  flood(0, 10_000)
  const before = heap()
  flood(10_000, 110_000)
  const grown = heap() - before
  t.ok(grown < 8 * MiB, `grown by ${grown} bytes`)
  t.ok(chosen > 50_000 && chosen < 60_000, `half of the keys are chosen: ${chosen}`)
  const { places: all, limited } = places.list()
  t.equal(all.length, 101)
  t.ok(limited)
  t.ok(all.reduce((sum, { count }) => sum + count, 0) >= 110_000, 'and each is counted')
})

/** Another name for each number, which looks like none. */
function word (i: number): string {
  let name = ''
  for (let rest = i + 1; rest > 0; rest = Math.floor(rest / 26)) name += String.fromCharCode(97 + rest % 26)
  return name
}

for (const { mode, plugin } of modes) {
  t.test(`${mode}: an app does not remember who asked for what`, async t => {
    const primary = async () => 'ok'
    const shadow = await startBackend(t, (_, response) => response.end(`{"a":${Math.random()}}`))
    const gateway = await startGateway(t, {
      plugin,
      routes: app => {
        app.get('/*', {
          mirror: {
            sampleBy: 'x-key', backends: [{ url: shadow.url, name: 'shadow' }], breaker: false, maxInFlight: 1000, timeout: 60_000, compare: { enabled: true, detailedDiff: true }
          }
        }, primary)
      }
    })
    const client = keepAlive(t, gateway.url)
    const flood = async (from: number, to: number) => {
      for (let i = from; i < to; i++) {
        const { body } = await client.request({ method: 'GET', path: `/${word(i)}`, headers: { 'x-key': `${i}`, [`x-${word(i)}`]: 'x'.repeat(1000) } })
        await body.dump()
      }
      await until('all copies are compared', () => gateway.backend().mismatched === to)
      shadow.requests.length = 0
    }
    await flood(0, 500)
    const before = heap()
    await flood(500, 2500)
    const grown = heap() - before
    t.ok(grown < 8 * MiB, `grown by ${grown} bytes`)
    booksClose(t, gateway.mirror())
  })
}

t.test('a path regex of repetitions within repetitions is read in linear time', async t => {
  const path = '/' + 'a'.repeat(8 * 1024 - 2) + '!'
  for (const pattern of ['^/(a+)+$', '^/(a|aa)+$', '^/(a|a?)+$', '^/(.*a){20}$', '(?:a*)*b$', '^(([a-z])+.)+[A-Z]([a-z])+$', '(x+x+)+y', '^/(a{0,10}){0,10}$']) {
    const conditions = new Conditions({ methods: null, headers: [], pathRegex: RE2JS.compile(pattern) })
    let least = Infinity
    for (let i = 0; i < 20 && least > 50; i++) {
      // Time of this process alone: others may be busy.
      const begun = process.cpuUsage()
      t.equal(conditions.matches('GET', {}, [], path), false)
      const { user, system } = process.cpuUsage(begun)
      least = Math.min(least, (user + system) / 1000)
    }
    t.ok(least < 50, `${pattern}: ${least} ms`)
  }
})
