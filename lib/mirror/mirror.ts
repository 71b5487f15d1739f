import type { FastifyRequest } from 'fastify'
import type { IncomingMessage } from 'node:http'
import type {
  CompareRule, CurlSide, EndpointList, MirrorRoute, MirrorSnapshot, MirrorVerdict, Mismatch, MismatchEvent,
  MismatchList, NoiseList, RuleInForce
} from '../../types/index'
import { Backend } from './backend'
import { valueOf } from '../compare/headers'
import { createRedactor } from '../compare/redact'
import { Conditions } from '../decision/conditions'
import { keyReader } from '../decision/key'
import type { KeyReader } from '../decision/key'
import { Sampler } from '../decision/sampler'
import { endpointSteps } from '../endpoints/list'
import type { Engine } from '../engine/types'
import type { Holder } from '../guard'
import type { BoundedLog } from '../log'
import { curlCommand } from '../mismatches/curl'
import { Explainer } from '../mismatches/explainer'
import type { ExampleMemory } from '../mismatches/memory'
import { Places } from '../mismatches/places'
import { MismatchReporter } from '../mismatches/reporter'
import { showPlace } from '../mismatches/show'
import type { MirrorBooks, MirrorSkip } from '../metrics/books'
import { EndpointTotals } from '../metrics/endpoint-totals'
import type { MirrorTotals } from '../metrics/families'
import { LatencyHistograms } from '../metrics/histogram'
import { Lifetime } from '../metrics/lifetime'
import { mirrorSnapshot } from '../metrics/snapshot'
import type { MirrorState } from '../metrics/snapshot'
import { Evidence } from '../noise/evidence'
import type { MirrorConfig } from '../options/config'
import type { MismatchFilter } from '../options/mismatch-query'
import type { MirrorPatch } from '../options/patch'
import { HeadRules, MARK } from './head-rules'
import { Noise } from './noise'
import { Period } from './period'
import { Repeats } from './repeats'
import { RulesInForce } from './rules-in-force'
import { changeMirror } from './switch'
import type { Change, MainSwitch, Settings } from './switch'
import { Judge } from '../verdict/judge'
import { atOnce } from '../steps'
import type { Steps } from '../steps'

const sampler = new Sampler()

/** Who sets rules without a person. */
const BY_AUTO = 'noise.accept'
/** As the options allow. */
const MAX_RULES = 500
const NO_BACKENDS: MirrorPatch['backends'] = new Map()
/** Who sets rules, unless it is said. */
const BY_CODE = 'app.mirrors'

/** The user's, for every mismatch of every mirror; `null`: none. */
export type OnMismatch = ((mismatch: MismatchEvent) => unknown) | null

/** Parts that all mirrors of an app share. */
export interface MirrorContext {
  readonly engine: Engine
  readonly log: BoundedLog
  readonly onMismatch: OnMismatch
  readonly main: Readonly<MainSwitch>
  /** Methods whose body the app never reads. */
  readonly bodyless: ReadonlySet<string>
  /** Whether latencies are counted by size, too. */
  readonly histograms: boolean
  /** Whether requests are counted by endpoint beyond resets. */
  readonly endpointTotals: boolean
  /** The memory for examples of mismatches. */
  readonly examples: ExampleMemory
}

/** A mirror: its options, its decision, its counters and its backends. */
export class Mirror implements MirrorState, Holder {
  readonly config: MirrorConfig
  readonly engine: Engine
  readonly log: BoundedLog
  readonly bodyless: ReadonlySet<string>
  readonly backends: readonly Backend[]
  /** What is asked once more; `null`: nothing. */
  readonly repeats: Repeats | null
  /** What is proposed of it; `null`: nothing is asked once more. */
  readonly noise: Noise | null
  /** The present one. */
  period: Period
  readonly #lifetime = new Lifetime()
  readonly routes: MirrorRoute[] = []
  readonly mismatches: MismatchReporter
  readonly #examples: ExampleMemory
  readonly #endpointTotals: EndpointTotals | null
  readonly #settings: Settings
  readonly #main: Readonly<MainSwitch>
  /** Which headers its copies carry. */
  readonly headRules: HeadRules
  readonly #conditions: Conditions
  readonly #judge: Judge
  rulebook: RulesInForce
  readonly #readKey: KeyReader<FastifyRequest>
  /** Set by the last look for a sampling key. */
  #keyError: unknown = null

  constructor (config: MirrorConfig, context: MirrorContext) {
    const { engine, log, onMismatch, main, bodyless, histograms, endpointTotals, examples } = context
    this.config = config
    this.engine = engine
    this.log = log
    this.bodyless = bodyless
    this.#settings = { enabled: config.enabled, percentage: config.percentage }
    this.#main = main
    this.#examples = examples
    this.#endpointTotals = endpointTotals ? new EndpointTotals(config.maxEndpoints) : null
    this.headRules = new HeadRules(config.removeHeaders)
    this.backends = config.backends.map(backend => {
      return new Backend(backend, config, engine, histograms ? new LatencyHistograms() : null)
    })
    this.repeats = config.noise === null ? null : new Repeats(config.noise, config, this.backends, engine)
    this.noise = config.noise === null ? null : new Noise(config.noise, config, this.backends.length)
    const warn = (message: string, error: unknown) => this.warn(message, error)
    this.mismatches = new MismatchReporter(config, config.compare, onMismatch, warn, suppressed => {
      this.log.warn({ mirror: config.id, suppressed }, 'mirror mismatches were not logged')
    })
    this.period = this.#newPeriod()
    this.#judge = new Judge(config)
    this.rulebook = RulesInForce.ofOptions(config.compare.rules)
    this.#conditions = new Conditions(config.conditions)
    this.#readKey = keyReader(config.sampleBy, error => { this.#keyError = error })
  }

  get mirrorId (): string {
    return this.config.id
  }

  get id (): string {
    return this.config.id
  }

  /** Whether it mirrors: switched on, as all mirrors are. */
  get enabled (): boolean {
    return this.#settings.enabled && this.#main.enabled
  }

  get percentage (): number {
    return this.#settings.percentage
  }

  get rules (): RuleInForce[] {
    return this.rulebook.list()
  }

  /** Takes effect on the next request; copies in flight end as ever. Rules take effect on the next comparison. */
  update (patch: MirrorPatch): Change {
    const change = changeMirror(this.#settings, this.backends, patch)
    if (patch.rules !== undefined && !this.rulebook.isOf(patch.rules)) {
      change.before.rules = this.rulebook.rules
      change.after.rules = patch.rules
      this.#setRules(patch.rules, patch.by ?? BY_CODE)
    }
    return change
  }

  /** What is concluded begins anew; counters and places go on. */
  #setRules (rules: readonly CompareRule[], by: string): void {
    for (const backend of this.backends) backend.setRules(rules)
    this.repeats?.reference?.setRules(rules)
    this.period = this.period.restarted()
    this.rulebook = this.rulebook.changed(rules, by, this.period.since)
    this.period.places.explainer = new Explainer({ ...this.config.compare, rules }, this.period.since.getTime())
  }

  get books (): MirrorBooks {
    return this.period.books
  }

  addRoute (method: string | string[], url: string): void {
    const methods = Array.isArray(method) ? method : [method]
    const known = this.routes.find(route => route.url === url)
    if (known === undefined) this.routes.push({ method: [...methods], url })
    else known.method.push(...methods.filter(one => !known.method.includes(one)))
  }

  /** Why a request is not mirrored, as far as its head says; `null`: the roll decides. */
  skips (raw: IncomingMessage): Exclude<MirrorSkip, 'unsampled'> | null {
    if (!this.enabled) return 'disabled'
    const { headers } = raw
    if (!this.#conditions.matches(raw.method as string, headers, raw.rawHeaders, raw.url as string)) return 'filtered'
    if (headers[MARK] !== undefined) return 'looped'
    return isUpgrade(raw) ? 'upgraded' : null
  }

  /** The request's sampling key, where there is one. A user's function that throws is told by `keyError`. */
  keyOf (request: FastifyRequest): string | undefined {
    // An async function's rejection came too late for the request that it was of.
    this.#keyError = null
    return this.#readKey(request)
  }

  /** The error of the last `keyOf`. `null`: there was none. */
  get keyError (): unknown {
    return this.#keyError
  }

  samples (key: string | undefined): boolean {
    return sampler.chosen(this.percentage, key)
  }

  samplesFor (backend: Backend, key: string | undefined): boolean {
    return sampler.chosenBackend(backend.percentage, key, backend.name)
  }

  /** The mirror itself failed before it could decide about a request: nothing is sent. */
  fail (): void {
    this.books.choose()
    this.books.abandon()
  }

  /** Tells of a fault of mirroring itself, or of a user's function, that went no further. */
  warn (message: string, err: unknown): void {
    this.log.warn({ mirror: this.id, err }, message)
  }

  /** Whether what has been counted allows to release. */
  verdict (): MirrorVerdict {
    return atOnce(this.verdictSteps())
  }

  /** The same, one backend at a step. It is on the period in which it began. */
  * verdictSteps (): Steps<MirrorVerdict> {
    const { period } = this
    const { id, since, endpoints: { judged }, unsampled } = period
    const age = Math.max(0, Date.now() - since.getTime())
    const facts = this.backends.map((backend, index) => ({
      ...backend.facts(period.booksOf(index)),
      explained: period.evidence?.summary(index) ?? null,
      // When its step comes: there may be many of both.
      get endpoints () {
        return judged.map(endpoint => ({ name: endpoint.name, books: period.endpointOf(endpoint, index) }))
      }
    }))
    const ofMirror = { age, unsampled, accepted: this.rulebook.setBy(BY_AUTO) }
    const { verdict, backends } = yield * this.#judge.steps(facts, ofMirror)
    return { id: this.id, verdict, period: id, since: since.toISOString(), backends }
  }

  /** Where answers differ. */
  mismatchList ({ sort, endpoint, limit }: MismatchFilter): MismatchList {
    const { places, ...rest } = this.period.places.index(sort, endpoint)
    const shown = places.slice(0, limit).map(listed => showPlace(listed, this.backends))
    return { ...rest, total: places.length, places: shown }
  }

  /** What differs by itself; without `noise` nothing is known of that. */
  noiseList (): NoiseList {
    const { noise, period } = this
    if (noise === null) return { dismissed: 0, proposals: [] }
    return noise.list(period.evidence as Evidence, this.rulebook.rules)
  }

  /** By the ids of proposals: returns the rules of those that are accepted, and forgets those that are dismissed. */
  decideNoise (accept: readonly string[], dismiss: readonly string[]): CompareRule[] {
    const { noise, period } = this
    if (noise === null) return []
    const evidence = period.evidence as Evidence
    const rules = noise.rulesOf(evidence, this.rulebook.rules, accept)
    noise.dismiss(evidence, dismiss)
    return rules
  }

  /** Rules that need no person are in force from now on, all of a minute as one change. */
  acceptNoise (): void {
    const { noise, period, rulebook } = this
    // Only whoever has repeats calls it.
    const rules = (noise as Noise).due(period.evidence as Evidence, rulebook.rules)
    if (rules.length === 0 || rulebook.rules.length + rules.length > MAX_RULES) return
    this.update({ rules: [...rulebook.rules, ...rules], by: BY_AUTO, backends: NO_BACKENDS })
    this.log.warn({ mirror: this.id, rules }, 'rules were accepted as noise without a person')
  }

  /** The numbers by endpoint. */
  endpoints (): EndpointList {
    return atOnce(this.endpointSteps())
  }

  endpointSteps (): Steps<EndpointList> {
    const names = this.backends.map(({ name }) => name)
    const { period } = this
    return endpointSteps(period.endpoints, names, (endpoint, index) => {
      return this.#judge.endpoint(period.endpointOf(endpoint, index))
    })
  }

  /** Counts and places anew, as after a new version of a backend; requests under way report to what they began in. */
  reset (): void {
    this.#lifetime.add(this.period)
    this.#endpointTotals?.add(this.period)
    for (const backend of this.backends) backend.reset()
    this.repeats?.reset()
    this.period.places.close()
    this.period.evidence?.close()
    this.period = this.#newPeriod()
  }

  #newPeriod (): Period {
    const { backends, config } = this
    const places = new Places(config, config.maxPlaces, backends.length, this.#examples)
    const evidence = this.repeats === null
      ? null
      : new Evidence(config.maxPlaces, backends.length, this.#examples, createRedactor(config.compare.redact))
    return Period.begin(backends.map(({ books }) => books), places, config.maxEndpoints, evidence)
  }

  /**
   * The request of the first example of a place as a curl command, aimed at the shadow or at the primary's side, this
   * app. `base`: its URL there. `undefined`: no such place, no example of it, or no base to aim at.
   */
  curl (place: string, side: CurlSide, base: string | undefined): string | undefined {
    const example = this.period.places.find(place)?.example
    return example === undefined || example === null ? undefined : this.curlOf(example, side, base)
  }

  curlOf (example: Mismatch, side: CurlSide, base: string | undefined): string | undefined {
    const { request } = example
    if (side === 'primary') return base === undefined ? undefined : curlCommand(request, base)
    const backend = this.backends.find(({ name }) => name === example.backend) as Backend
    const headers = this.headRules.endToEnd({ rawHeaders: request.headers, headers: {} }, false)
    const client = valueOf(request.headers, 'host') ?? valueOf(request.headers, ':authority')
    // Marked as the copy was: a shadow may take care that what it is asked has no effect.
    headers.push(MARK, client ?? 'unknown')
    const host = this.config.preserveHost ? client : undefined
    return curlCommand({ ...request, path: request.sentPath, headers }, base ?? backend.url, host)
  }

  /** Counts since the mirror was made, whatever was reset. Only with histograms. */
  totals (): MirrorTotals {
    const { books, backends } = this.#lifetime.totals(this.period)
    return {
      id: this.id,
      enabled: this.enabled,
      repeats: this.repeats !== null,
      books,
      endpoints: this.#endpointTotals?.read(this.period) ?? null,
      backends: this.backends.map(({ name, breaker, histograms }, index) => {
        return { name, breaker, books: backends[index], latency: histograms as LatencyHistograms }
      })
    }
  }

  snapshot (): MirrorSnapshot {
    return mirrorSnapshot(this)
  }
}

/** Node says so itself where it left HTTP; a WebSocket handshake that nobody upgrades is no plain request, either. */
function isUpgrade (raw: IncomingMessage): boolean {
  const { headers } = raw
  return (raw as { upgrade?: boolean }).upgrade === true || raw.method === 'CONNECT' ||
    (headers.upgrade !== undefined && headers.upgrade.toLowerCase() === 'websocket')
}
