/** Bytes of mirrors' answers that one turn of the event loop takes in. */
const BYTES_A_TURN = 512 * 1024

/**
 * Keeps backends that answer at full speed from taking the event loop: past the share of a turn their answers are
 * paused, and go on, in turn, when the loop has served everything else.
 */
export class Pacer {
  #spent = 0
  #scheduled = false
  #waiting: Array<() => void> = []

  /** Answers whether there is room for more in this turn; where not, `resume` is called in a later one. */
  spend (bytes: number, resume: () => void): boolean {
    this.#spent += bytes
    if (!this.#scheduled) {
      this.#scheduled = true
      setImmediate(nextTurn, this)
    }
    if (this.#spent < BYTES_A_TURN) return true
    this.#waiting.push(resume)
    return false
  }

  nextTurn (): void {
    this.#spent = 0
    this.#scheduled = false
    let resumed = 0
    // What is resumed may come to wait again, behind those that have waited longer. Where some must wait on, others have spent
    // the turn, and so have scheduled the next one.
    while (resumed < this.#waiting.length && this.#spent < BYTES_A_TURN) this.#waiting[resumed++]()
    this.#waiting.splice(0, resumed)
  }
}

function nextTurn (pacer: Pacer): void {
  pacer.nextTurn()
}
