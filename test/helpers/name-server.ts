import type { Test } from 'tap'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'

/** What a server says of a name: nothing, that it refuses, that there is none, that there is no such address, or an IPv4 address. */
export type Saying = 'silence' | 'refused' | 'unknown' | 'empty' | string

const CODES: Readonly<Record<string, number>> = { refused: 5, unknown: 3, empty: 0 }

/** A DNS server of a test's own. */
export async function startNameServer (t: Test, say: (name: string) => Saying) {
  /** Names, each with its type of question: `A shadow.test`. */
  const asked: string[] = []
  const socket = createSocket('udp4')
  socket.on('message', (question, { address, port }) => {
    const { name, end } = nameIn(question)
    asked.push(`${question.readUInt16BE(end) === 28 ? 'AAAA' : 'A'} ${name}`)
    const saying = say(name)
    if (saying === 'silence') return
    const code = CODES[saying]
    const answer = Buffer.from(question.subarray(0, end + 4))
    answer.writeUInt16BE(0x8180 | (code ?? 0), 2)
    answer.writeUInt16BE(code === undefined ? 1 : 0, 6)
    answer.fill(0, 8, 12)
    // The question's name, A, IN, a minute, four bytes.
    const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...saying.split('.').map(Number)])
    socket.send(code === undefined ? Buffer.concat([answer, record]) : answer, port, address)
  })
  t.teardown(() => socket.close())
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return { asked, address: `127.0.0.1:${socket.address().port}` }
}

function nameIn (question: Buffer): { name: string, end: number } {
  const labels: string[] = []
  let at = 12
  while (question[at] > 0) {
    labels.push(question.toString('latin1', at + 1, at + 1 + question[at]))
    at += 1 + question[at]
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 }
}

/** In place of `dns.Resolver`, here or in another thread: its servers answer, and know nothing. */
export class RefusingResolver {
  resolve4 (_name: string, callback: (error: Error) => void): void {
    process.nextTick(callback, Object.assign(new Error('refused'), { code: 'EREFUSED' }))
  }
}
