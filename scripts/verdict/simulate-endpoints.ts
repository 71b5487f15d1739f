import { EndpointBooks, KIND } from '../../lib/endpoints/books'
import { readMirrorOptions } from '../../lib/options'
import { EndpointJudge } from '../../lib/verdict/endpoints'
import type { EndpointFacts } from '../../lib/verdict/endpoints'
import { MAX_SLOWER, sharesOf } from '../../lib/verdict/judge'
import { RateTest } from '../../lib/verdict/sequential'

const { verdict, maxEndpoints } = readMirrorOptions({ backends: ['http://shadow'] }, {}, { method: 'GET', url: '/' })
const { own, endpoint: errors } = sharesOf({ verdict, maxEndpoints, backends: [null] })
const COUNT = 30
/** Requests from one look for `ready` to the next. */
const LOOK = 100
const NAMED_BY = 40_000
const LENGTH = 120_000
const ZERO_AGE = { confidence: verdict.confidence, age: 0 }

/** Shares of the traffic: one endpoint with 0.5 %, the others as unlike as those of a real API, none under 0.8 %. */
function sharesOfTraffic (): number[] {
  const weights = Array.from({ length: COUNT - 1 }, (_, i) => 1 / (i + 1))
  const sum = weights.reduce((total, weight) => total + weight)
  return [0.005, ...weights.map(weight => 0.995 * weight / sum)]
}

class Traffic {
  readonly endpoints: EndpointFacts[]
  readonly judge = new EndpointJudge(verdict, true, errors, MAX_SLOWER)
  readonly #cumulative: number[] = []
  readonly #rates: readonly number[]
  readonly #random: () => number

  constructor (rates: readonly number[], random: () => number) {
    this.endpoints = rates.map((_, i) => ({ name: `GET /${i}`, books: new EndpointBooks() }))
    let sum = 0
    for (const share of sharesOfTraffic()) this.#cumulative.push(sum += share)
    this.#rates = rates
    this.#random = random
  }

  /** One request. Returns its endpoint where its answers differ; -1: they match. */
  next (): number {
    const roll = this.#random()
    let i = 0
    while (i < COUNT - 1 && roll > this.#cumulative[i]) i++
    const differs = this.#random() < this.#rates[i]
    this.endpoints[i].books.counts[differs ? KIND.mismatched : KIND.matched]++
    return differs ? i : -1
  }
}

export interface EndpointOutcome {
  /** Shares of the runs. */
  readonly ready: number
  readonly named: number
  readonly notReady: number
}

/** One of the endpoints is wrong in `rate` of its own answers, the others never: what comes of it in so many runs. */
export function simulateOneWrong (runs: number, rate: number, random: () => number): EndpointOutcome {
  let ready = 0
  let named = 0
  let notReady = 0
  for (let run = 0; run < runs; run++) {
    const outcome = runOneWrong(rate, random)
    ready += Number(outcome.ready)
    named += Number(outcome.named)
    notReady += Number(outcome.notReady)
  }
  return { ready: ready / runs, named: named / runs, notReady: notReady / runs }
}

function runOneWrong (rate: number, random: () => number) {
  const traffic = new Traffic(Array.from({ length: COUNT }, (_, i) => i === 0 ? rate : 0), random)
  const { judge, endpoints } = traffic
  const whole = new RateTest(verdict.maxMismatchRate, own)
  const wrong = endpoints[0].books
  const found = { ready: false, named: false, notReady: false }
  for (let total = 1; total <= LENGTH; total++) {
    if (traffic.next() === 0 && judge.judge(wrong) === 'bad') found.notReady = true
    if (total % LOOK !== 0) continue
    if (total <= NAMED_BY && !found.named && total % (LOOK * LOOK) === 0) {
      found.named = judge.reasons(endpoints, total, ZERO_AGE)
        .some(reason => reason.endpoints?.some(({ name }) => name === endpoints[0].name))
    }
    // Others are only looked at where the wrong one does not stand in the way.
    if (wrong.compared >= verdict.minEndpointShare * total && judge.judge(wrong) !== 'good') continue
    if (whole.judge({ count: wrong.mismatched, total }) !== 'good') continue
    if (judge.reasons(endpoints, total, ZERO_AGE).every(({ state }) => state === 'good')) found.ready = true
  }
  return found
}

/** All endpoints are wrong at one rate, that of the limit: in what share of the runs any is ever accused. */
export function simulateAllWrong (runs: number, random: () => number, rate = verdict.maxEndpointMismatchRate): number {
  let accused = 0
  for (let run = 0; run < runs; run++) {
    const traffic = new Traffic(new Array(COUNT).fill(rate), random)
    for (let total = 1; total <= LENGTH; total++) {
      const i = traffic.next()
      if (i === -1 || traffic.judge.judge(traffic.endpoints[i].books) !== 'bad') continue
      accused++
      break
    }
  }
  return accused / runs
}
