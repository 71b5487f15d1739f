import httpProxy from '@fastify/http-proxy'
import Fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import type { Test } from 'tap'
import type { AddressInfo } from 'node:net'
import type { MirrorOptions, MirrorSnapshot } from '../../types/index'
import { booksClose } from '../helpers/books'
import { callers, methods, runCaller } from '../helpers/callers'
import type { CallerKind, Method } from '../helpers/callers'
import { Cells } from '../helpers/cell'
import { modes, startGateway } from '../helpers/gateway'
import { oddShadows } from '../helpers/odd-shadows'
import { primaries, startPrimaries } from '../helpers/primaries'
import { activeResources, nothingLeft, watchProcess } from '../helpers/process'
import { seeded } from '../helpers/random'
import { shadows } from '../helpers/shadows'
import type { Fate, ShadowKind } from '../helpers/shadows'
import { until } from '../helpers/until'

// Whatever shadow, primary and client do at once: the client sees, and the primary is asked, what they would be without the plugin, every
// book closes, and nothing is left. In each mode, for each method:
// - every shadow x primary and every shadow x client, each copy alone with its request;
// - every shadow x primary x client, each request with the copies of some shadows.
// Left out of the last is the shadow that sends at full speed for ever: many of it at a time would measure the machine.

t.setTimeout(600_000)

const kinds: readonly ShadowKind[] = [...shadows, ...oddShadows]
const AT_FULL_SPEED = 'sending an endless body at full speed'

/** Milliseconds for copies to whose end nothing else leads; for all others. */
const SHORT = 300
const LONG = 100_000
const AT_ONCE = 32

interface Combination {
  path: string
  primary: number
  caller: CallerKind
  method: Method
}

interface Seen {
  received: string
  asked: string[]
}

function endless ({ fates }: ShadowKind): boolean {
  return fates.includes('timeout') || fates.includes('connect')
}

/** What may become of copies of small requests that are given `SHORT` or `LONG`. */
function fatesOf (kind: ShadowKind): readonly Fate[] {
  return endless(kind) ? [...kind.fates, 'timeout', 'connect'] : kind.fates
}

function nameOf ({ primary, caller, method }: Combination): string {
  return `primary ${primaries[primary].name}, client ${caller.name}, ${method}`
}

/** A mirror of the gateway: its path, its primary, its shadows, and what is asked of it. */
interface Row {
  path: string
  primary: number
  shadows: readonly number[]
  combinations: Combination[]
}

/** Shadows of one request. */
const GROUP = 6

function rows (): Row[] {
  const all = kinds.map((_, i) => i)
  const few = all.filter(i => kinds[i].name !== AT_FULL_SPEED)
  const groups = [few.filter(i => !endless(kinds[i])), few.filter(i => endless(kinds[i]))].flatMap(inGroups)
  const [normal] = callers
  return [
    ...all.flatMap(i => primaries.map((_, primary) => row(`/alone/${i}/${primary}`, primary, [i], [normal]))),
    ...all.map(i => row(`/clients/${i}`, 0, [i], callers)),
    ...groups.flatMap((group, nth) => primaries.map((_, primary) => {
      return row(`/some/${nth}/${primary}`, primary, group, callers)
    }))
  ]
}

function row (path: string, primary: number, shadows: readonly number[], of: readonly CallerKind[]): Row {
  return { path, primary, shadows, combinations: of.flatMap(caller => methods.map(method => ({ path, primary, caller, method }))) }
}

function inGroups (shadows: number[]): number[][] {
  return Array.from({ length: Math.ceil(shadows.length / GROUP) }, (_, i) => shadows.slice(i * GROUP, (i + 1) * GROUP))
}

/** Runs combinations many at a time, in an order that is mixed, and the same in every run. */
async function runAll (cells: Cells, app: FastifyInstance, combinations: readonly Combination[]): Promise<Seen[]> {
  const { port } = app.server.address() as AddressInfo
  const random = seeded(1)
  const order = combinations.map((_, i) => ({ i, at: random() })).sort((a, b) => a.at - b.at).map(({ i }) => i)
  const seen: Seen[] = []
  const run = async (i: number) => {
    const { path, primary, caller, method } = combinations[i]
    const cell = cells.start(`${path}: ${nameOf(combinations[i])}`)
    await runCaller(caller, port, `${path}/a?b=c`, method, cell, primaries[primary].early === true)
    seen[i] = { received: steady(cell.received), asked: cell.asked.map(comparable).sort() }
  }
  const isAlone = (i: number) => primaries[combinations[i].primary].alone === true
  const work = async (from: number[]) => {
    for (let i = from.pop(); i !== undefined; i = from.pop()) await run(i)
  }
  const many = order.filter(i => !isAlone(i))
  await Promise.all([work(order.filter(isAlone)), ...Array.from({ length: AT_ONCE }, () => work(many))])
  return seen
}

/** What a client received without what differs from run to run: dates, and whether chunks that wait for their turn on a connection are joined. */
function steady (received: string): string {
  return received.replace(/^date: .* GMT$/mgi, 'date: now').replaceAll('9\r\nthe begin\r\n7\r\nthe end\r\n', '10\r\nthe beginthe end\r\n')
}

/** undici tells the length of a body that has come as a whole before there was a connection for it. */
function comparable (asked: string): string {
  return asked.replace(/\n(content-length: 31|transfer-encoding: chunked)\r/, '\n(framing)\r')
}

/** What a client that stays sees, to the byte; one that leaves, and what is asked for it, may have come farther or less far. */
function same (t: Test, combination: Combination, actual: Seen, expected: ReadonlyMap<string, Seen>): void {
  const name = nameOf(combination)
  const { received, asked } = expected.get(name) as Seen
  if (!combination.caller.leaves) {
    t.strictSame(actual, { received, asked }, name)
    return
  }
  const whole = expected.get(nameOf({ ...combination, caller: callers[0] })) as Seen
  if (![whole.received, received].some(text => begin(actual.received, text))) t.same(actual.received, received, `${name}: the client sees nothing else`)
  if (!actual.asked.every(text => begin(text, whole.asked[0]))) t.same(actual.asked, whole.asked, `${name}: the primary is asked for nothing else`)
}

/** Whether one text is the beginning of the other. */
function begin (one: string, other: string): boolean {
  return one.startsWith(other) || other.startsWith(one)
}

/** Lets cells know what the gateway has begun with. */
function tellCells (app: FastifyInstance, cells: Cells): void {
  app.addHook('onRequest', (request, _reply, done) => {
    const cell = cells.get(request.headers['x-cell'])
    if (cell !== undefined) {
      cell.seen++
      cell.touch()
    }
    done()
  })
}

function proxy (app: FastifyInstance, upstream: string, prefix: string, mirror: MirrorOptions | false) {
  return app.register(httpProxy, { upstream, prefix, httpMethods: ['GET', 'POST'], config: { mirror } })
}

for (const { mode, plugin } of modes) {
  t.test(mode, async t => {
    const faults = watchProcess(t)
    const base = activeResources()
    const cells = new Cells()
    const servers = await startPrimaries(t, cells)
    const started = await Promise.all(kinds.map(kind => kind.start(t)))

    const without = Fastify()
    t.teardown(() => without.close())
    tellCells(without, cells)
    for (const [i, { url }] of servers.entries()) await proxy(without, url, `/${i}`, false)
    await without.listen({ port: 0, host: '127.0.0.1' })
    const twins = primaries.flatMap((_, primary) => row(`/${primary}`, primary, [], callers).combinations)
    const expected = new Map((await runAll(cells, without, twins)).map((seen, i) => [nameOf(twins[i]), seen]))
    await without.close()

    const table = rows()
    const gateway = await startGateway(t, {
      plugin: { ...plugin, closeTimeout: 1 },
      async routes (app) {
        tellCells(app, cells)
        for (const { path, primary, shadows } of table) {
          await proxy(app, servers[primary].url, path, {
            id: path,
            backends: shadows.map(i => ({ ...started[i].backend, name: String(i) })),
            timeout: endless(kinds[shadows[0]]) ? SHORT : LONG,
            maxInFlight: 10_000,
            breaker: false,
            compare: { enabled: true, detailedDiff: true }
          })
        }
      }
    })
    const combinations = table.flatMap(({ combinations }) => combinations)
    const seen = await runAll(cells, gateway.app, combinations)
    for (const [i, combination] of combinations.entries()) {
      same(t, combination, seen[i], expected)
    }

    await t.test('every copy ends as its shadow lets it', async t => {
      for (const row of table) {
        const mirror = () => gateway.mirror(row.path)
        await until(`all copies of ${row.path} to ${row.shadows.map(i => kinds[i].name)} have ended`, () => mirror().pending === 0 && mirror().backends.every(({ inFlight, comparing }) => inFlight + comparing === 0))
        checkMirror(t, row, mirror())
      }
    })
    let copies = 0
    for (const { backends } of Object.values(gateway.app.mirrors.list())) for (const { total } of backends) copies += total
    t.comment(`${mode}: ${combinations.length} requests, ${copies} copies`)

    await gateway.app.close()
    for (const [i, shadow] of started.entries()) {
      shadow.readOn()
      await until(`shadow ${kinds[i].name} has no connection left`, () => shadow.sockets.size === 0)
    }
    for (const server of [...servers, ...started]) await server.close()
    await nothingLeft(base)
    t.strictSame(faults, [], 'nothing reaches the process')
  })
}

function checkMirror (t: Test, { path, primary, shadows, combinations }: Row, mirror: MirrorSnapshot): void {
  booksClose(t, mirror)
  const leaves = combinations.some(({ caller }) => caller.leaves)
  const cut = leaves || primaries[primary].cuts === true
  if (!leaves) t.equal(mirror.mirrored, mirror.seen, `${path}: everything is mirrored`)
  for (const [i, { success, failure, dropped, total }] of mirror.backends.entries()) {
    const kind = kinds[shadows[i]]
    t.equal(total, mirror.mirrored, `${path}: nothing is dropped: ${JSON.stringify(dropped)}`)
    const may = new Set<string>([...fatesOf(kind), ...(cut ? ['aborted'] : [])])
    const other = Object.entries({ success, ...failure }).filter(([fate, count]) => count > 0 && !may.has(fate))
    t.strictSame(other, [], `${path}: shadow ${kind.name}`)
  }
}
