import type { FastifyInstance } from 'fastify'
import { setTimeout as delay } from 'node:timers/promises'
import type { MirrorVerdict, MismatchPlace, NoiseProposal } from '../../types'
import { startApi } from './api'
import { startGateway } from './gateway'
import { REGRESSIONS } from './regressions'
import type { Regression } from './regressions'
import { Traffic } from './traffic'

export interface TrialOptions {
  random: () => number
  /** Requests a second at most. */
  rate: number
  /** Requests from one look at the proposals to the next. */
  batch: number
  /** Requests after which what is found is counted. */
  search: number
  /** Of an endpoint's answers, the share that may differ. */
  maxEndpointMismatchRate: number
  /** Hears of each step. */
  tell (line: string): void
}

/** What came of the trial. */
export interface TrialResult {
  /** Requests up to the last proposal that was accepted, and in all. */
  learned: number
  requests: number
  /** Places of mismatches before any proposal was accepted, and after the last. */
  before: number
  after: number
  accepted: NoiseProposal[]
  found: Regression[]
  hidden: Regression[]
  /** Places that belong to no regression. */
  alarms: MismatchPlace[]
  /** Those that were still found when they had been mended. */
  staying: Regression[]
  verdict: MirrorVerdict
}

/** Requests without a new proposal, in batches, after which none is awaited any more. */
const QUIET_BATCHES = 4

/** Runs v2 with its regressions, accepts what is proposed as noise, counts what is found, and mends it bit by bit. */
export async function runTrial (options: TrialOptions): Promise<TrialResult> {
  const faults = new Set(REGRESSIONS.map(({ name }) => name))
  const v1 = { has: () => false }
  const apis = await Promise.all([startApi(v1), startApi({ has: name => faults.has(name) }), startApi(v1)])
  const app = await startGateway(apis[0].url, apis[1].url, apis[2].url, options.maxEndpointMismatchRate)
  const traffic = new Traffic(app.listeningOrigin, options.random, options.rate)
  try {
    return await new Trial(app, traffic, faults, options).run()
  } finally {
    await traffic.close()
    await app.close()
    await Promise.all(apis.map(api => api.close()))
  }
}

class Trial {
  readonly #app: FastifyInstance
  readonly #traffic: Traffic
  readonly #faults: Set<string>
  readonly #options: TrialOptions

  constructor (app: FastifyInstance, traffic: Traffic, faults: Set<string>, options: TrialOptions) {
    this.#app = app
    this.#traffic = traffic
    this.#faults = faults
    this.#options = options
  }

  async run (): Promise<TrialResult> {
    const { search, tell } = this.#options
    const { accepted, before, learned } = await this.#learn()
    tell(`${learned} requests: ${accepted.length} proposals accepted, ${before} places before`)

    // What is rare at an endpoint that is rare is proposed later.
    do {
      this.#reset()
      await this.#send(search)
    } while (this.#accept(accepted))
    const places = this.#places()
    const found = REGRESSIONS.filter(regression => this.#isFound(regression, places))
    const hidden = REGRESSIONS.filter(regression => !found.includes(regression))
    const alarms = places.filter(place => !REGRESSIONS.some(regression => belongsTo(place, regression)))
    tell(`${this.#traffic.sent} requests: ${found.length} of ${REGRESSIONS.length} found, ${places.length} places`)

    const staying: Regression[] = []
    for (const regression of found) {
      this.#faults.delete(regression.name)
      // Mended, a value may be noise that was not to be seen before.
      do {
        this.#reset()
        await this.#send(search / 4)
      } while (this.#accept(accepted))
      if (this.#isFound(regression, this.#places())) staying.push(regression)
      else tell(`${this.#traffic.sent} requests: ${regression.name} is mended`)
    }
    this.#faults.clear()
    this.#reset()
    const verdict = await this.#decided()
    const requests = this.#traffic.sent
    return { learned, requests, before, after: places.length, accepted, found, hidden, alarms, staying, verdict }
  }

  /** Accepts proposals until none comes any more. */
  async #learn () {
    const accepted: NoiseProposal[] = []
    let before = 0
    let learned = 0
    for (let quiet = 0; quiet < QUIET_BATCHES; quiet++) {
      await this.#send(this.#options.batch)
      if (accepted.length === 0) before = this.#places().length
      if (!this.#accept(accepted)) continue
      learned = this.#traffic.sent
      quiet = -1
    }
    return { accepted, before, learned }
  }

  /** Accepts all that is proposed, which begins a period. `false`: nothing is. */
  #accept (accepted: NoiseProposal[]): boolean {
    const proposals = this.#app.mirrors.noise('api')?.proposals ?? []
    if (proposals.length === 0) return false
    this.#app.mirrors.decideNoise('api', { accept: proposals.map(({ id }) => id) })
    accepted.push(...proposals)
    return true
  }

  /** Until the verdict is no longer that there is too little. */
  async #decided (): Promise<MirrorVerdict> {
    for (let tries = 0; tries < 30; tries++) {
      await this.#send(this.#options.batch)
      const verdict = this.#app.mirrors.verdict('api') as MirrorVerdict
      if (verdict.verdict !== 'not enough data') return verdict
    }
    return this.#app.mirrors.verdict('api') as MirrorVerdict
  }

  #reset (): void {
    this.#app.mirrors.reset('api')
  }

  #places (): MismatchPlace[] {
    return this.#app.mirrors.mismatches('api', { limit: 1000 })?.places ?? []
  }

  #isFound (regression: Regression, places: MismatchPlace[]): boolean {
    if (regression.at !== null) return places.some(place => belongsTo(place, regression))
    const endpoints = this.#app.mirrors.endpoints('api')?.endpoints ?? []
    const v2 = endpoints.find(({ name }) => name === regression.endpoint)?.backends[0]
    return v2?.verdict === 'not ready' && v2.slower > 0
  }

  /** Sends so many, and waits until all copies are compared. */
  async #send (count: number): Promise<void> {
    await this.#traffic.send(count)
    const idle = () => {
      return this.#app.mirrors.get('api')?.backends.every(({ inFlight, comparing }) => inFlight + comparing === 0)
    }
    while (!idle()) await delay(20)
    // Numbers are made once a second at most.
    await delay(1000)
  }
}

function belongsTo (place: MismatchPlace, { endpoint, at }: Regression): boolean {
  return at !== null && place.endpoint === endpoint && place.where.includes(at)
}
