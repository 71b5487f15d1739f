import { door } from '../guard'
import type { PrometheusRegistry } from '../../types/index'
import { endpointFamily, families } from './families'
import type { AppTotals, Family } from './families'

/** Tells what an app has counted, when it is asked. */
export type ReadTotals = () => AppTotals

interface Sample {
  value: number
  labels: Readonly<Record<string, string | number>>
  metricName?: string
}

const expositions = new WeakMap<PrometheusRegistry, Exposition>()

/**
 * Lets a registry of prom-client tell what an app counts, until the function that is returned is called. Apps that have
 * a registry in common are told of as one: what has the same labels is summed, as it would be over several instances.
 * @param endpoints whether the app's are told, too
 * @throws prom-client's error when the registry has another metric of such a name
 */
export function expose (register: PrometheusRegistry, read: ReadTotals, endpoints = false): () => void {
  const exposition = expositions.get(register) ?? new Exposition(register)
  exposition.join(read, endpoints)
  expositions.set(register, exposition)
  return () => exposition.leave(read)
}

/** The metrics of all apps that share a registry. */
class Exposition {
  readonly #register: PrometheusRegistry
  readonly #apps = new Set<ReadTotals>()
  readonly #metrics = families.map(family => this.#metricOf(family))
  readonly #ofEndpoints = this.#metricOf(endpointFamily)
  #totals: AppTotals[] | null = null

  constructor (register: PrometheusRegistry) {
    this.#register = register
  }

  #metricOf (family: Family): Metric {
    return new Metric(family, () => this.#read())
  }

  join (app: ReadTotals, endpoints: boolean): void {
    try {
      // Again, too, for those that are there: somebody may have cleared the registry.
      for (const metric of this.#metrics) this.#register.registerMetric(metric)
      if (endpoints) this.#register.registerMetric(this.#ofEndpoints)
    } catch (error) {
      if (this.#apps.size === 0) this.#remove()
      throw error
    }
    this.#apps.add(app)
  }

  leave (app: ReadTotals): void {
    this.#apps.delete(app)
    if (this.#apps.size === 0) this.#remove()
  }

  #remove (): void {
    for (const metric of [...this.#metrics, this.#ofEndpoints]) {
      const { name } = metric.family
      if (this.#register.getSingleMetric(name) === metric) this.#register.removeSingleMetric(name)
    }
  }

  /** Once for all metrics of a scrape, which are read in one turn: so that they add up, and to sum only once. */
  #read (): AppTotals[] {
    if (this.#totals === null) {
      this.#totals = Array.from(this.#apps, app => app())
      queueMicrotask(door(() => { this.#totals = null }))
    }
    return this.#totals
  }
}

/** A metric as prom-client's registry asks for it; the values are made when they are read. */
class Metric {
  /** prom-client takes `_total` off it where it writes OpenMetrics. */
  name: string
  readonly family: Family
  /** The processes of a cluster are added up. */
  readonly aggregator = 'sum'
  readonly #read: () => AppTotals[]

  constructor (family: Family, read: () => AppTotals[]) {
    this.name = family.name
    this.family = family
    this.#read = read
  }

  get type (): Family['type'] {
    return this.family.type
  }

  async get () {
    const { name, type, aggregator } = this
    const samples: Sample[] = []
    const apps = this.#read()
    for (const app of apps) {
      this.family.read(app, (labels, value, suffix) => {
        samples.push(suffix === undefined ? { value, labels } : { value, labels, metricName: name + suffix })
      })
    }
    return { name, help: this.family.help, type, aggregator, values: apps.length > 1 ? summed(samples) : samples }
  }

  /** `registry.resetMetrics()`: these counters count for as long as the app runs. */
  reset (): void {}
}

/** Adds up metrics of the same name and labels. */
function summed (samples: readonly Sample[]): Sample[] {
  const byLabels = new Map<string, Sample>()
  for (const sample of samples) {
    const key = JSON.stringify([sample.metricName, sample.labels])
    const other = byLabels.get(key)
    if (other === undefined) byLabels.set(key, sample)
    else other.value += sample.value
  }
  return [...byLabels.values()]
}
