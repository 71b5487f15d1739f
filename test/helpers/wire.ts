/** Hears a stream of requests. */
export interface RequestListener {
  onHead (head: string): void
  /** A piece of the body, without its framing. */
  onBody (piece: string): void
  onEnd (): void
}

const HEAD_END = '\r\n\r\n'

/** Tells the requests on a connection apart, as far as well-behaved senders frame them; text is latin1. */
export class RequestReader {
  readonly #listener: RequestListener
  #text = ''
  #state: 'head' | 'length' | 'chunk size' | 'chunk' | 'chunk end' | 'trailers' = 'head'
  #left = 0

  constructor (listener: RequestListener) {
    this.#listener = listener
  }

  feed (piece: string): void {
    this.#text += piece
    while (this.#step());
  }

  /** `false`: more is needed. */
  #step (): boolean {
    switch (this.#state) {
      case 'head': {
        const head = this.#until(HEAD_END)
        if (head === null) return false
        this.#listener.onHead(head)
        const length = Number(/\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0)
        if (/\ntransfer-encoding: *chunked/i.test(head)) this.#state = 'chunk size'
        else if (length > 0) this.#expect('length', length)
        else this.#listener.onEnd()
        return true
      }
      case 'chunk size': {
        const line = this.#until('\r\n')
        if (line === null) return false
        const size = parseInt(line, 16)
        if (size > 0) this.#expect('chunk', size)
        else this.#state = 'trailers'
        return true
      }
      case 'chunk end': {
        // Some senders put it before the next chunk.
        if (this.#until('\r\n') === null) return false
        this.#state = 'chunk size'
        return true
      }
      case 'trailers': {
        const line = this.#until('\r\n')
        if (line === '') this.#done()
        return line !== null
      }
      default: return this.#body()
    }
  }

  #body (): boolean {
    if (this.#text === '') return false
    const piece = this.#text.slice(0, this.#left)
    this.#text = this.#text.slice(piece.length)
    this.#left -= piece.length
    this.#listener.onBody(piece)
    if (this.#left > 0) return false
    if (this.#state === 'chunk') this.#state = 'chunk end'
    else this.#done()
    return true
  }

  #expect (state: 'length' | 'chunk', bytes: number): void {
    this.#state = state
    this.#left = bytes
  }

  #done (): void {
    this.#state = 'head'
    this.#listener.onEnd()
  }

  #until (end: string): string | null {
    const at = this.#text.indexOf(end)
    if (at === -1) return null
    const found = this.#text.slice(0, at)
    this.#text = this.#text.slice(at + end.length)
    return found
  }
}

/** Counts the final answers at the front of what a client has received, as it grows; what only the connection's end ends is never counted. */
export class AnswerCounter {
  count = 0
  #at = 0

  update (text: string): number {
    for (let end = this.#endOfOne(text); end !== -1; end = this.#endOfOne(text)) this.#at = end
    return this.count
  }

  #endOfOne (text: string): number {
    const headEnd = text.indexOf(HEAD_END, this.#at)
    if (headEnd === -1) return -1
    const head = text.slice(this.#at, headEnd)
    const body = headEnd + HEAD_END.length
    const status = Number(head.slice(9, 12))
    if (status >= 100 && status < 200) return body
    const end = status === 204 || status === 304 ? body : this.#bodyEnd(text, head, body)
    if (end === -1 || end > text.length) return -1
    this.count++
    return end
  }

  #bodyEnd (text: string, head: string, from: number): number {
    if (/\ntransfer-encoding: *chunked/i.test(head)) {
      const last = text.indexOf('0\r\n\r\n', from)
      return last === -1 ? -1 : last + 5
    }
    const length = /\ncontent-length: *(\d+)/i.exec(head)
    return length === null ? -1 : from + Number(length[1])
  }
}
