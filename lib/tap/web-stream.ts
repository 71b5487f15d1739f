import { ReadableStream } from 'node:stream/web'
import type { ReadableStreamDefaultReader } from 'node:stream/web'
import { hear } from './answer'
import type { Answer } from './answer'

/**
 * Observes a web stream by the reader that somebody gets of it, as Fastify's sender and `Readable.fromWeb` do: it reads
 * of a stream between that holds nothing, for what a reader's own `read` gives is not all that is read (`fromWeb` of
 * Node 26). `tee`, `clone` and a second reader would buffer without bound behind a slow client. Whoever pipes it
 * (`pipeTo`, `pipeThrough`) or iterates over it gets no such reader, and is not observed.
 */
export function tapWebStream (stream: ReadableStream, answer: Answer): void {
  answer.watchDrain()
  let between: ReadableStream | null = null
  Object.defineProperty(stream, 'getReader', {
    configurable: true,
    writable: true,
    value: function getReader (this: ReadableStream, options?: { mode?: 'byob' }) {
      const { getReader } = Object.getPrototypeOf(this)
      if (options?.mode === 'byob') {
        const reader: Reads = getReader.call(this, options)
        answer.guard.enter(answer, observeReads, reader)
        return reader
      }
      between ??= observed(getReader.call(this, options), answer)
      return between.getReader()
    }
  })
}

interface Reads {
  read (...args: unknown[]): Promise<{ done: boolean, value?: unknown }>
}

/** Taps a reader into its user's own buffers: a stream between would have to hold what they do not take. */
function observeReads (answer: Answer, reader: Reads): void {
  const { read } = reader
  const enterRead = answer.guard.door(answer, (_, { done, value }: { done: boolean, value?: unknown }) => {
    hear(answer, done ? 'end' : 'data', value)
  })
  const enterError = answer.guard.door(answer, (_, error: unknown) => hear(answer, 'error', error))
  reader.read = function (...args) {
    const reading = read.apply(this, args)
    reading.then(enterRead, enterError)
    return reading
  }
}

/** Taps a reader: `answer` hears what it gives. */
function observed (reader: ReadableStreamDefaultReader, answer: Answer): ReadableStream {
  const { guard } = answer
  return new ReadableStream({
    async pull (controller) {
      try {
        const { done, value } = await reader.read()
        guard.enter(answer, hear, done ? 'end' : 'data', value)
        if (done) controller.close()
        else controller.enqueue(value)
      } catch (error) {
        guard.enter(answer, hear, 'error', null)
        controller.error(error)
      }
    },
    cancel (reason) {
      // Reading a cancelled stream gives its end.
      guard.enter(answer, detach)
      return reader.cancel(reason)
    }
  }, { highWaterMark: 0 })
}

function detach (answer: Answer): void {
  answer.detach()
}
