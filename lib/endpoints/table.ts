import { EndpointBooks } from './books'

/** Requests of one kind within a mirror, and what each of its backends made of them. */
export class Endpoint {
  readonly name: string
  readonly #backends: EndpointBooks[] = []

  constructor (name: string) {
    this.name = name
  }

  /** The counters of a backend, by its place among the mirror's. */
  of (backend: number): EndpointBooks {
    const known = this.#backends[backend]
    return known ?? this.#begin(backend)
  }

  #begin (backend: number): EndpointBooks {
    const books = new EndpointBooks()
    this.#backends[backend] = books
    return books
  }
}

/** A mirror's endpoints in one period. Those that are in it stay: when it is full, new ones are counted together. */
export class Endpoints {
  readonly limit: number
  /** Came when the table was full. */
  readonly other = new Endpoint('(other)')
  /** The primary has answered them with 404 or 405, or not at all, and is not known to have ever answered otherwise. */
  readonly notFound = new Endpoint('(not found)')
  /** It is not known yet what they are. */
  readonly pending = new Endpoint('(pending)')
  /** Whether any came when it was full. */
  limited = false
  /** Endpoints by method and path, or by `''` and a name. */
  readonly #byMethod = new Map<string, Map<string, Endpoint>>()
  readonly #all: Endpoint[] = []

  constructor (limit: number) {
    this.limit = limit
  }

  /** `undefined`: not yet known. */
  find (method: string, path: string): Endpoint | undefined {
    return this.#byMethod.get(method)?.get(path)
  }

  /** An endpoint of this name, if there is room for another one. */
  add (method: string, path: string): Endpoint {
    let endpoint = this.find(method, path)
    if (endpoint !== undefined) return endpoint
    if (this.#all.length === this.limit) {
      this.limited = true
      return this.other
    }
    endpoint = new Endpoint(method === '' ? path : `${method} ${path}`)
    this.#all.push(endpoint)
    let paths = this.#byMethod.get(method)
    if (paths === undefined) this.#byMethod.set(method, paths = new Map())
    paths.set(path, endpoint)
    return endpoint
  }

  /** Endpoints that a verdict speaks of, in the order in which they came. */
  get judged (): Endpoint[] {
    return [...this.#all, this.notFound, this.other]
  }

  get all (): Endpoint[] {
    return [...this.judged, this.pending]
  }
}
