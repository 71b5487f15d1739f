import t from 'tap'
import { random } from '../examples/trial/random'
import { runTrial } from '../examples/trial/run'
import { tableOf } from '../examples/trial/table'

t.test('of a noisy API what is wrong is found, and what is noise is proposed', async t => {
  const lines: string[] = []
  const result = await runTrial({
    random: random(7), rate: Infinity, batch: 1500, search: 3000, maxEndpointMismatchRate: 0.2, tell: line => lines.push(line)
  })
  t.ok(lines.length > 2)
  t.match(tableOf(result), /^regressions found +\d+: .*\bstatus\b/m)
  const accepted = new Set(result.accepted.map(({ rule }) => Object.keys(rule).at(-1)))
  for (const kind of ['format', 'tolerance', 'unordered']) t.ok(accepted.has(kind), kind)
  t.ok(result.before > 50, `${result.before} places at first`)
  t.ok(result.after < result.before / 2, `${result.after} places in the end`)
  // Those that show in nearly every answer, or in one of ten.
  const found = result.found.map(({ name }) => name)
  for (const name of ['cookie', 'id', 'graphql', 'null', 'cent']) t.ok(found.includes(name), `${name} is found`)
  for (const name of ['cookie', 'graphql', 'cent']) {
    t.notOk(result.staying.some(regression => regression.name === name), `${name} goes once it is mended`)
  }
})
