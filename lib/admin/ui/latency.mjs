// Shadow against primary over time, as a picture, and the percentiles of now as a table.

import { el, replace, setAttribute, setText, svg } from './dom.mjs'
import { at, count, ms } from './format.mjs'
import { GAP, KEPT } from './history.mjs'

/**
 * @typedef {import('../../../types/index').BackendSnapshot} Backend
 * @typedef {import('../../../types/index').LatencySummary} Summary
 * @typedef {import('../page-data').PagePercentiles} Percentiles
 * @typedef {{ primary: Percentiles, shadow: Percentiles }} Pair
 * @typedef {Array<{ time: number, value: Pair }>} Points
 */

const HEIGHT = 190
const LEFT = 46
const RIGHT = 8
const TOP = 10
const BOTTOM = 22
/** The least span of the axis: else the first minutes were a dot in a corner. */
const SHORTEST = 60_000

const LINES = /** @type {const} */ ([['primary', 'p50'], ['primary', 'p95'], ['shadow', 'p50'], ['shadow', 'p95']])
const PERCENTILES = /** @type {const} */ (['p50', 'p90', 'p95', 'p99', 'max'])
const SIDES = /** @type {const} */ (['primary', 'shadow', 'difference'])

/** @returns {import('./dom.mjs').Part<{ backend: Backend, points: Points, now: number }>} */
export function createLatency () {
  const picture = svg('svg', { class: 'chart', role: 'img', height: HEIGHT })
  const empty = el('p', { class: 'quiet' }, 'No samples yet.')
  const frame = el('div', { class: 'chart-frame' }, picture)
  const cells = SIDES.map(() => PERCENTILES.map(() => el('td')))
  const samples = el('p', { class: 'quiet' })
  const table = el('table', { class: 'latency' },
    el('thead', {}, el('tr', {},
      el('th', { scope: 'col' }, 'ms'), ...PERCENTILES.map(name => el('th', { scope: 'col' }, name))
    )),
    el('tbody', {}, ...SIDES.map((side, i) => el('tr', { class: side }, el('th', { scope: 'row' }, side), ...cells[i])))
  )
  /** @type {Parameters<typeof draw> | null} */
  let drawn = null
  new ResizeObserver(() => { if (drawn !== null) draw(...drawn) }).observe(frame)

  const shown = el('div', {},
    el('p', { class: 'legend', 'aria-hidden': 'true' },
      el('span', { class: 'primary' }, 'primary'), el('span', { class: 'shadow' }, 'shadow'), el('span', {}, 'p50'),
      el('span', { class: 'dashed' }, 'p95')
    ),
    frame,
    el('div', { class: 'sideways', tabindex: '0', role: 'region', 'aria-label': 'Percentiles of latency' }, table),
    samples
  )

  return {
    node: el('section', { class: 'part' }, el('h4', {}, 'Latency'), empty, shown),
    update ({ backend, points, now }) {
      const { latency } = backend
      shown.hidden = latency.shadow.count === 0
      empty.hidden = !shown.hidden
      for (const [i, side] of SIDES.entries()) {
        for (const [j, name] of PERCENTILES.entries()) setText(cells[i][j], ms(latency[side][name]))
      }
      const compared = lastOf(latency.difference)
      setText(samples, `Of the last ${lastOf(latency.shadow)} answers, and of the last ${compared} that were compared.`)
      draw(points, now, latency.shadow, latency.primary)
    }
  }

  /** @param {Points} points @param {number} now @param {Summary} shadow @param {Summary} primary */
  function draw (points, now, shadow, primary) {
    drawn = [points, now, shadow, primary]
    const width = frame.clientWidth
    if (width === 0) return
    const since = Math.max(now - KEPT, Math.min(points[0]?.time ?? now, now - SHORTEST))
    const highest = Math.max(...points.flatMap(({ value }) => LINES.map(([side, name]) => value[side][name] ?? 0)), 0)
    const ticks = ticksTo(highest)
    const top = ticks[ticks.length - 1]
    const x = (/** @type {number} */ time) => LEFT + (time - since) / (now - since) * (width - LEFT - RIGHT)
    const y = (/** @type {number} */ value) => TOP + (1 - value / top) * (HEIGHT - TOP - BOTTOM)

    setAttribute(picture, 'width', width)
    setAttribute(
      picture, 'aria-label',
      `Latency since ${at(since, now)}: shadow p95 ${ms(shadow.p95)} ms, primary p95 ${ms(primary.p95)} ms`
    )
    replace(picture,
      ...ticks.flatMap(tick => [
        svg('line', { class: 'grid', x1: LEFT, x2: width - RIGHT, y1: y(tick), y2: y(tick) }),
        svg('text', { x: LEFT - 6, y: y(tick) + 4, 'text-anchor': 'end' }, `${tick}${tick === top ? ' ms' : ''}`)
      ]),
      svg('text', { x: LEFT, y: HEIGHT - 4 }, at(since, now)),
      svg('text', { x: width - RIGHT, y: HEIGHT - 4, 'text-anchor': 'end' }, at(now, now)),
      ...LINES.map(
        ([side, name]) => svg('path', { class: `line ${side} ${name}`, d: lineOf(points, side, name, x, y) })
      )
    )
  }
}

/** A percentile is of so many samples at most. @param {Summary} summary */
function lastOf (summary) {
  return count(Math.min(summary.count, 1000))
}

/** From 0 by round steps to at least that. @param {number} highest */
function ticksTo (highest) {
  const least = Math.max(highest, 0.1) / 4
  const power = 10 ** Math.floor(Math.log10(least))
  const step = ([1, 2, 2.5, 5].find(size => size * power >= least) ?? 10) * power
  const ticks = [0]
  while (ticks[ticks.length - 1] < highest || ticks.length < 3) ticks.push(Number((ticks.length * step).toPrecision(6)))
  return ticks
}

/**
 * @param {Points} points @param {'primary' | 'shadow'} side @param {'p50' | 'p95'} name
 * @param {(time: number) => number} x @param {(value: number) => number} y
 */
function lineOf (points, side, name, x, y) {
  let path = ''
  let previous = -Infinity
  for (const { time, value } of points) {
    const ms = value[side][name]
    if (ms === null) continue
    path += `${time - previous > GAP ? 'M' : 'L'}${x(time).toFixed(1)} ${y(ms).toFixed(1)}`
    // A single point becomes a line of no length, whose round ends make a dot.
    if (time - previous > GAP) path += 'h0'
    previous = time
  }
  return path
}
