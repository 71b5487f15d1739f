import t from 'tap'
import type { Test } from 'tap'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { LookupAddress } from 'node:dns'
import { readdirSync, readFileSync } from 'node:fs'
import { Socket, connect } from 'node:net'
import { dirname, join, relative } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { Digest } from '../lib/compare/digest'
import { Backlog } from '../lib/engine/upload/backlog'
import { Blocks, LARGEST_BLOCK } from '../lib/engine/blocks'
import { Breaker } from '../lib/engine/breaker'
import { Budget, Share } from '../lib/engine/budget'
import { Capture } from '../lib/engine/comparison/capture'
import { connectFault } from '../lib/engine/http/connect-fault'
import { CopyBody } from '../lib/engine/upload/copy-body'
import { Deadlines, EXPIRING_A_TURN } from '../lib/engine/deadlines'
import type { Expiring } from '../lib/engine/deadlines'
import type { ResponseHandler } from '../lib/engine/http/connection'
import { Connections } from '../lib/engine/http/connections'
import { Gate } from '../lib/engine/gate'
import { InlineEngine } from '../lib/engine/inline'
import { LoopClock } from '../lib/engine/loop-clock'
import { Lookups, lookups } from '../lib/engine/http/lookup'
import type { Resolve } from '../lib/engine/http/name-servers'
import { Pacer } from '../lib/engine/http/pacer'
import { Reads, readInto } from '../lib/engine/http/reads'
import type { FailureReason } from '../lib/engine/types'
import { UNTOLD } from '../lib/guard'
import { startTcp } from './helpers/backend'
import { seeded } from './helpers/random'
import { until } from './helpers/until'

class Timed implements Expiring {
  deadline = 0
  earlier: this | null = null
  later: this | null = null
  expired = 0
  readonly #onDeadline: () => void

  constructor (onDeadline: () => void = () => {}) {
    this.#onDeadline = onDeadline
  }

  fail (): void {}

  onDeadline (): void {
    this.expired++
    this.#onDeadline()
  }
}

t.test('deadlines', async t => {
  function deadlinesOf (t: Test, ms: number): Deadlines<Timed> {
    const deadlines = new Deadlines<Timed>(ms, performance)
    t.teardown(() => deadlines.close())
    return deadlines
  }

  t.test('what is not stopped expires once, in the order of its start, and not before its time', async t => {
    const deadlines = deadlinesOf(t, 30)
    const order: number[] = []
    const started = performance.now()
    const items = [0, 1, 2, 3].map(i => new Timed(() => order.push(i)))
    for (const item of items) deadlines.start(item)
    deadlines.stop(items[1])
    await until('all but the stopped one expired', () => order.length === 3)
    t.ok(performance.now() - started >= 28)
    t.strictSame(order, [0, 2, 3])
    t.strictSame(items.map(item => item.deadline), [0, 0, 0, 0], 'nothing is left in the list')
  })

  t.test('one timer serves starts that come while it runs', async t => {
    const deadlines = deadlinesOf(t, 20)
    const first = new Timed()
    const second = new Timed()
    deadlines.start(first)
    await until('half of the time is over', () => performance.now() > first.deadline - 10)
    deadlines.start(second)
    await until('the first expired', () => first.expired === 1)
    t.equal(second.expired, 0)
    await until('the second expired', () => second.expired === 1)
    t.ok(performance.now() >= first.deadline + 9)
  })

  t.test('what ran out while others were told of theirs is next, by a timer that Node does not warn of', async t => {
    const deadlines = deadlinesOf(t, 60_000)
    const second = new Timed()
    const first = new Timed(() => { while (performance.now() <= second.deadline); })
    deadlines.start(first)
    deadlines.start(second)
    first.deadline = performance.now() - 1
    second.deadline = performance.now() + 50
    const timers = t.capture(globalThis, 'setTimeout', globalThis.setTimeout)
    deadlines.expire()
    timers.restore()
    t.ok(timers().every(({ args: [, ms] }) => Number(ms) >= 0))
    await until('the second expired', () => second.expired === 1)
    t.equal(first.expired, 1)
  })

  t.test('of many that run out at once a turn of the event loop ends a few', async t => {
    const deadlines = deadlinesOf(t, 10)
    let ended = 0
    const later = new Timed()
    const items = Array.from({ length: 3 * EXPIRING_A_TURN + 1 }, () => new Timed(() => {
      if (++ended === 1) deadlines.start(later)
    }))
    for (const item of items) deadlines.start(item)
    const timers = t.capture(globalThis, 'setTimeout', globalThis.setTimeout)
    const byTurn = [0]
    for (let all = false; !all; all = ended === items.length) {
      await setImmediate()
      if (byTurn.at(-1) !== ended) byTurn.push(ended)
    }
    t.strictSame(byTurn, [0, 1, 2, 3].map(i => i * EXPIRING_A_TURN).concat(items.length))
    t.strictSame(items.map(({ expired }) => expired), items.map(() => 1))
    t.equal(timers().length, 1, 'one timer for what began meanwhile')
    timers.restore()
    await until('that has ended, too', () => later.expired === 1)
  })

  t.test('nothing ends after the close, even in the middle of many', async t => {
    const deadlines = deadlinesOf(t, 5)
    let ended = 0
    for (let i = 0; i < 2 * EXPIRING_A_TURN; i++) deadlines.start(new Timed(() => ended++))
    for (let some = false; !some; some = ended > 0) await setImmediate()
    deadlines.close()
    t.equal(ended, EXPIRING_A_TURN)
    for (let turns = 0; turns < 3; turns++) await setImmediate()
    t.equal(ended, EXPIRING_A_TURN)
  })

  t.test('starting twice is starting once: the list does not become a ring', async t => {
    const deadlines = deadlinesOf(t, 5)
    const item = new Timed()
    deadlines.start(item)
    deadlines.start(item)
    deadlines.stop(item)
    t.equal(item.earlier, null)
    t.equal(item.later, null)
    const other = new Timed()
    deadlines.start(other)
    deadlines.start(other)
    await until('it expired', () => other.expired > 0)
    t.equal(other.expired, 1)
    t.equal(item.expired, 0)
  })

  t.test('stopping what never started, or is out already, changes nothing', async t => {
    const deadlines = deadlinesOf(t, 5)
    const item = new Timed()
    const stranger = new Timed()
    deadlines.start(item)
    deadlines.stop(stranger)
    await until('it expired', () => item.expired === 1)
    deadlines.stop(item)
    t.equal(item.expired, 1)
  })

  t.test('what expires may stop others', async t => {
    const deadlines = deadlinesOf(t, 5)
    const second = new Timed()
    const first = new Timed(() => deadlines.stop(second))
    const third = new Timed()
    for (const item of [first, second, third]) deadlines.start(item)
    await until('the last expired', () => third.expired === 1)
    t.equal(first.expired, 1)
    t.equal(second.expired, 0)
  })

  t.test('closed, nothing expires', async t => {
    const deadlines = deadlinesOf(t, 5)
    const item = new Timed()
    deadlines.start(item)
    deadlines.close()
    deadlines.close()
    const other = deadlinesOf(t, 15)
    const later = new Timed()
    other.start(later)
    await until('a later one expired', () => later.expired === 1)
    t.equal(item.expired, 0)
  })

  t.test('no timer keeps the process alive', async t => {
    const timers = process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
    deadlinesOf(t, 60_000).start(new Timed())
    t.equal(process.getActiveResourcesInfo().filter(name => name === 'Timeout').length, timers)
  })

  t.test('starts and stops in any order leave in the list what was started and not stopped, in order', async t => {
    const random = seeded(7)
    for (let round = 0; round < 50; round++) {
      const deadlines = deadlinesOf(t, 0)
      const order: Timed[] = []
      const items = Array.from({ length: 12 }, () => {
        const item: Timed = new Timed(() => order.push(item))
        return item
      })
      let expected: Timed[] = []
      for (let step = 0; step < 60; step++) {
        const item = items[Math.floor(random() * items.length)]
        if (random() < 0.6) {
          deadlines.start(item)
          if (!expected.includes(item)) expected.push(item)
        } else {
          deadlines.stop(item)
          expected = expected.filter(one => one !== item)
        }
      }
      await until('all expired', () => order.length >= expected.length)
      t.ok(order.length === expected.length && order.every((item, i) => item === expected[i]), `round ${round}`)
    }
  })
})

t.test('budget', async t => {
  const budget = new Budget(10)
  t.equal(budget.take(6), true)
  t.equal(budget.take(5), false, 'past the limit nothing is taken')
  t.equal(budget.used, 6)
  t.equal(budget.take(4), true, 'up to the limit all is')
  budget.free(10)
  t.equal(budget.used, 0)
})

t.test('share of the budget', async t => {
  const budget = new Budget(1000)
  const first = new Share(budget)
  t.equal(first.take(900), true, 'an only backend has all of it')
  t.equal(first.take(101), false)
  first.free(900)
  const second = new Share(budget)
  t.equal(first.take(500), true)
  t.equal(first.take(1), false, 'as much as is free')
  t.equal(second.take(250), true)
  t.equal(second.take(10), false)
  first.free(500)
  t.equal(second.take(240), true)
  t.equal(budget.used, second.held)
  second.free(490)
  // A body for which several wait is in the budget once.
  budget.take(400)
  t.ok(first.hold(400) && second.hold(400))
  first.letGo(400)
  second.letGo(400)
  t.equal(new Share(new Budget(5)).take(6), false)
  t.same([first.held, second.held], [0, 0])
})

t.test('clock of the event loop', async t => {
  const clock = new LoopClock()
  const block = (ms: number) => { for (const until = performance.now() + ms; performance.now() < until;); }
  clock.enter()
  clock.enter()
  const before = clock.now()
  block(150)
  await until('it has looked', () => clock.blocked > 0)
  t.ok(clock.blocked > 100 && clock.now() - before < performance.now() - before)
  clock.leave()
  const { blocked } = clock
  block(100)
  clock.check()
  t.ok(clock.blocked - blocked > 50, 'before any timer, too')
  clock.leave()
  await until('nobody wants to know, and it looks no more', () => !process.getActiveResourcesInfo().includes('Timeout'))
  clock.check()
  clock.enter()
  clock.leave()
})

t.test('backlog', async t => {
  t.test('whatever is appended, read and released, each reader gets the body, and the budget gets all back', async t => {
    const random = seeded(3)
    const upTo = (limit: number) => Math.floor(random() * limit)
    for (let round = 0; round < 150; round++) {
      const again = random() < 0.5
      const budget = new Budget(4 * 1024 * 1024, again ? new Blocks() : null)
      const body = Buffer.from(Array.from({ length: upTo(300_000 * random() ** 2) }, () => upTo(256)))
      const backlog = new Backlog(budget, random() < 0.5 ? body.length : upTo(2) * upTo(100_000))
      backlog.fixed = random() < 0.5
      // What a reader has been given may still be written, from that memory.
      const readers = Array.from({ length: 1 + upTo(3) }, () => ({ offset: 0, got: [] as Buffer[], flushed: 0, unwritten: [] as Buffer[] }))
      const flush = (reader: typeof readers[number]) => {
        reader.got.push(...reader.unwritten.map(bytes => Buffer.from(bytes)))
        reader.unwritten = []
        reader.flushed = reader.offset
      }
      let at = 0
      while (at < body.length || readers.some(({ offset }) => offset < body.length)) {
        if (at < body.length && random() < 0.5) {
          const piece = body.subarray(at, at + 1 + upTo(100_000 * random() ** 3))
          at += piece.length
          const shared = random()
          const own = shared < 0.3 ? piece : shared < 0.6 ? Buffer.from(piece) : new Uint8Array(piece)
          if (!backlog.append(own)) t.fail('the budget is large enough')
          if ((again || !backlog.fixed) && own !== piece) own.fill(0)
        }
        for (const reader of readers) {
          const bytes = random() < 0.5 ? backlog.read(reader.offset) : null
          if (bytes === null) continue
          reader.unwritten.push(bytes)
          reader.offset += bytes.length
          if (random() < 0.5) flush(reader)
          backlog.release(Math.min(...readers.map(({ offset }) => offset)), Math.min(...readers.map(({ flushed }) => flushed)))
        }
        const slowest = Math.min(...readers.map(({ offset }) => offset))
        // One block that is not full, one that is not read to its end, and what has not been read.
        if (budget.used > at - slowest + 2 * 100_000) t.fail(`${budget.used} bytes are held for ${at - slowest}`)
      }
      readers.forEach(flush)
      t.equal(backlog.received, body.length)
      t.equal(backlog.read(body.length), null)
      t.ok(readers.every(({ got }) => Buffer.concat(got).equals(body)), `round ${round}, ${body.length} bytes`)
      backlog.dispose()
      t.equal(budget.used, 0)
      backlog.dispose()
      t.equal(budget.used, 0, 'once')
    }
  })

  t.test('a body of a known length lies in one piece, and takes no more than that', async t => {
    const budget = new Budget(1_000_000)
    const backlog = new Backlog(budget, 1000)
    const slab = Buffer.alloc(65536, 'x')
    backlog.append(slab.subarray(0, 10))
    t.equal(budget.used, 1000)
    const announced = new Backlog(budget, 1_000_000)
    announced.append(slab.subarray(0, 1))
    t.equal(budget.used, 1000 + 4096, 'nor much more than has come')
    announced.dispose()
    backlog.append(slab.subarray(0, 990))
    t.equal(backlog.read(0)?.length, 1000)
    backlog.append(slab.subarray(0, 1))
    t.equal(backlog.received, 1001, 'more than was declared is kept as well')
    t.equal(backlog.read(1000)?.length, 1)
  })

  t.test('single bytes share memory, however many they are', async t => {
    const budget = new Budget(1_000_000)
    const backlog = new Backlog(budget, 0)
    const slab = Buffer.alloc(65536, 'x')
    for (let i = 0; i < 100_000; i++) backlog.append(slab.subarray(0, 1))
    t.ok(budget.used < 200_000, `${budget.used} bytes for 100000`)
  })

  t.test('a fixed piece that is most of its memory is kept as it is, a small part of a large one is not', async t => {
    const budget = new Budget(1_000_000)
    const large = Buffer.alloc(100_000, 'a')
    const pieces = [
      [large, true, true], [large.subarray(0, 50_000), true, true], [large.subarray(0, 49_999), true, false], [large, false, false]
    ] as const
    for (const [piece, fixed, kept] of pieces) {
      const backlog = new Backlog(budget, 0)
      backlog.fixed = fixed
      backlog.append(piece)
      const memory = backlog.read(0)?.buffer
      t.equal(memory === large.buffer, kept)
      backlog.dispose()
    }
    const backlog = new Backlog(new Budget(1_000_000, new Blocks()), 0)
    backlog.fixed = true
    backlog.append(large)
    t.not(backlog.read(0)?.buffer, large.buffer, 'unless what is read is written to again')
  })

  t.test('what the budget does not allow is not appended', async t => {
    for (const size of [5000, 100_000]) {
      const budget = new Budget(4999)
      const backlog = new Backlog(budget, size)
      t.equal(backlog.append(Buffer.alloc(size)), false)
      t.equal(backlog.append(Buffer.alloc(3 * size).subarray(0, size)), false)
      backlog.dispose()
      t.equal(budget.used, 0)
    }
  })

  t.test('what has been read of the block that is still filled stays until that is full', async t => {
    const budget = new Budget(1_000_000)
    const backlog = new Backlog(budget, 0)
    backlog.append(Buffer.alloc(10, 'a'))
    backlog.release(10, 10)
    t.equal(backlog.read(0)?.toString(), 'aaaaaaaaaa')
    backlog.append(Buffer.alloc(10_000, 'b').subarray(0, 4086))
    t.equal(budget.used, 4096)
    backlog.release(4095, 4095)
    t.equal(budget.used, 4096)
    backlog.release(4096, 4096)
    t.equal(budget.used, 0)
  })

  t.test('as a whole it is one piece, and takes no more than before', async t => {
    for (const sizes of [[], [10], [10, 5000, 20_000, 3], [100_000, 100_000]]) {
      const budget = new Budget(1_000_000)
      const backlog = new Backlog(budget, 0)
      const pieces = sizes.map((size, i) => Buffer.alloc(size, String(i)))
      for (const piece of pieces) backlog.append(piece)
      const before = budget.used
      const whole = backlog.whole()
      t.ok(whole.equals(Buffer.concat(pieces)))
      t.ok(budget.used <= before)
      t.equal(backlog.whole().buffer, whole.buffer)
      backlog.dispose()
      t.equal(budget.used, 0)
    }
  })

  t.test('it goes on after it was taken as a whole, and after some was released', async t => {
    const budget = new Budget(1_000_000)
    const backlog = new Backlog(budget, 0)
    backlog.fixed = true
    for (const text of ['a', 'b', 'c']) backlog.append(Buffer.alloc(50_000, text))
    backlog.release(50_000, 50_000)
    t.equal(backlog.whole().length, 100_000)
    backlog.append(Buffer.from('end'))
    t.equal(backlog.received, 150_003)
    t.equal(backlog.read(50_000)?.toString('latin1', 0, 1), 'b')
    t.equal(backlog.read(150_000)?.toString(), 'end')
    backlog.dispose()
    t.equal(budget.used, 0)
  })
})

t.test('capture', async t => {
  t.test('a body up to the limit is at hand, a longer one is not and holds nothing', async t => {
    const budget = new Budget(1_000_000)
    const capture = new Capture(budget, 10, false)
    capture.add(Buffer.from('hello'))
    capture.add(Buffer.from('world'))
    t.equal(String(capture.bytes), 'helloworld')
    capture.add(Buffer.from('.'))
    t.equal(capture.bytes, 'too long')
    t.equal(budget.used, 0)
    capture.add(Buffer.from('.'))
    t.equal(budget.used, 0)
    t.equal(capture.bytes, 'too long')
  })

  t.test('without memory for it it says so, and holds nothing', async t => {
    const budget = new Budget(5000)
    const capture = new Capture(budget, 10_000, false)
    capture.add(Buffer.from('hello'))
    capture.add(Buffer.alloc(6000))
    t.equal(capture.bytes, 'memory')
    t.equal(budget.used, 0)
  })

  t.test('disposed of, it holds nothing', async t => {
    const budget = new Budget(5000)
    const capture = new Capture(budget, 10_000, false)
    capture.add(Buffer.from('hello'))
    capture.dispose()
    capture.add(Buffer.from('hello'))
    t.equal(budget.used, 0)
  })
})

t.test('breaker', async t => {
  t.test('opens after so many failures in a row, lets one try after the time, and closes when that succeeds', async t => {
    const breaker = new Breaker({ failures: 3, cooldown: 100 })
    const fail = (now: number) => breaker.failed(breaker.begin(now), now)
    fail(1)
    fail(2)
    breaker.succeeded(breaker.begin(2))
    fail(3)
    fail(4)
    t.equal(breaker.state, 'closed', 'a success in between starts the count again')
    t.equal(breaker.blocks(4), false)
    fail(5)
    t.equal(breaker.state, 'open')
    t.equal(breaker.blocks(104), true)
    t.equal(breaker.blocks(105), false)
    t.equal(breaker.state, 'open', 'until somebody begins')
    const trial = breaker.begin(105)
    t.equal(trial, 1)
    t.equal(breaker.state, 'half-open')
    t.equal(breaker.blocks(204), true, 'one at a time')
    breaker.succeeded(trial)
    t.equal(breaker.state, 'closed')
    fail(6)
    fail(7)
    t.equal(breaker.state, 'closed', 'the count starts again')
    fail(8)
    t.equal(breaker.state, 'open')
  })

  t.test('a try that fails opens it anew, one that says nothing leaves the next one to try', async t => {
    const breaker = new Breaker({ failures: 1, cooldown: 100 })
    breaker.failed(breaker.begin(0), 0)
    breaker.failed(breaker.begin(100), 100)
    t.equal(breaker.state, 'open')
    t.equal(breaker.blocks(199), true)
    breaker.undecided(breaker.begin(200))
    t.equal(breaker.state, 'open')
    t.equal(breaker.blocks(200), false)
    breaker.succeeded(breaker.begin(200))
    t.equal(breaker.state, 'closed')
  })

  t.test('attempts that began before it opened change nothing', async t => {
    const breaker = new Breaker({ failures: 1, cooldown: 100 })
    const early = [breaker.begin(0), breaker.begin(0), breaker.begin(0)]
    breaker.failed(early[0], 0)
    breaker.failed(early[1], 50)
    t.equal(breaker.blocks(100), false, 'the time runs from the opening')
    breaker.succeeded(early[2])
    t.equal(breaker.state, 'open')
    const trial = breaker.begin(100)
    breaker.succeeded(0)
    breaker.failed(0, 100)
    breaker.undecided(0)
    t.equal(breaker.state, 'half-open')
    breaker.succeeded(trial)
    t.equal(breaker.state, 'closed')
  })

  t.test('a try that takes longer than the time does not keep others from trying', async t => {
    const breaker = new Breaker({ failures: 2, cooldown: 100 })
    for (const now of [0, 1]) breaker.failed(breaker.begin(now), now)
    const slow = [101, 201, 301].map(now => {
      t.equal(breaker.blocks(now - 1), true)
      t.equal(breaker.blocks(now), false)
      return breaker.begin(now)
    })
    t.same(slow, [1, 1, 1])
    breaker.succeeded(slow[1])
    t.equal(breaker.state, 'closed')
    breaker.undecided(slow[0])
    breaker.failed(slow[2], 400)
    t.equal(breaker.state, 'closed', 'one failure among others')
    breaker.failed(breaker.begin(400), 400)
    t.equal(breaker.state, 'open')

    breaker.undecided(slow[0])
    t.equal(breaker.blocks(499), true, 'what tried an earlier opening says nothing of this one')
    breaker.succeeded(slow[0])
    t.equal(breaker.state, 'open')
    breaker.failed(slow[0], 499)
    t.equal(breaker.blocks(500), false)
    breaker.succeeded(breaker.begin(500))
    t.equal(breaker.state, 'closed')
  })

  t.test('without options it never opens', async t => {
    const breaker = new Breaker(null)
    for (let i = 0; i < 10_000; i++) breaker.failed(breaker.begin(i), i)
    t.equal(breaker.state, 'closed')
    t.equal(breaker.blocks(0), false)
  })
})

t.test('gate', async t => {
  t.test('as many are in flight as may be, and a place is free when one leaves', async t => {
    const gate = new Gate(2, null)
    t.equal(gate.refusal(false, performance.now()), null)
    gate.enter()
    gate.enter()
    t.equal(gate.refusal(false, performance.now()), 'inFlight')
    t.equal(gate.refusal(true, performance.now()), 'inFlight', 'the first reason is told')
    gate.leave(0, null)
    t.equal(gate.inFlight, 1)
    t.equal(gate.refusal(false, performance.now()), null)
    t.equal(gate.refusal(true, performance.now()), 'memory')
  })

  t.test('what says something of the backend counts for the breaker, and nothing else', async t => {
    const counts: Array<[FailureReason, boolean]> = [
      ['timeout', true], ['connect', true], ['reset', true], ['body', true], ['aborted', false], ['slow', false], ['memory', false],
      ['thread', false], ['staleConnection', false], ['bodyTimeout', false], ['error', false]
    ]
    for (const [reason, opens] of counts) {
      const gate = new Gate(10, { failures: 2, cooldown: 60_000 })
      for (let i = 0; i < 2; i++) gate.leave(gate.enter(), reason)
      t.equal(gate.breaker, opens ? 'open' : 'closed', reason)
      t.equal(gate.refusal(false, performance.now()), opens ? 'breaker' : null)
      t.equal(gate.refusal(true, performance.now()), 'memory')
    }
  })

  t.test('after its time one copy is the trial, and decides', async t => {
    const clock = { now: 1_000_000 }
    t.intercept(performance, 'now', { value: () => clock.now, configurable: true })
    for (const [failure, state] of [[null, 'closed'], ['timeout', 'open'], ['aborted', 'open']] as const) {
      const gate = new Gate(10, { failures: 1, cooldown: 100 })
      gate.leave(gate.enter(), 'reset')
      clock.now += 100
      t.equal(gate.refusal(false, performance.now()), null)
      const trial = gate.enter()
      t.equal(trial, 1)
      t.equal(gate.breaker, 'half-open')
      t.equal(gate.refusal(false, performance.now()), 'breaker')
      gate.leave(trial, failure)
      t.equal(gate.breaker, state)
    }
  })
})

t.test('pacer', async t => {
  const KIB = 1024

  t.test('a turn has room for so many bytes and so much time, then whoever reads waits for a later one', async t => {
    const pacer = new Pacer()
    for (const [bytes, ms] of [[300 * KIB, 0.1], [0, 0.3]]) {
      pacer.spend(bytes, ms)
      t.equal(pacer.room, true)
    }
    pacer.spend(212 * KIB, 0)
    t.equal(pacer.room, false)
    let resumed = 0
    pacer.wait(() => { resumed++ }, false)
    t.equal(resumed, 0)
    await setImmediate()
    t.equal(resumed, 1)
    t.equal(pacer.room, true, 'a new turn has new room')
    pacer.spend(1, 0.5)
    t.equal(pacer.room, false)
  })

  for (const long of [false, true]) {
    t.test(`the first to wait is the first to go on, none is left out, and a turn takes no more than its share, ${long ? 'long' : 'short'}`, async t => {
      const pacer = new Pacer()
      const random = seeded(9)
      const spent = Array.from({ length: 20 }, () => 0)
      const order: number[] = []
      const turns: number[] = []
      let over = false
      const read = (i: number) => {
        if (over) return
        order.push(i)
        while (pacer.room) {
          const bytes = 1 + Math.floor(random() * 64 * KIB)
          spent[i] += bytes
          turns[turns.length - 1] += bytes
          pacer.spend(bytes, 0)
        }
        pacer.wait(() => read(i), long)
      }
      turns.push(0)
      for (let i = 0; i < spent.length; i++) read(i)
      while (turns.length < 200) {
        turns.push(0)
        const before = order.length
        while (order.length === before) await setImmediate()
      }
      over = true
      t.ok(Math.max(...turns) < (512 + 64) * KIB * (long ? 1 : 4), 'a turn takes no more than its share and one piece')
      t.strictSame(order.slice(20, 150), order.slice(0, 130), 'always in the same order')
      t.ok(Math.min(...spent) > Math.max(...spent) / 4, 'all get about the same')
    })
  }

  t.test('long answers let the loop rest', async t => {
    const pacer = new Pacer()
    let resumed = 0
    pacer.wait(() => { resumed++ }, true)
    pacer.wait(() => { pacer.spend(1, 1) }, true)
    pacer.wait(() => { resumed++ }, true)
    t.ok(process.getActiveResourcesInfo().includes('Timeout'))
    await until('the first have gone on', () => resumed === 1)
    await until('the last has', () => resumed === 2)
  })

  t.test('answers that are no longer short have a little credit together, which time brings back', async t => {
    const clock = { now: 1000 }
    t.intercept(performance, 'now', { value: () => clock.now })
    const pacer = new Pacer()
    t.equal(pacer.credit, true)
    pacer.spend(1, 100)
    t.equal(pacer.credit, true, 'short ones take none of it')
    pacer.spend(1, 4, 4)
    t.equal(pacer.credit, true)
    pacer.spend(1, 40, 40)
    t.equal(pacer.credit, false)
    clock.now += 10
    t.equal(pacer.credit, true)
    pacer.spend(1, 3, 2.5)
    t.equal(pacer.credit, false, 'a quarter of the time has come back')
    clock.now += 3_600_000
    pacer.spend(1, 5, 5)
    t.equal(pacer.credit, false, 'and never more than there was at first')
  })

  t.test('it costs nothing when nobody spends', async t => {
    const pacer = new Pacer()
    pacer.spend(1, 0)
    await setImmediate()
    await setImmediate()
    t.notOk(process.getActiveResourcesInfo().includes('Immediate'))
  })
})

t.test('paced reads', async t => {
  // Time passes as the test says: on a busy machine a piece of three bytes may take long enough for a long answer.
  const clock = { now: 1000 }
  t.intercept(performance, 'now', { value: () => clock.now })

  class FakePacer extends Pacer {
    readonly spent: number[] = []
    hasCredit = false
    ms = 0
    full = false
    long = false
    resume: () => void = () => t.fail('nobody waits')

    override get room (): boolean {
      return !this.full
    }

    override get credit (): boolean {
      return this.hasCredit
    }

    override spend (bytes: number, ms: number): void {
      this.spent.push(bytes)
      this.ms += ms
    }

    override wait (resume: () => void, long: boolean): void {
      this.resume = resume
      this.long = long
    }
  }

  interface State { awaited: boolean, hasHead: boolean }
  const [NONE, AWAITED, COMING]: State[] = [
    { awaited: false, hasHead: false }, { awaited: true, hasHead: false }, { awaited: true, hasHead: true }
  ]

  /** A connection from which whatever has been pushed can be read; each piece is worked on for so many ms. */
  function pacedSocket (t: Test, pacer: Pacer, state = AWAITED, ms = 0) {
    const socket = new Socket()
    const got: Buffer[] = []
    const work = { ms }
    // As undici reads.
    const take = () => {
      for (let chunk; (chunk = socket.read()) !== null;) {
        got.push(chunk)
        clock.now += work.ms
      }
    }
    socket.on('readable', take)
    const reader = { ...state, fail () {} }
    const reads = Reads.attach(socket, reader, pacer)
    t.teardown(() => socket.destroy())
    return { socket, got, reads, reader, take, work }
  }

  t.test('all that is read is spent, and past the share there is nothing to read until the turn comes', async t => {
    const pacer = new FakePacer()
    const { socket, got } = pacedSocket(t, pacer)
    socket.push(Buffer.from('one'))
    await until('it is read', () => got.length === 1)
    pacer.full = true
    socket.push(Buffer.from('two'))
    socket.push(Buffer.from('three'))
    for (let turn = 0; turn < 5; turn++) await setImmediate()
    t.equal(Buffer.concat(got).toString(), 'one')
    pacer.full = false
    pacer.resume()
    t.equal(Buffer.concat(got).toString(), 'onetwothree')
    t.equal(pacer.spent.reduce((sum, bytes) => sum + bytes), Buffer.concat(got).length)
    socket.push(Buffer.from('four'))
    await until('it goes on', () => Buffer.concat(got).toString() === 'onetwothreefour')
  })

  t.test('pieces are as small as the time says that they take, and grow again', async t => {
    for (const way of ['push', 'hand'] as const) {
      const pacer = new FakePacer()
      const { socket, got, reads, work } = pacedSocket(t, pacer, COMING, 0.5)
      const give = async (bytes: number) => {
        const before = Buffer.concat(got).length
        const chunk = Buffer.alloc(bytes, 'x')
        for (let at = 0; at < bytes; at += 60_000) {
          if (way === 'push') socket.push(chunk.subarray(at, at + 60_000))
          else reads.hand(chunk.subarray(at, at + 60_000))
        }
        await until('all is read', () => Buffer.concat(got).length === before + bytes)
      }
      reads.begin()
      pacer.wait = resume => { globalThis.setImmediate(resume) }
      await give(20_000)
      t.equal(got[0].length, 4096, 'none is known yet')
      t.equal(got.at(-2)?.length, 1024)
      t.ok(pacer.ms > 5)
      work.ms = 0
      await give(600_000)
      t.ok(got.some(({ length }) => length >= 8192))
      t.ok(got.every(({ length }) => length <= 16 * 1024))
      t.equal(reads.heard, true)
      reads.begin()
      t.equal(reads.heard, false)
    }
  })

  t.test('an answer that is no longer short rests once there is no credit, a long one in any case', async t => {
    const pacer = new FakePacer()
    const { socket, reads } = pacedSocket(t, pacer, COMING, 0.1)
    pacer.hasCredit = true
    reads.begin()
    socket.push(Buffer.alloc(60_000))
    await until('it waits', () => pacer.long)
    t.ok(pacer.ms > 1 && pacer.ms < 1.15, `${pacer.ms}`)
    pacer.resume()
    pacer.hasCredit = pacer.long = false
    pacer.ms = 0
    reads.begin()
    socket.push(Buffer.alloc(60_000))
    await until('it waits', () => pacer.long)
    t.ok(pacer.ms > 0.2 && pacer.ms < 0.35, `${pacer.ms}`)
  })

  t.test('an answer that has taken its time is a long one', async t => {
    const pacer = new FakePacer()
    const { socket, got, reads } = pacedSocket(t, pacer, COMING, 0.6)
    reads.begin()
    socket.push(Buffer.alloc(20_000))
    await until('it waits', () => pacer.long)
    const before = got.length
    t.ok(before > 0 && before <= 2)
    pacer.resume()
    t.ok(got.length > before, 'in its turn it goes on')
    reads.begin()
    socket.push(Buffer.alloc(10))
    await until('the next one is none yet', () => Buffer.concat(got).length === 20_010)
  })

  t.test('the end comes after all that is held, not before', async t => {
    const pacer = new FakePacer()
    const { socket, got } = pacedSocket(t, pacer)
    let ended = false
    socket.on('end', () => { ended = true })
    socket.push(Buffer.from('one'))
    await until('it is read', () => got.length === 1)
    pacer.full = true
    socket.push(Buffer.from('two'))
    socket.push(null)
    for (let turn = 0; turn < 5; turn++) await setImmediate()
    t.equal(ended, false)
    pacer.full = false
    pacer.resume()
    t.equal(Buffer.concat(got).toString(), 'onetwo')
    await until('it ends', () => ended)
  })

  t.test('nothing is held back where no answer is awaited', async t => {
    const pacer = new FakePacer()
    const { socket, got, reader } = pacedSocket(t, pacer)
    pacer.full = true
    socket.push(Buffer.from('one'))
    for (let turn = 0; turn < 5; turn++) await setImmediate()
    t.equal(got.length, 0)
    Object.assign(reader, NONE)
    socket.push(Buffer.from('two'))
    await until('it is read', () => Buffer.concat(got).toString() === 'onetwo')
  })

  t.test('what lies in memory that is written to again is handed over at once, copied where the client library may keep it', async t => {
    const pacer = new FakePacer()
    const { got, reads, reader } = pacedSocket(t, pacer)
    const memory = Buffer.from('heads and bodies')
    const hand = (text: string) => {
      memory.write(text, 'latin1')
      return reads.hand(memory.subarray(0, text.length))
    }
    t.equal(hand('head'), true)
    Object.assign(reader, COMING)
    t.equal(hand('body'), true)
    Object.assign(reader, NONE)
    t.equal(hand('more'), true)
    memory.fill('!')
    t.strictSame(got.map(String), ['head', '!!!!', 'more'])
    t.strictSame(pacer.spent, [4, 4, 4])
  })

  t.test('past its share a connection is not read from, and goes on in order', async t => {
    const pacer = new FakePacer()
    const { socket, got, reads } = pacedSocket(t, pacer, COMING)
    t.equal(reads.hand(Buffer.from('one')), true)
    pacer.full = true
    const memory = Buffer.from('two')
    reads.hand(memory)
    memory.fill('!')
    socket.push('three')
    for (let turn = 0; turn < 5; turn++) await setImmediate()
    t.equal(String(got), 'one')
    pacer.full = false
    pacer.resume()
    t.equal(Buffer.concat(got).toString(), 'onetwothree')
  })

  t.test('how long it was held back is told, and does not count what had not come', async t => {
    const pacer = new FakePacer()
    const { socket, got, reads } = pacedSocket(t, pacer, COMING)
    reads.begin()
    clock.now += 100
    socket.push('one')
    await until('it is read', () => got.length === 1)
    pacer.full = true
    clock.now += 100
    t.equal(reads.paced(), null, 'there is nothing')
    clock.now += 100
    socket.push('two')
    for (let turn = 0; turn < 5; turn++) await setImmediate()
    clock.now += 30
    pacer.full = false
    pacer.resume()
    t.equal(String(got), 'one,two')
    t.equal(reads.heldMs, 30)
    reads.begin()
    t.equal(reads.heldMs, 0)
  })

  t.test('what nobody reads yet is kept as it came', async t => {
    const pacer = new FakePacer()
    const { socket, got, reads, take } = pacedSocket(t, pacer, COMING)
    socket.off('readable', take)
    const memory = Buffer.from('one')
    for (const text of ['one', 'two']) {
      memory.write(text)
      reads.hand(memory)
    }
    socket.push(null)
    memory.fill('!')
    const ended = once(socket, 'end')
    take()
    t.equal(Buffer.concat(got).toString(), 'onetwo')
    await ended
  })

  t.test('what comes before a connection counts as one is kept as well', async t => {
    const server = await startTcp(t, socket => socket.write('early'))
    const memory = Buffer.alloc(100)
    const socket = connect({ port: server.port, host: '127.0.0.1', onread: readInto(memory) })
    t.teardown(() => socket.destroy())
    await once(socket, 'readable')
    memory.fill(0)
    t.equal(String(socket.read()), 'early')
  })
})

t.test('blocks', async t => {
  const blocks = new Blocks()
  const large = Array.from({ length: 100 }, () => blocks.take(LARGEST_BLOCK))
  t.ok(large.every(({ length }) => length === LARGEST_BLOCK))
  blocks.give(blocks.take(10))
  for (const block of large) blocks.give(block)
  const again = new Set(Array.from({ length: 100 }, () => blocks.take(LARGEST_BLOCK)))
  t.equal(again.size, 100, 'none is given twice')
  t.equal(large.filter(block => again.has(block)).length, 32, 'some are kept')
  t.equal(blocks.take(20).length, 20)
})

t.test('look-ups', async t => {
  const A: LookupAddress = { address: '10.0.0.1', family: 4 }
  const B: LookupAddress = { address: '::1', family: 6 }

  type Asked = Parameters<Resolve>
  interface Answer { error: Error | null, address: unknown, family: number | undefined }

  /** Look-ups whose resolver waits to be answered by the test, and whose clock stands still. */
  function setUp (t: Test) {
    const asked: Asked[] = []
    const clock = { now: 1_000_000 }
    t.intercept(performance, 'now', { value: () => clock.now, configurable: true })
    const cancelled: string[] = []
    const lookups = new Lookups((...args) => { asked.push(args) }, () => cancelled.push(asked[asked.length - 1][0]))
    const ask = (hostname: string, options: Record<string, unknown> = {}) => {
      const answers: Answer[] = []
      lookups.lookup(hostname, options, (error, address, family) => answers.push({ error, address, family }))
      return answers
    }
    const answer = (addresses: LookupAddress[] | Error) => {
      const [, , callback] = asked[asked.length - 1]
      if (addresses instanceof Error) callback(addresses, [])
      else callback(null, addresses)
    }
    return { lookups, asked, cancelled, ask, answer, clock }
  }

  t.test('all addresses are asked for once, and each caller gets what it wants of them', async t => {
    const { asked, ask, answer } = setUp(t)
    const one = ask('a')
    const all = ask('a', { all: true })
    t.equal(asked.length, 1)
    t.match(asked[0], ['a', { all: true }])
    t.strictSame([one, all], [[], []])
    answer([A, B])
    t.strictSame(one, [{ error: null, address: '10.0.0.1', family: 4 }])
    t.strictSame(all, [{ error: null, address: [A, B], family: undefined }])
    const later = ask('a')
    t.strictSame(later, [], 'never at once')
    await setImmediate()
    t.strictSame(later, [{ error: null, address: '10.0.0.1', family: 4 }])
    t.equal(asked.length, 1)
  })

  t.test('one host at a time, in turn', async t => {
    const { asked, ask, answer } = setUp(t)
    for (const host of ['a', 'b', 'a', 'c', 'b']) ask(host)
    for (const host of ['a', 'b', 'c']) {
      t.equal(asked[asked.length - 1][0], host)
      answer([A])
    }
    t.equal(asked.length, 3)
  })

  t.test('of too many that wait for one host the oldest gives up', async t => {
    const { ask, answer } = setUp(t)
    const waiting = Array.from({ length: 16 * 1024 + 2 }, () => ask('a'))
    await setImmediate()
    for (const oldest of waiting.splice(0, 2)) t.match(oldest, [{ error: { code: 'EAI_AGAIN' } }])
    answer([A])
    t.ok(waiting.every(answers => answers.length === 1 && answers[0].address === '10.0.0.1'))
  })

  t.test('an answer is kept ten seconds, and serves a minute while a newer one is awaited', async t => {
    const { asked, ask, answer, clock } = setUp(t)
    ask('a')
    answer([A])
    clock.now += 9_999
    ask('a')
    t.equal(asked.length, 1)
    clock.now += 1
    const old = [ask('a'), ask('a')]
    await setImmediate()
    t.strictSame(old.map(([{ address }]) => address), ['10.0.0.1', '10.0.0.1'], 'nobody waits')
    t.equal(asked.length, 2, 'and it is asked for anew, once')
    clock.now += 49_999
    const still = ask('a')
    await setImmediate()
    t.equal(still[0].address, '10.0.0.1')
    clock.now += 1
    const waiting = ask('a')
    await setImmediate()
    t.strictSame(waiting, [], 'one of a minute ago serves nobody')
    answer([B])
    t.equal(waiting[0].address, '::1')
    t.equal(asked.length, 2)
  })

  t.test('a look-up that fails leaves the old answer for its minute, and is tried again after a second', async t => {
    const { asked, ask, answer, clock } = setUp(t)
    ask('a')
    answer([A])
    clock.now += 10_000
    for (let failures = 1; failures <= 3; failures++) {
      const old = ask('a')
      await setImmediate()
      t.equal(old[0].address, '10.0.0.1')
      t.equal(asked.length, 1 + failures)
      answer(new Error('the server is down'))
      clock.now += 999
      ask('a')
      t.equal(asked.length, 1 + failures, 'a failure is kept a second')
      clock.now += 1
    }
    clock.now += 50_000
    const failing = ask('a')
    await setImmediate()
    t.strictSame(failing, [])
    const error = new Error('no such host')
    answer(error)
    t.equal(failing[0].error, error)
    clock.now += 999
    const still = ask('a')
    await setImmediate()
    t.equal(still[0].error, error)
    t.equal(asked.length, 5)
    clock.now += 1
    const again = ask('a')
    t.equal(asked.length, 6)
    answer([B])
    t.equal(again[0].address, '::1')
  })

  t.test('while another host is slow an old answer is better than none', async t => {
    const { asked, ask, answer, clock } = setUp(t)
    ask('old')
    answer([A])
    clock.now += 20_000
    const slow = ask('slow')
    const old = ask('old')
    const unknown = ask('unknown')
    await setImmediate()
    t.equal(old[0].address, '10.0.0.1')
    t.strictSame([slow, unknown], [[], []])
    answer([B])
    t.equal(asked[2][0], 'old', 'it is asked for anew')
    const waiting = ask('unknown')
    answer([B])
    answer([B])
    t.equal(unknown.length + waiting.length, 2)
    const renewed = ask('old')
    await setImmediate()
    t.equal(renewed[0].address, '::1')
  })

  t.test('families and hints that differ are looked up apart', async t => {
    const { asked, ask, answer } = setUp(t)
    for (const options of [{}, { family: 4 }, { family: 6 }, { hints: 32 }, { family: 4 }]) {
      ask('a', options)
      answer([A])
    }
    t.strictSame(asked.map(([, options]) => [options.family, options.hints]), [
      [undefined, undefined], [4, undefined], [6, undefined], [undefined, 32]
    ])
  })

  t.test('options that the system refuses fail the caller, and stop nobody', async t => {
    const refused = new TypeError('no such family')
    const lookups = new Lookups((hostname, _options, callback) => {
      if (hostname === 'bad') throw refused
      callback(null, [A])
    }, () => {})
    const answers: unknown[] = []
    lookups.lookup('bad', {}, error => answers.push(error))
    await setImmediate()
    t.strictSame(answers, [refused])
    lookups.lookup('good', {}, () => {})
    lookups.lookup('good', {}, (_, address) => answers.push(address))
    await setImmediate()
    t.equal(answers[1], '10.0.0.1')
  })

  t.test('those of the process ask the system', async t => {
    const found = await new Promise(resolve => lookups.lookup('localhost', {}, (_, address) => resolve(address)))
    t.match(found, /^(127\.0\.0\.1|::1)$/)
  })

  t.test('when the last user leaves, what is under way is called off, and what waits is not begun', async t => {
    const { lookups, asked, cancelled, ask, answer } = setUp(t)
    const [leave, leaveToo] = [lookups.enter(), lookups.enter()]
    const [under, waiting] = [ask('a'), ask('b')]
    leave()
    leave()
    t.strictSame([cancelled, waiting], [[], []], 'there is another user, however often the first one leaves')
    leaveToo()
    t.strictSame(cancelled, ['a'])
    t.match(waiting, [{ error: { message: 'nobody looks up hosts any more' } }])
    const later = [ask('b'), ask('a')]
    t.equal(asked.length, 1, 'one at a time all the same')
    answer(new Error('called off'))
    t.match(under, [{ error: { message: 'called off' } }])
    t.equal(asked[1][0], 'b', 'nothing is remembered of what was called off')
    answer([A])
    t.equal(asked[2][0], 'a')
    answer([B])
    t.strictSame(later.map(([{ address }]) => address), ['10.0.0.1', '::1'])
    lookups.enter()()
    t.equal(cancelled.length, 1, 'there is nothing to call off')
  })
})

t.test('digest', async t => {
  const reference = (body: Buffer) => createHash('sha256').update(body).digest('hex')

  t.test('whatever the pieces, it is the hash of the whole', async t => {
    const random = seeded(1)
    for (let round = 0; round < 200; round++) {
      const body = Buffer.alloc(Math.floor(random() ** 3 * 60_000), String(round))
      const digest = new Digest()
      const scratch = Buffer.alloc(body.length)
      for (let at = 0; at < body.length;) {
        const length = Math.min(body.length - at, Math.floor(random() ** 2 * 20_000))
        body.copy(scratch, 0, at, at + length)
        digest.update(scratch.subarray(0, length))
        // The memory may be used again as soon as the piece was taken.
        scratch.fill(0, 0, length)
        at += length
      }
      digest.end()
      t.ok(digest.equals(Digest.of(body)), 'that of the whole')
      if (digest.hex !== reference(body)) t.fail(`round ${round}`)
      t.equal(digest.length, body.length)
    }
  })

  t.test('at the edges between text, one shot and many', async t => {
    const ways: Record<string, (body: Buffer) => Digest> = {
      whole: body => Digest.of(body),
      text: body => Digest.of(body.toString()),
      piece: body => flowing([body]),
      pieces: body => flowing([body.subarray(0, 1), body.subarray(1)]),
      'after nothing': body => flowing([Buffer.alloc(0), body])
    }
    for (const size of [0, 1, 2047, 2048, 2049, 8191, 8192, 8193]) {
      const body = Buffer.alloc(size, 'e')
      for (const [name, one] of Object.entries(ways)) {
        t.equal(one(body).hex, reference(body), `${name}, of ${size}`)
        for (const other of Object.values(ways)) {
          t.ok(one(body).equals(other(body)))
          t.notOk(one(body).equals(other(Buffer.alloc(size + 1, 'e'))), 'longer')
          if (size > 0) t.notOk(one(body).equals(other(Buffer.alloc(size, 'f'))), 'other bytes')
        }
      }
    }
  })

  t.test('text is hashed as UTF-8', async t => {
    for (const text of ['h\u00e9llo \u{1f600}', 'h\u00e9llo'.repeat(1000)]) {
      t.equal(Digest.of(text).hex, reference(Buffer.from(text)))
      t.ok(Digest.of(text).equals(flowing([Buffer.from(text)])))
      t.notOk(Digest.of(text).equals(flowing([Buffer.from(text, 'latin1')])))
    }
  })

  function flowing (pieces: Buffer[]): Digest {
    const digest = new Digest()
    for (const piece of pieces) digest.update(piece)
    digest.end()
    return digest
  }
})

t.test('copy body', async t => {
  function setUp () {
    const backlog = new Backlog(new Budget(1_000_000), 0)
    const advances: number[] = []
    const sender = { flushed: true, advanced: () => advances.push(body.offset), guard: UNTOLD, fail () {} }
    const body: CopyBody = new CopyBody(backlog, sender)
    return { backlog, body, advances, sender }
  }

  t.test('gives what is there, waits for more, and ends with the body', async t => {
    const { backlog, body, advances } = setUp()
    backlog.append(Buffer.from('some'))
    t.equal(String((await body.next()).value), 'some')
    t.strictSame([body.offset, advances], [0, []], 'what was given is not yet taken')
    const next = body.next()
    t.strictSame([body.offset, advances], [4, [4]])
    body.wake()
    backlog.append(Buffer.from('thing'))
    body.wake()
    body.wake()
    t.equal(String((await next).value), 'thing')
    const last = body.next()
    backlog.ended = true
    body.wake()
    t.strictSame(await last, { done: true, value: undefined })
    t.equal(body.offset, 9)
    t.equal((await body.next()).done, true)
  })

  t.test('what the socket has taken may not have left it', async t => {
    const { backlog, body, sender } = setUp()
    const take = async (text: string) => {
      backlog.append(Buffer.from(text))
      await body.next()
      const next = body.next()
      return { taken: [body.offset, body.flushed], next }
    }
    sender.flushed = false
    t.strictSame((await take('ab')).taken, [2, 0])
    sender.flushed = true
    body.wake()
    backlog.append(Buffer.from('cde'))
    body.wake()
    body.next()
    t.strictSame([body.offset, body.flushed], [5, 5])
  })

  t.test('as an iterator', async t => {
    const { backlog, body } = setUp()
    backlog.append(Buffer.from('ab'))
    backlog.ended = true
    const got: string[] = []
    for await (const piece of body) got.push(piece.toString())
    t.strictSame(got, ['ab'])
  })

  t.test('closed, it lets go of whoever waits, and has nothing more', async t => {
    const { backlog, body } = setUp()
    const waiting = body.next()
    body.close()
    t.equal((await waiting).done, true)
    backlog.append(Buffer.from('more'))
    t.equal((await body.next()).done, true)
    body.close()
  })
})

t.test('connection', async t => {
  t.test('called off before it stood, a request does not use one that comes up all the same', async t => {
    const pool = new Connections('http://shadow.test', {}, new Pacer(), UNTOLD, undefined)
    const connection = pool.acquire()
    t.teardown(() => connection.client.destroy())
    connection.client.dispatch = () => true
    const heard: string[] = []
    const handler: ResponseHandler = {
      guard: UNTOLD,
      onStart: () => heard.push('start'),
      onHead () {},
      onData () {},
      onEnd () {},
      onError: error => heard.push(error.message),
      onClose () {},
      fail () {}
    }
    t.equal(connection.abort(new Error('nothing')), false, 'it has no request')
    connection.send({ method: 'GET', path: '/', headers: [], body: null }, handler)
    t.equal(connection.abort(new Error('called off')), true)
    connection.onConnect(error => connection.onError(error as Error))
    t.strictSame(heard, ['called off'])
    t.equal(connection.abort(new Error('again')), false, 'it has let go')
  })
})

t.test('connect options', async t => {
  t.test('what TLS or a thread would refuse is told', async t => {
    const fine = { servername: 'shadow.test', timeout: 100 }
    t.equal(connectFault('http://shadow.test', fine, true), null)
    t.equal(connectFault('https://shadow.test', fine, false), null)
    t.equal(connectFault('http://shadow.test', { ca: 'nonsense', lookup () {} }, false), null, 'no TLS, no thread')
    t.match(connectFault('https://shadow.test', { cert: 'nonsense' }, false), { key: null, allowed: /PEM|start line/i })
    t.match(connectFault('http://shadow.test', { timeout: 1, lookup () {} }, true), { key: 'lookup', allowed: /function/ })
    for (const servername of ['127.0.0.1', '::1', '[::1]', 'fe80::1%eth0', '::ffff:127.0.0.1']) {
      t.match(connectFault('https://127.0.0.1', { servername }, false), { key: 'servername', allowed: /no address/ }, servername)
      t.equal(connectFault('http://127.0.0.1', { servername }, false), null, 'no TLS')
    }
    for (const servername of ['', '127.0.0.1.shadow.test', '1.2.3', 'localhost']) t.equal(connectFault('https://shadow.test', { servername }, false), null)
  })
})

t.test('an engine that is closed with nothing under way is closed at once', async t => {
  const engine = new InlineEngine(new Budget(1))
  const started = performance.now()
  await engine.close(60_000)
  t.ok(performance.now() - started < 30_000)
})

t.test('walls', async t => {
  const lib = join(__dirname, '..', 'lib')
  const files = readdirSync(lib, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.ts'))
  const walled = files.filter(name => /^(engine|compare|metrics|decision)\b./.test(name))
  t.ok(walled.length > 30, 'they are found')

  interface Import { from: string, names: string, type: boolean }

  function importsOf (name: string): Import[] {
    const text = readFileSync(join(lib, name), 'utf8')
    const found = text.matchAll(/^(?:import|export) (type )?(?:([^']*?) from )?'([^']+)'|\b(?:require|import)\('([^']+)'\)/gm)
    return [...found].map(([, type, names, from, required]) => ({ from: from ?? required, names: names ?? '', type: type !== undefined }))
  }

  /** A relative import as a file of lib. */
  function fileOf (name: string, from: string): string {
    const path = relative(lib, join(lib, dirname(name), from))
    return files.includes(`${path}.ts`) ? `${path}.ts` : join(path, 'index.ts')
  }

  t.test('engine, compare, metrics and decision know nothing of Fastify', async t => {
    const known = new Set(walled)
    for (const name of known) {
      for (const { from, type } of importsOf(name)) {
        if (walled.includes(name) || !type) t.notMatch(from, /fastify(?!\/error)/, `${name} does not import Fastify`)
        if (from.startsWith('.') && !type) known.add(fileOf(name, from))
      }
    }
    t.ok(known.has(join('compare', 'digest.ts')))
  })

  t.test('only engine/http opens sockets', async t => {
    const opening = (name: string) => importsOf(name).filter(({ from, type }) => !type && /^(undici|(node:)?(net|tls|https?|http2|dgram))$/.test(from))
    const http = join('engine', 'http')
    t.ok(opening(join(http, 'connection.ts')).some(({ from }) => from === 'undici'), 'those that do are seen')
    for (const name of files) {
      if (dirname(name) === http) continue
      // What these offer beside sockets.
      for (const { names, from } of opening(name)) t.match(names, /^\{ (createSecureContext|isIP) \}$/, `${name} imports ${from}`)
      t.notMatch(readFileSync(join(lib, name), 'utf8'), /\bfetch\(|new (WebSocket|EventSource)\b/, name)
    }
  })
})
