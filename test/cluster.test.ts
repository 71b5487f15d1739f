import t from 'tap'
import { readArguments } from '../examples/cluster/arguments'
import { startBackend } from './helpers/backend'
import { until } from './helpers/until'
import { startExample } from './helpers/example'

const WORKERS = 2

/** The samples of an exposition by name and labels, as they stand there. */
function samplesOf (exposition: string): Record<string, number> {
  const lines = exposition.split('\n').filter(line => line !== '' && !line.startsWith('#'))
  return Object.fromEntries(lines.map(line => {
    const space = line.lastIndexOf(' ')
    return [line.slice(0, space), Number(line.slice(space + 1))]
  }))
}

t.test('the totals of several processes are what was sent, and all of them choose the same users', async t => {
  const upstream = await startBackend(t)
  const shadow = await startBackend(t, (request, response) => response.end(request.method === 'POST' ? 'else' : 'ok'))
  const child = startExample(t, process.execPath, [
    '--import', 'tsx', 'examples/cluster/index.ts',
    '--upstream', upstream.url, '--shadow', shadow.url, '--workers', String(WORKERS), '--port', '0', '--metrics-port', '0'
  ])
  const listening = (name: string) => child.stdout.split('\n').slice(0, -1)
    .map(line => JSON.parse(line) as { name: string, pid: number, msg: string })
    .filter(line => line.name.startsWith(name) && line.msg.startsWith('Server listening at '))
  const addressesOf = (name: string) => listening(name).map(({ msg }) => msg.slice('Server listening at '.length))
  await until('all listen', () => child.stderr || addressesOf('worker').length + addressesOf('metrics').length === WORKERS + 1, 60_000)
  t.equal(child.stderr, '')
  const [url, other] = addressesOf('worker')
  const [metrics] = addressesOf('metrics')
  t.equal(url, other, 'all serve one port')

  /** On a connection of its own: the processes take them in turn. */
  async function ask (path: string, init?: RequestInit) {
    const response = await fetch(url + path, { ...init, headers: { ...init?.headers, connection: 'close' } })
    t.equal(response.status, 200)
    return { worker: response.headers.get('x-worker') as string, text: await response.text() }
  }
  /** When all copies are compared. */
  async function totals () {
    for (let i = 0; i < 500; i++) {
      const samples = samplesOf(await (await fetch(`${metrics}/metrics`)).text())
      const ofMirror = (name: string) => samples[`fastify_mirror_${name}{mirror="api"}`]
      const ofShadow = (name: string, label = '') => samples[`fastify_mirror_${name}{mirror="api",backend="shadow"${label}}`]
      const matched = ofShadow('comparisons_total', ',result="matched"')
      const mismatched = ofShadow('comparisons_total', ',result="mismatched"')
      if (matched + mismatched === ofMirror('mirrored_total')) {
        return {
          seen: ofMirror('seen_total'),
          unsampled: samples['fastify_mirror_unsent_total{mirror="api",reason="unsampled"}'],
          mirrored: ofMirror('mirrored_total'),
          sent: ofShadow('sent_total'),
          matched,
          mismatched,
          latencies: ofShadow('latency_seconds_count'),
          enabled: ofMirror('enabled')
        }
      }
    }
    throw new Error('some copies are never compared')
  }

  const sentBy = new Map<string, number>()
  for (let i = 0; i < 20; i++) {
    const user = `user ${i}`
    const seenBy = new Set<string>()
    let sent = 0
    for (; seenBy.size < WORKERS; sent++) {
      if (sent === 100) throw new Error('one process takes all')
      const { worker } = await ask('/api/items', { method: i % 3 ? 'GET' : 'POST', headers: { 'x-user-id': user } })
      seenBy.add(worker)
    }
    sentBy.set(user, sent)
  }
  const mirroredBy = (user: string) => shadow.requests.filter(({ headers }) => headers['x-user-id'] === user).length
  const sent = upstream.requests.length

  const { seen, unsampled, mirrored, latencies, ...counted } = await totals()
  t.equal(seen, sent)
  t.equal(seen, mirrored + unsampled)
  t.equal(mirrored, shadow.requests.length)
  const mismatched = shadow.requests.filter(({ method }) => method === 'POST').length
  t.strictSame(counted, { sent: mirrored, matched: mirrored - mismatched, mismatched, enabled: WORKERS })
  t.ok(latencies > 0 && latencies <= mirrored, 'what spans a block of the event loop gives no latency')

  const chosen = [...sentBy.keys()].filter(user => mirroredBy(user) > 0)
  t.ok(chosen.length > 0 && chosen.length < sentBy.size, 'some users, not all')
  for (const user of chosen) t.equal(mirroredBy(user), sentBy.get(user), `${user}: mirrored by every process`)

  const seenIn = new Map<string, number>()
  for (let i = 0; seenIn.size < WORKERS && i < 100; i++) {
    const { worker, text } = await ask('/mirrors/api')
    seenIn.set(worker, JSON.parse(text).seen)
  }
  t.equal([...seenIn.values()].reduce((sum, one) => sum + one), seen, 'what the processes say themselves is a part each')
  t.ok([...seenIn.values()].every(one => one < seen))

  process.kill(listening('worker 1')[0].pid, 'SIGKILL')
  await until('another is in its place', () => addressesOf('worker').length === WORKERS + 1, 60_000)
  await ask('/api/items')

  child.kill()
  t.strictSame(await child.ended, [0, null])
  await t.rejects(fetch(url))
  t.equal(child.stderr, '')
})

t.test('the example says how it is used', async t => {
  const needed = ['--upstream', 'http://a', '--shadow', 'http://b']
  t.match(readArguments(needed), { upstream: 'http://a', shadow: 'http://b', port: 8080, metricsPort: 9100 })
  t.equal(readArguments([...needed, '--workers', '3']).workers, 3)
  t.throws(() => readArguments([]), { message: '--upstream and --shadow are needed' })
  for (const workers of ['', '0', '1.5', 'all']) {
    t.throws(() => readArguments([...needed, `--workers=${workers}`]), { message: `--workers must be a whole number from 1 to 1024, got "${workers}"` })
  }
})
