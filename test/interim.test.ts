import t from 'tap'
import { Interim } from '../lib/engine/http/interim'

const FINAL = 'HTTP/1.1 200 OK\r\nx: HTTP/1.1 100\r\n\r\nHTTP/1.1 100 in a body\r\n\r\nHTTP/1.1 100 again'

/** What the client library sees of an answer that comes in two pieces. */
function seen (answer: string, at: number): string {
  const bytes = Buffer.from(answer, 'latin1')
  const interim = new Interim()
  interim.begin()
  interim.pass(bytes.subarray(0, at))
  interim.pass(bytes.subarray(at))
  return bytes.toString('latin1')
}

t.test('100 is shown as 102, wherever the pieces of an answer are cut, and nothing else is changed', async t => {
  const answers: Array<[answer: string, seen: string]> = [
    ['HTTP/1.1 100 Continue\r\n\r\n', 'HTTP/1.1 102 Continue\r\n\r\n'],
    ['HTTP/1.1 100\r\nx: y\r\nz: \r\n\r\nHTTP/1.1 100 Continue\r\n\r\n', 'HTTP/1.1 102\r\nx: y\r\nz: \r\n\r\nHTTP/1.1 102 Continue\r\n\r\n'],
    ['\r\n\r\nHTTP/1.1 100 C\n\n\nHTTP/1.1 100 C\r\n\r\n', '\r\n\r\nHTTP/1.1 102 C\n\n\nHTTP/1.1 102 C\r\n\r\n'],
    ['HTTP/1.1 103 Early\r\nlink: HTTP/1.1 100\r\n\r\nHTTP/1.1 100 C\r\n\r\n', 'HTTP/1.1 103 Early\r\nlink: HTTP/1.1 100\r\n\r\nHTTP/1.1 102 C\r\n\r\n'],
    ['HTTP/1.1 110 ?\r\n\r\n', 'HTTP/1.1 110 ?\r\n\r\n'],
    ['HTTP/1.1 101 ?\r\n\r\n', 'HTTP/1.1 101 ?\r\n\r\n'],
    ['', '']
  ]
  for (const [answer, shown] of answers) {
    for (let at = 0; at <= (answer + FINAL).length; at++) {
      const got = seen(answer + FINAL, at)
      if (got !== shown + FINAL) t.equal(got, shown + FINAL, `cut at ${at}`)
    }
  }
  t.equal(seen('HTTP/1.1 100 C\r\nHTTP/1.1 100 C\r\n\r\n', 3), 'HTTP/1.1 102 C\r\nHTTP/1.1 100 C\r\n\r\n', 'within a head')
})

t.test('what comes while no request is under way is left as it is', async t => {
  const bytes = Buffer.from('HTTP/1.1 100 Continue\r\n\r\n')
  const interim = new Interim()
  interim.pass(bytes)
  t.equal(String(bytes), 'HTTP/1.1 100 Continue\r\n\r\n')
})
