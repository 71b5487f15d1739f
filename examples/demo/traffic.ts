/** Milliseconds from one request to the next. */
const PAUSE = 25
const TIMEOUT = 10_000

const searches = ['tea', 'cup', 'coffee']
const names = ['Ada', 'Grace', 'Edsger']

/** Clients of the gateway: about forty requests a second, in turn over all routes. */
export class Traffic {
  /** Answers that clients got. */
  answers = 0
  /** Of them, those that were no success, and requests that got no answer. */
  errors = 0
  readonly #url: string
  readonly #underWay = new Set<Promise<void>>()
  readonly #timer: NodeJS.Timeout
  #count = 0

  constructor (url: string) {
    this.#url = url
    this.#timer = setInterval(() => this.#next(), PAUSE)
  }

  /** Sends no more, and waits for the answers to what was sent. */
  async stop (): Promise<void> {
    clearInterval(this.#timer)
    await Promise.all(this.#underWay)
  }

  #next (): void {
    const request = this.#send(this.#count++)
    this.#underWay.add(request)
    request.finally(() => this.#underWay.delete(request))
  }

  async #send (count: number): Promise<void> {
    const [path, body] = requestOf(count)
    const init: RequestInit = body === null
      ? {}
      : { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
    try {
      const response = await fetch(this.#url + path, { ...init, signal: AbortSignal.timeout(TIMEOUT) })
      await response.arrayBuffer()
      this.answers++
      if (!response.ok) this.errors++
    } catch {
      this.errors++
    }
  }
}

/** Of ten requests: four items, two searches, three orders, one greeting. */
function requestOf (count: number): [path: string, body: object | null] {
  const round = Math.floor(count / 10)
  const item = 1 + count % 6
  switch (count % 10) {
    case 0: case 3: case 5: case 8: return [`/items/${item}`, null]
    case 1: case 6: return [`/search?q=${searches[round % searches.length]}`, null]
    case 2: case 4: case 7: return ['/orders', { item, quantity: 1 + count % 11 }]
    default: return [`/hello/${names[round % names.length]}`, null]
  }
}
