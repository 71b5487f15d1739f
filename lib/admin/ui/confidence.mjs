// Where the rate of mismatches lies, over the number of comparisons: as far as this page has seen it.

import { el, replace, setAttribute, svg } from './dom.mjs'
import { percent, shortCount } from './format.mjs'

/**
 * @typedef {import('../../../types/index').VerdictReason} Reason
 * @typedef {{ of: number, rate: number, low: number, high: number }} Interval
 * @typedef {Array<{ time: number, value: Interval }>} Intervals
 */

const HEIGHT = 150
const LEFT = 62
const RIGHT = 8
const TOP = 8
const BOTTOM = 22
/** Rates go by powers of ten, from the limit down so many times, and no further than that. */
const BELOW_LIMIT = 30
const LEAST = 1e-5

/** The data of the picture. `null`: there is nothing to draw. @param {Reason} reason @returns {Interval | null} */
export function intervalOf ({ about, of = 0, rate, interval }) {
  if (about !== 'mismatches' || of === 0 || rate == null || interval === undefined) return null
  return { of, rate, low: interval[0], high: interval[1] }
}

/** @returns {import('./dom.mjs').Part<{ reasons: Reason[], intervals: Intervals }>} */
export function createConfidence () {
  const picture = svg('svg', { class: 'chart', role: 'img', height: HEIGHT })
  const frame = el('div', { class: 'chart-frame confidence' }, picture)
  const node = el('figure', {}, frame, el('figcaption', { class: 'quiet' },
    'The rate of mismatches over comparisons, the band in which it lies with the verdict’s confidence, ' +
    'and the limit (dashed).'))
  /** @type {{ intervals: Intervals, limit: number } | null} */
  let drawn = null
  new ResizeObserver(draw).observe(frame)
  return {
    node,
    update ({ reasons, intervals }) {
      const reason = reasons.find(({ about }) => about === 'mismatches')
      setAttribute(node, 'hidden', reason === undefined || intervals.length === 0)
      drawn = { intervals, limit: reason?.limit ?? 0 }
      draw()
    }
  }

  function draw () {
    const width = frame.clientWidth
    if (drawn === null || drawn.intervals.length === 0 || width === 0) return
    const { intervals, limit } = drawn
    const seen = intervals.map(({ value }) => value)
    const last = seen[seen.length - 1]
    const bottom = Math.max(LEAST, limit / BELOW_LIMIT)
    const top = Math.min(1, Math.max(limit * 3, ...seen.map(({ high }) => high)))
    const [least, most] = [Math.min(seen[0].of, last.of / 2), last.of]
    const x = (/** @type {number} */ of) =>
      LEFT + Math.log(of / least) / Math.log(most / least) * (width - LEFT - RIGHT)
    const y = (/** @type {number} */ rate) => {
      const height = Math.log(Math.max(bottom, Math.min(top, rate)) / bottom) / Math.log(top / bottom)
      return TOP + (1 - height) * (HEIGHT - TOP - BOTTOM)
    }
    const line = (/** @type {Interval[]} */ points, /** @type {'rate' | 'low' | 'high'} */ what) => {
      return points.map(point => `${x(point.of).toFixed(1)} ${y(point[what]).toFixed(1)}`).join('L')
    }
    setAttribute(picture, 'width', width)
    setAttribute(picture, 'aria-label', `After ${shortCount(last.of)} comparisons ${percent(last.rate, 1)} differ; ` +
      `the rate lies between ${percent(last.low, 1)} and ${percent(last.high, 1)}, the limit is ${percent(limit, 1)}`)
    replace(picture,
      svg('path', { class: 'interval', d: `M${line(seen, 'high')}L${line([...seen].reverse(), 'low')}Z` }),
      svg('line', { class: 'limit', x1: LEFT, x2: width - RIGHT, y1: y(limit), y2: y(limit) }),
      svg('path', { class: 'line rate', d: `M${line(seen, 'rate')}h0` }),
      ...[...new Set([top, limit])].map(rate => {
        return svg('text', { x: LEFT - 6, y: y(rate) + 4, 'text-anchor': 'end' }, percent(rate, 1))
      }),
      svg('text', { x: LEFT, y: HEIGHT - 4 }, shortCount(Math.round(least))),
      svg('text', { x: width - RIGHT, y: HEIGHT - 4, 'text-anchor': 'end' }, `${shortCount(most)} comparisons`)
    )
  }
}
