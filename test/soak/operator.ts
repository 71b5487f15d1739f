import { setTimeout as delay } from 'node:timers/promises'
import { Client } from 'undici'
import type { MirrorSnapshot } from '../../types/index'
import { imbalances } from '../helpers/books'
import { samplesOf } from '../helpers/exposition'
import { GUARD } from './mirrors'
import { Random } from './random'

/** What is read under `/mirrors`, after the mirror's id where it begins with one. */
const READ = ['', '/:id', '/:id/mismatches', '/:id/verdict', '/:id/mismatches?limit=2']
const DEEDS = { list: 4, read: 6, metrics: 3, page: 1, switch: 4, switchBackend: 2, switchAll: 1, clear: 1, reset: 0.5, curl: 2 }

/** Reads and switches the mirrors all the while, and looks whether what it reads makes sense. */
export class Operator {
  readonly faults: string[] = []
  deeds = 0
  readonly #client: Client
  readonly #random: Random
  #counters: Record<string, number> = {}
  #mirrors: MirrorSnapshot[] = []
  #over = false
  #done: Promise<void> | null = null

  constructor (url: string, seed: number) {
    this.#client = new Client(url)
    this.#random = new Random(seed)
  }

  start (): void {
    this.#done = this.#live()
  }

  async stop (): Promise<void> {
    this.#over = true
    await this.#done
    await this.#client.close()
  }

  async #live (): Promise<void> {
    this.#mirrors = await this.#list()
    while (!this.#over) {
      this.deeds++
      try {
        await this.#do()
      } catch (error) {
        this.faults.push((error as Error).message)
      }
      await delay(this.#random.whole(20, 300))
    }
  }

  async #do (): Promise<void> {
    const random = this.#random
    const { id, backends } = random.of(this.#mirrors)
    const deed = random.weighted(DEEDS)
    switch (deed) {
      case 'list': for (const mirror of await this.#list()) this.faults.push(...imbalances(mirror)); break
      case 'read': await this.#ask('GET', '/mirrors' + random.of(READ).replace(':id', id)); break
      case 'page': await this.#ask('GET', random.of(['/mirrors/ui', '/mirrors/ui/state'])); break
      case 'metrics': this.#compare(samplesOf(await this.#ask('GET', '/metrics'))); break
      case 'switch':
        await this.#ask('PATCH', `/mirrors/${id}`, { enabled: random.chance(0.8), percentage: random.chance(0.5) ? 100 : random.whole(0, 100) })
        break
      case 'switchBackend': {
        const settings = { enabled: random.chance(0.8), percentage: random.chance(0.5) ? 100 : random.whole(0, 100) }
        await this.#ask('PATCH', `/mirrors/${id}`, { backends: { [random.of(backends).name]: settings } })
        break
      }
      case 'switchAll':
        await this.#ask('PATCH', '/mirrors', { enabled: false })
        await delay(50)
        await this.#ask('PATCH', '/mirrors', { enabled: true })
        break
      case 'clear': await this.#ask('DELETE', `/mirrors/${id}/mismatches`); break
      case 'reset': await this.#ask('POST', `/mirrors/${id}/reset`); break
      case 'curl': {
        const { places } = JSON.parse(await this.#ask('GET', `/mirrors/${id}/mismatches`)) as { places: Array<{ id: string }> }
        // It may have been cleared in between.
        if (places.length > 0) await this.#ask('GET', `/mirrors/${id}/mismatches/${random.of(places).id}/curl?side=shadow`, undefined, [200, 404])
      }
    }
  }

  async #list (): Promise<MirrorSnapshot[]> {
    return Object.values(JSON.parse(await this.#ask('GET', '/mirrors')))
  }

  /** No counter may go down. */
  #compare (samples: Record<string, number>): void {
    for (const [name, value] of Object.entries(samples)) {
      if (!/_(total|count|bucket)(\{|$)/.test(name)) continue
      if (value < (this.#counters[name] ?? 0)) this.faults.push(`${name} went from ${this.#counters[name]} to ${value}`)
      this.#counters[name] = value
    }
  }

  async #ask (method: string, path: string, body?: object, allowed = [200, 204]): Promise<string> {
    const { statusCode, body: answer } = await this.#client.request({
      method,
      path,
      headers: { [GUARD]: 'yes', ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      body: body === undefined ? null : JSON.stringify(body)
    })
    const text = await answer.text()
    if (!allowed.includes(statusCode)) throw new Error(`${method} ${path}: ${statusCode} ${text}`)
    return text
  }
}
