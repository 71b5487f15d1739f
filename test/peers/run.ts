import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { MirrorSnapshot } from '../../types/index'
import { imbalances } from '../helpers/books'
import { FILE, runFiles } from './run-files'
import type { Result } from './run-files'
import { buildPlugin, cache, fetchSuite, filesOf, lockedVersion, suites } from './suites'
import type { Suite } from './suites'
import { BARE, QUICK_WAYS, WAYS, makeWays } from './ways'
import type { Way } from './ways'

// The test suites of Fastify, reply-from and http-proxy, with a mirror on every route. What passes without the plugin passes with it, but for
// the tests in known-failures.json, each with its reason; and the mirrors' books close at the end of every process.

interface Known { suite: string, file: string, test: string, reason: string }
interface Report { apps: number, routes: number, faults: string[], mirrors: MirrorSnapshot[] }

const HELP = `Usage: npm run test:peers -- [--suite <names>] [--ways <names>] [--files <regular expression>] [--quick] [--errors]
  --suite   ${suites.map(({ name }) => name).join(',')}
  --ways    ${WAYS.join(',')}
  --files   only test files whose path matches
  --quick   Fastify's files about answering requests only, and the ways ${QUICK_WAYS.join(',')}
  --errors  show what the failures are, the known ones too`

/** A test that fails is tried again, alone, so often: many race with their own timers. */
const RETRIES = 2

async function main (): Promise<void> {
  const { values } = parseArgs({
    options: {
      suite: { type: 'string', default: suites.map(({ name }) => name).join(',') },
      ways: { type: 'string' },
      files: { type: 'string', default: '' },
      quick: { type: 'boolean', default: false },
      errors: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false }
    }
  })
  if (values.help) return console.log(HELP)
  const wayNames = listOf('ways', values.ways ?? (values.quick ? QUICK_WAYS : WAYS).join(','), WAYS)
  const chosen = listOf('suite', values.suite, suites.map(({ name }) => name))

  const plugin = await buildPlugin()
  const ways = (await makeWays()).filter(({ name }) => name === BARE || wayNames.includes(name))
  const known: Known[] = JSON.parse(await readFile(join(__dirname, 'known-failures.json'), 'utf8'))
  let bad = 0

  row('suite', 'version', 'way', 'passed', 'failed', 'known', 'new', 'unsteady', 'apps', 'routes', 'copies', 'seconds')
  for (const suite of suites.filter(({ name }) => chosen.includes(name))) {
    const version = await lockedVersion(suite.package)
    const dir = await fetchSuite(suite, version)
    const files = (await filesOf(suite, dir, values.quick)).filter(file => new RegExp(values.files).test(file))
    const ofSuite = known.filter(entry => entry.suite === suite.name && files.includes(entry.file))
    const idle = new Set(ofSuite)
    /** What fails without the plugin, too. */
    let bare = new Set<string>()
    for (const way of ways) {
      const begun = performance.now()
      const run = await runWay(suite, dir, files, way, plugin, result => {
        return way.plugin === null || !(bare.has(keyOf(result)) || ofSuite.some(entry => isOf(entry, result)))
      })
      const failed = run.results.filter(({ outcome }) => outcome === 'failed')
      if (way.plugin === null) bare = new Set(failed.map(keyOf))
      const added = way.plugin === null ? [] : failed.filter(result => !bare.has(keyOf(result)))
      const ofKnown = added.filter(result => ofSuite.some(entry => isOf(entry, result)))
      const news = added.filter(result => !ofKnown.includes(result))
      for (const result of ofKnown) for (const entry of ofSuite) if (isOf(entry, result)) idle.delete(entry)

      row(
        suite.name, version, way.name, count(run.results, 'passed'), failed.length, ofKnown.length, news.length, run.unsteady.length,
        run.apps, run.routes, run.copies, Math.round((performance.now() - begun) / 1000)
      )
      if (way.plugin !== null && run.apps === 0) run.faults.push('no app had the plugin')
      bad += news.length + run.faults.length
      const where = `${suite.name}, ${way.name}`
      for (const result of news) console.log(`NEW FAILURE  ${where}: ${keyOf(result)}\n${indent(result.error)}`)
      for (const fault of run.faults) console.log(`FAULT  ${where}: ${fault}`)
      for (const result of run.unsteady) console.log(`unsteady  ${where}: ${keyOf(result)}${values.errors ? '\n' + indent(result.error) : ''}`)
      if (way.plugin === null) for (const result of failed) console.log(`fails without the plugin  ${suite.name}: ${keyOf(result)}`)
      if (values.errors) for (const result of ofKnown) console.log(`known  ${where}: ${keyOf(result)}\n${indent(result.error)}`)
    }
    if (ways.length > 1) for (const { file, test } of idle) console.log(`KNOWN FAILURE THAT PASSES  ${suite.name}: ${file}: ${test}`)
  }
  if (bad > 0) throw new Error(`${bad} new failures or faults`)
}

interface Run { results: Result[], unsteady: Result[], faults: string[], apps: number, routes: number, copies: number }

/** `matters`: whether a failure is tried again. */
async function runWay (
  suite: Suite, dir: string, files: readonly string[], way: Way, plugin: string, matters: (failure: Result) => boolean
): Promise<Run> {
  const report = join(cache, 'peers', `report-${process.pid}.jsonl`)
  await rm(report, { force: true })
  const settings = { plugin, fastify: join(dir, suite.fastify), report, options: way.plugin }
  const preload = way.plugin === null ? null : join(__dirname, 'preload.js')
  const env = { EVERY_ROUTE: JSON.stringify(settings) }

  let results = await runFiles(dir, files, preload, env)
  const unsteady: Result[] = []
  for (let i = 0; i < RETRIES; i++) {
    const failures = results.filter(result => result.outcome === 'failed' && matters(result))
    if (failures.length === 0) break
    const again = await runFiles(dir, [...new Set(failures.map(({ file }) => file))], preload, env, 1)
    const passed = new Set(again.filter(({ outcome }) => outcome === 'passed').map(keyOf))
    // A file that fails as a whole has no test of that name when all is well.
    const whole = new Set(again.filter(({ outcome }) => outcome === 'failed').map(({ file }) => file))
    const steady = (result: Result) => !(passed.has(keyOf(result)) || (result.name === FILE && !whole.has(result.file)))
    unsteady.push(...failures.filter(failure => !steady(failure)))
    results = results.map(result => failures.includes(result) && !steady(result) ? { ...result, outcome: 'passed' } : result)
  }

  const reports = (await readFile(report, 'utf8').catch(() => '')).split('\n').filter(Boolean).map(line => JSON.parse(line) as Report)
  await rm(report, { force: true })
  const mirrors = reports.flatMap(({ mirrors }) => mirrors)
  return {
    results,
    unsteady,
    faults: [...reports.flatMap(({ faults }) => faults), ...mirrors.flatMap(mirror => imbalances(mirror))],
    apps: sum(reports.map(({ apps }) => apps)),
    routes: sum(reports.map(({ routes }) => routes)),
    copies: sum(mirrors.flatMap(({ backends }) => backends.map(({ total }) => total)))
  }
}

function listOf (option: string, text: string, all: readonly string[]): string[] {
  const names = text.split(',')
  for (const name of names) if (!all.includes(name)) throw new Error(`--${option} ${name} is none of ${all.join(', ')}`)
  return names
}

function keyOf ({ file, name }: Result): string {
  return `${file}: ${name}`
}

function isOf ({ file, test }: Known, result: Result): boolean {
  // What contains a test fails with it.
  return result.file === file && (result.name === test || test.startsWith(`${result.name} > `))
}

function count (results: readonly Result[], outcome: Result['outcome']): number {
  return results.filter(result => result.outcome === outcome).length
}

function sum (numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

function indent (text = ''): string {
  return text.split('\n').slice(0, 25).map(line => `    ${line}`).join('\n')
}

const WIDTHS = [11, 9, 16]

function row (...cells: Array<string | number>): void {
  console.log(cells.map((cell, i) => i < WIDTHS.length ? String(cell).padEnd(WIDTHS[i]) : String(cell).padStart(9)).join(''))
}

main().catch(error => {
  console.error(error.message)
  process.exitCode = 1
})
