// How many came of late, as bars, and whether they get more.

import { el, setAttribute, setText, svg } from './dom.mjs'
import { shortCount, span } from './format.mjs'
import { gain } from './history.mjs'

/**
 * @typedef {import('./history.mjs').History<number>} Counts
 * @typedef {import('../../../types/index').PlaceSummary} Place
 */

/** Milliseconds that a trend looks back on, and the bars that it is drawn with. */
const WINDOW = 60_000
const BARS = 20
const BAR = 4
const TALL = 18

/** @returns {import('./dom.mjs').Part<{ counts: Counts, place: Place, now: number }>} */
export function createTrend () {
  const bars = Array.from({ length: BARS }, (_, i) => svg('rect', { x: i * BAR, width: BAR - 1 }))
  const text = el('span', { class: 'number' })
  return {
    node: el(
      'span', { class: 'trend' }, svg('svg', { width: BARS * BAR, height: TALL, 'aria-hidden': 'true' }, ...bars), text
    ),
    update ({ counts, place, now }) {
      const gains = gainsOf(counts, now)
      const most = Math.max(...gains, 1)
      for (const [i, bar] of bars.entries()) {
        const tall = gains[i] === 0 ? 1 : Math.max(2, gains[i] / most * TALL)
        setAttribute(bar, 'y', TALL - tall)
        setAttribute(bar, 'height', tall)
      }
      setText(text, wordsOf(counts, place, now))
    }
  }
}

/**
 * What was added in each of so many parts of the window, the latest last. @param {Counts} counts @param {number} now
 */
function gainsOf (counts, now) {
  const gains = new Array(BARS).fill(0)
  const points = counts.after(now - WINDOW)
  // From one answer to the next, evenly: both ends may lie within bars.
  const place = (/** @type {number} */ time) => (time - now + WINDOW) / WINDOW * BARS
  for (let i = 1; i < points.length; i++) {
    const from = place(points[i - 1].time)
    const to = place(points[i].time)
    const gained = (points[i].value - points[i - 1].value) / (to - from)
    for (let bar = Math.floor(from); bar < to; bar++) {
      gains[bar] += gained * (Math.min(to, bar + 1) - Math.max(from, bar))
    }
  }
  return gains
}

/** Against what was usual since the place came up. @param {Counts} counts @param {Place} place @param {number} now */
function wordsOf (counts, place, now) {
  const recent = gain(counts, WINDOW)
  if (recent === null) return ''
  const age = now - Date.parse(place.first)
  if (recent === 0) return `none for ${span(now - Date.parse(place.last))}`
  const usual = place.count / Math.max(age / 1000, 1)
  const arrow = recent > 1.5 * usual ? '↑ ' : recent < usual / 1.5 ? '↓ ' : ''
  return `${arrow}${shortCount(Math.max(1, Math.round(recent * 60)))}/min`
}
