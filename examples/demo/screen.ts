import type { WriteStream } from 'node:tty'

const NO_WRAP = '\x1b[?7l'
const WRAP = '\x1b[?7h'
const CLEAR_LINE_END = '\x1b[K'
const CLEAR_BELOW = '\x1b[J'
const CLEAR_ALL = '\x1b[2J\x1b[H'

/**
 * Where the demo prints an introduction and the numbers below it: in a terminal the next numbers take the place of the
 * last ones, else they follow them as plain lines.
 */
export class Screen {
  readonly #out: WriteStream
  readonly #intro: string[]
  /** Lines of ours that the terminal shows. */
  #drawn = 0

  constructor (out: WriteStream, intro: string[]) {
    this.#out = out
    this.#intro = intro
    if (!this.refreshes) this.#print(intro)
    // A terminal that wraps its lines anew has ours elsewhere.
    out.on('resize', () => {
      out.write(CLEAR_ALL)
      this.#drawn = 0
    })
  }

  /** It is a terminal. */
  get refreshes (): boolean {
    return this.#out.isTTY
  }

  get width (): number {
    return this.#out.columns ?? Infinity
  }

  get colours (): boolean {
    return this.refreshes && !process.env.NO_COLOR
  }

  show (numbers: string[]): void {
    if (!this.refreshes) return this.#print(numbers)
    // In a low terminal the numbers come first.
    const room = Math.max(0, this.#out.rows - 2 - numbers.length)
    this.#draw([...this.#intro.slice(0, room), '', ...numbers])
  }

  /** The numbers that stay. */
  end (numbers: string[]): void {
    if (this.refreshes) this.#draw([...this.#intro, '', ...numbers])
    else this.#print(numbers)
  }

  #draw (lines: string[]): void {
    const up = this.#drawn === 0 ? '' : `\x1b[${this.#drawn}F`
    const text = lines.map(line => line + CLEAR_LINE_END + '\n').join('')
    this.#out.write(up + NO_WRAP + text + WRAP + CLEAR_BELOW)
    this.#drawn = lines.length
  }

  #print (lines: string[]): void {
    this.#out.write(lines.join('\n') + '\n\n')
  }
}
