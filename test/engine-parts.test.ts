import t from 'tap'
import type { Test } from 'tap'
import { Deadlines } from '../lib/engine/deadlines'
import type { Expiring } from '../lib/engine/deadlines'
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

  onDeadline (): void {
    this.expired++
    this.#onDeadline()
  }
}

t.test('deadlines', async t => {
  function deadlinesOf (t: Test, ms: number): Deadlines<Timed> {
    const deadlines = new Deadlines<Timed>(ms)
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
