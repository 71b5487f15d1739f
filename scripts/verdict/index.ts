// npm run verdict:simulate -- [--limit 0.001] [--confidence 0.95] [--runs 2000] [--length 200000] [--seed 1] [--slowdown] [--endpoints]
//
// How often the verdict's test is right and wrong, and after how many comparisons, by simulation. For true rates from 0 to 10 times the limit:
// the share of runs that were ever found good (`ready`, as far as this test goes) or bad (`not ready`), looked at after every comparison.
import { parseArgs } from 'node:util'
import { RateTest } from '../../lib/verdict/sequential'
import { shareErrors } from '../../lib/verdict/shares'
import { seeded, simulate } from './simulate'
import { simulateAllWrong, simulateOneWrong } from './simulate-endpoints'

const { values } = parseArgs({
  options: {
    limit: { type: 'string', default: '0.001' },
    confidence: { type: 'string', default: '0.95' },
    runs: { type: 'string', default: '2000' },
    length: { type: 'string' },
    seed: { type: 'string', default: '1' },
    slowdown: { type: 'boolean', default: false },
    endpoints: { type: 'boolean', default: false }
  }
})
const limit = Number(values.limit)
const confidence = Number(values.confidence)
const runs = Number(values.runs)
// Two hundred at the limit, which is 200,000 for the usual one.
const length = Number(values.length ?? Math.round(200 / limit))
const seed = Number(values.seed)

const FACTORS = [0, 0.1, 0.25, 0.5, 0.75, 0.9, 1, 1.1, 1.25, 1.5, 2, 3, 5, 10]

const { own } = shareErrors(confidence, { own: values.slowdown ? 3 : 2, endpoint: 1 })
const test = new RateTest(limit, own)
const random = seeded(seed)

if (values.endpoints) tellEndpoints()
else tellRates()

function tellRates (): void {
  console.log(`limit ${limit}, confidence ${confidence}, ${runs} runs of ${length} comparisons, seed ${seed}`)
  console.log(
    `may err: ready of a rate at or over the limit ${percent(own.good)}, not ready of one at or under it ${percent(own.bad)}\n`
  )
  console.log('| true rate | ever ready | half of the runs by | ever not ready | half of the runs by |')
  console.log('|---:|---:|---:|---:|---:|')
  for (const factor of FACTORS) {
    const rate = factor * limit
    if (rate > 1) continue
    const { good, bad, goodAt, badAt } = simulate(test, rate, runs, length, random)
    console.log(`| ${factor} × limit | ${percent(good)} | ${goodAt ?? '–'} | ${percent(bad)} | ${badAt ?? '–'} |`)
  }
}

/** Of 30 endpoints one is wrong, or all are just at their limit; the usual limits, 120,000 requests. */
function tellEndpoints (): void {
  const { ready, named, notReady } = simulateOneWrong(runs, 0.05, random)
  console.log(`30 endpoints, ${runs} runs of 120000 comparisons, seed ${seed}\n`)
  console.log('One has 0.5 % of the traffic and is wrong in 5 % of its own answers:')
  console.log(
    `ever ready: ${percent(ready)}; named within 40000: ${percent(named)}; not ready within 120000: ${percent(notReady)}`
  )
  console.log(`All are wrong at just their limit: any is ever accused: ${percent(simulateAllWrong(runs, random))}`)
}

function percent (share: number): string {
  return `${Number((100 * share).toFixed(2))} %`
}
