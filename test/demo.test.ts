import t from 'tap'
import type { Test } from 'tap'
import { PassThrough } from 'node:stream'
import type { WriteStream } from 'node:tty'
import { readSeconds } from '../examples/demo/arguments'
import { Screen } from '../examples/demo/screen'
import type { MirrorSnapshot } from '../types/index'
import { until } from './helpers/until'
import { startExample } from './helpers/example'
import type { Example } from './helpers/example'

/** As a user starts it: by npm. */
function startDemo (t: Test, ...args: string[]) {
  return startExample(t, 'npm', ['run', '--silent', 'demo', '--', ...args])
}

function addressesIn ({ stdout }: Example) {
  return /^Gateway +(http:\S+).*\nNumbers +curl (http:\S+)\n/m.exec(stdout)?.slice(1) as [gateway: string, numbers: string]
}

/** The rows of the last table printed, by mirror and heading. */
function lastTable (text: string): Record<string, Record<string, number>> {
  const lines = text.slice(text.lastIndexOf('mirror  backend')).split('\n')
  const [, , ...heads] = lines[0].split(/ +/)
  const rows: Record<string, Record<string, number>> = {}
  for (const line of lines.slice(1, lines.indexOf(''))) {
    const [mirror, , ...numbers] = line.split(/ +/)
    rows[mirror] = {}
    // Latencies, whose headings come twice, are for the primary first.
    for (const [i, head] of heads.entries()) rows[mirror][head] ??= Number(numbers[i])
  }
  return rows
}

t.test('the demo finds what v2 does differently, and ends after its time', async t => {
  const demo = startDemo(t, '--seconds', '2')
  await until('it says where to look', () => addressesIn(demo), 60_000)
  const [gateway, numbers] = addressesIn(demo)

  t.match(await (await fetch(`${gateway}/items/2`)).json(), { name: 'kettle', price: '39.50' }, 'clients are served from v1')
  const mirrors = await (await fetch(numbers)).json() as Record<string, MirrorSnapshot>
  t.strictSame(Object.keys(mirrors), ['items', 'search', 'orders', 'hello'])
  t.equal(mirrors.items.backends[0].name, 'v2')

  const [code] = await demo.ended
  t.equal(code, 0)
  t.notMatch(demo.stdout, '\x1b', 'plain lines when piped')
  t.match(demo.stdout, /^After [2-9] s: [1-9]\d* answers to clients, 0 errors; v2 answered [1-9]\d* of [1-9]\d* differently\.\n\nEnded\.\n/m)
  const { items, search, orders, hello } = lastTable(demo.stdout)
  for (const mirror of [items, search, orders, hello]) {
    t.ok(mirror.seen > 0 && mirror.mirrored > 0 && mirror.matched > 0, 'mirrored, with matches')
    t.equal(mirror.matched + mirror.mismatched, mirror.mirrored, 'every copy is compared at the end')
    t.equal(mirror.failed, 0)
  }
  t.ok(items.mismatched > 0 && orders.mismatched > 0, 'where v2 is wrong')
  t.equal(search.mismatched + hello.mismatched, 0, 'where it is right')
  t.ok(search.mirrored < search.seen, 'half of the searches')
})

t.test('the demo ends at Ctrl-C with a last table, and leaves nothing', async t => {
  const demo = startDemo(t)
  await until('it says where to look', () => addressesIn(demo), 60_000)
  demo.signal('SIGINT')
  await demo.ended
  t.match(demo.stdout, /^items .*\n(.*\n)*After .*\n\nEnded\.\n/m)
  await t.rejects(fetch(addressesIn(demo)[0]))
})

t.test('the demo says how it is used', async t => {
  const demo = startDemo(t, '--second', '5')
  const [code] = await demo.ended
  t.equal(code, 1)
  t.match(demo.stderr, /'--second'[^]*npm run demo -- \[--seconds N\]/)
  t.notMatch(demo.stderr, /^ +at /m, 'no stack')

  t.equal(readSeconds([]), Infinity)
  t.equal(readSeconds(['--seconds', '0.5']), 0.5)
  t.equal(readSeconds(['--seconds', '5', '--help']), null)
  for (const wrong of ['', '0', '-1', 'soon', 'NaN', 'Infinity', '86401']) {
    t.throws(() => readSeconds([`--seconds=${wrong}`]), { message: `--seconds must be a number above 0, up to 86400, got "${wrong}"` })
  }
})

t.test('in a terminal, the numbers take the place of the last ones', async t => {
  const out = Object.assign(new PassThrough({ encoding: 'utf8' }), { isTTY: true, columns: 80, rows: 5 })
  const screen = new Screen(out as unknown as WriteStream, ['intro 1', 'intro 2', 'intro 3'])
  const drawn = () => (out.read() ?? '').replaceAll('\x1b', 'ESC')
  t.equal(drawn(), '')

  screen.show(['one', 'two'])
  t.equal(drawn(), 'ESC[?7lintro 1ESC[K\nESC[K\noneESC[K\ntwoESC[K\nESC[?7hESC[J', 'no more introduction than there is room for')
  screen.show(['three'])
  t.match(drawn(), /^ESC\[4F.*three/s, 'up by the lines drawn before')
  screen.end(['four'])
  t.match(drawn(), /^ESC\[4F.*intro 3.*four/s, 'the whole of it stays')
  out.emit('resize')
  t.equal(drawn(), 'ESC[2JESC[H')
  screen.show(['five'])
  t.notMatch(drawn(), /ESC\[\d+F/, 'from the top of a cleared screen')
})
