import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { modes } from './helpers/gateway'
import { exampleEnvironment } from './helpers/process'
import { seeded } from './helpers/random'
import type { SoakResult } from './soak/soak'
import { trendOf } from './soak/trend'

t.setTimeout(600_000)

t.test('a leak is told from noise', async t => {
  /** Ten minutes of samples, a second apart, of what grows by so many MiB a minute, with noise that lasts. */
  function samples (growth: number, seed: number) {
    const random = seeded(seed)
    let noise = 0
    return Array.from({ length: 600 }, (_, second) => {
      noise = noise * 0.95 + (random() - 0.5) * 4
      return { minutes: second / 60, value: 200 + growth * second / 60 + noise }
    })
  }
  for (let seed = 1; seed <= 20; seed++) {
    t.ok(trendOf(samples(0, seed)).interval[0] < 1, 'noise alone is none')
    t.ok(trendOf(samples(3, seed)).interval[0] > 1, 'a leak is one')
  }
  const { slope, interval, r2 } = trendOf(Array.from({ length: 600 }, (_, second) => ({ minutes: second / 60, value: second })))
  t.same([slope, ...interval, r2].map(Math.round), [60, 60, 60, 1])
  t.match(trendOf(samples(3, 1).slice(0, 20)), { slope: NaN, mean: Number })
})

for (const { mode, plugin } of modes) {
  t.test(`${mode}: whatever clients and shadows do at once, answers are right, books close and nothing is left`, async t => {
    const file = join(t.testdir(), 'soak.json')
    const how = plugin.thread ? ['--thread'] : []
    // tap gives NODE_OPTIONS back to every process; with its loader threads would not find their files.
    const child = spawn('env', [
      '-u', 'NODE_OPTIONS', process.execPath,
      '--import', 'tsx', 'test/soak/index.ts', '--minutes', '1', '--seed', '1', '--json', file, ...how
    ], { cwd: join(__dirname, '..'), env: exampleEnvironment(), stdio: ['ignore', 'ignore', 'pipe'] })
    t.teardown(() => child.kill('SIGKILL'))
    let stderr = ''
    child.stderr.setEncoding('utf8').on('data', text => { stderr += text })
    await once(child, 'close')

    t.equal(child.exitCode, 0, stderr)
    const { traffic, shadows, totals, faults } = JSON.parse(readFileSync(file, 'utf8')) as SoakResult
    t.strictSame(faults, [], 'nothing went wrong')
    t.equal(traffic.wrong, 0, 'no answer was wrong')
    t.ok(traffic.requests > 100 && traffic.left > 0, 'though there was traffic')
    t.ok(Object.keys(shadows.faults).length > 5, 'and faults of many kinds')
    const of = (pattern: RegExp) => Object.entries(totals).reduce((sum, [name, count]) => pattern.test(name) ? sum + count : sum, 0)
    t.ok(of(/^fastify_mirror_comparisons_total\{.*"mismatched"/) > 0, 'of which some were found by comparing')
    t.ok(of(/^fastify_mirror_outcomes_total\{.*outcome="(timeout|reset|body|connect)"/) > 0, 'and some copies failed')
  })
}
