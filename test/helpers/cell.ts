import { AnswerCounter } from './wire'

/** Milliseconds that a busy machine is given for a step of a cell. */
const PATIENCE = 60_000

/**
 * One combination of faults, while it runs: what the gateway, the primary and the client have seen of it. They wait for each other here,
 * so that what happens first does not hang on how busy the machine is.
 */
export class Cell {
  readonly name: string
  /** In the header `x-cell`. */
  readonly id: string
  /** Requests that the gateway has begun with. */
  seen = 0
  /** What the primary was asked, a text a request. */
  readonly asked: string[] = []
  /** Bytes of request bodies that the primary has. */
  got = 0
  /** Requests that the primary has as a whole. */
  complete = 0
  /** By the client. */
  received = ''
  /** The client's connection. */
  closed = false
  /** The client has left, or has all it wanted. */
  over = false
  readonly #answers = new AnswerCounter()
  #waiting: Array<{ holds: () => boolean, go: () => void }> = []

  constructor (name: string, number: number) {
    this.name = name
    this.id = String(number).padStart(6, '0')
  }

  get answers (): number {
    return this.#answers.update(this.received)
  }

  /** The client has something of an answer, or can not get any. */
  get heard (): boolean {
    return this.received !== '' || this.closed || this.over
  }

  /** Something has happened. */
  touch (): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const waiter of waiting) {
      if (waiter.holds()) waiter.go()
      else this.#waiting.push(waiter)
    }
  }

  async when (what: string, holds: () => boolean): Promise<void> {
    if (holds()) return
    let timer: NodeJS.Timeout | undefined
    await new Promise<void>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`${this.name}: waited in vain until ${what}: ${JSON.stringify(this.received.slice(0, 500))}`)), PATIENCE)
      this.#waiting.push({ holds, go: resolve })
    })
    clearTimeout(timer)
  }
}

/** Cells under way, by their ids. */
export class Cells {
  readonly #cells = new Map<string, Cell>()
  #count = 0

  start (name: string): Cell {
    const cell = new Cell(name, ++this.#count)
    this.#cells.set(cell.id, cell)
    return cell
  }

  /** Of the header's value, as it came. */
  get (id: unknown): Cell | undefined {
    return this.#cells.get(id as string)
  }

  of (head: string): Cell | undefined {
    return this.#cells.get(/\nx-cell: (\d+)/i.exec(head)?.[1] ?? '')
  }
}
