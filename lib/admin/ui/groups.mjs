// Mismatches by kind: how many, whether they get more, and on opening an example.

import { el, keyed, replace, setAttribute, setText, svg } from './dom.mjs'
import { at, count, foreign, shortCount, span } from './format.mjs'
import { gain } from './history.mjs'
import { createExample } from './example.mjs'

/**
 * @typedef {import('../page-data').PageGroup} Group
 * @typedef {import('../page-data').PageGroups} Groups
 * @typedef {import('../page-data').PageExample} Example
 * @typedef {import('./history.mjs').History<number>} Counts
 * @typedef {(group: string) => Promise<Example>} Load
 * @typedef {{ groups: Groups, now: number, countsOf: (group: string) => Counts, backends: number }} Data
 */

/** Milliseconds that a trend looks back on, and the bars that it is drawn with. */
const WINDOW = 60_000
const BARS = 20
const BAR = 4
const TALL = 18

/** @param {Load} load @returns {import('./dom.mjs').Part<Data>} */
export function createGroups (load) {
  const title = el('h3')
  const note = el('p', { class: 'quiet' })
  const order = el('select', { change: () => { sortedBy = ''; render() } },
    el('option', { value: 'count' }, 'most frequent'), el('option', { value: 'last' }, 'latest'), el('option', { value: 'first' }, 'newest kind'))
  const sorting = el('label', { class: 'sorting' }, 'First ', order)
  const list = el('ul', { class: 'groups' })
  const show = keyed(list, (/** @type {Group} */ { id }) => id, group => createGroup(group, load, () => /** @type {Data} */ (data)))
  /** @type {Data | null} */
  let data = null
  /** Ids in the order shown. @type {string[]} */
  let shown = []
  let sortedBy = ''

  return {
    node: el('section', { class: 'part' }, el('div', { class: 'heading' }, title, sorting), note, list),
    update (now) {
      data = now
      render()
    }
  }

  function render () {
    if (data === null) return
    const { groups: { groups, total, limit, limited, spared } } = data
    setText(title, total === 0 ? 'Mismatches' : `Mismatches of ${count(total)} ${total === 1 ? 'kind' : 'kinds'}`)
    setText(note, [
      total === 0 ? 'None is stored.' : '',
      total > groups.length ? `The latest ${count(groups.length)} are shown.` : '',
      limited ? `${count(limit)} kinds are stored at most: those that came later are counted as “other”.` : '',
      spared > 0 ? `${count(spared)} were not looked at, and are counted as “other”: mismatches take at most 5 % of the main thread’s time.` : ''
    ].join(' ').trim())
    note.hidden = note.textContent === ''
    sorting.hidden = total < 2

    // Whoever reads or points at a row does not want it to move.
    const still = sortedBy === order.value && (list.matches(':hover, :focus-within') || list.querySelector('[aria-expanded=true]') !== null)
    const ordered = still ? asShown(groups, shown) : [...groups].sort(ORDERS[order.value])
    sortedBy = order.value
    shown = ordered.map(({ id }) => id)
    show(ordered)
  }
}

/** @type {Record<string, (a: Group, b: Group) => number>} */
const ORDERS = {
  count: (a, b) => b.count - a.count,
  last: (a, b) => b.last.localeCompare(a.last),
  first: (a, b) => b.first.localeCompare(a.first)
}

/** In the order in which they stand, new ones at the end. @param {Group[]} groups @param {string[]} shown */
function asShown (groups, shown) {
  const places = new Map(shown.map((id, place) => [id, place]))
  return [...groups].sort((a, b) => (places.get(a.id) ?? Infinity) - (places.get(b.id) ?? Infinity) || 0)
}

/** @param {Group} group @param {Load} load @param {() => Data} data @returns {import('./dom.mjs').Part<Group>} */
function createGroup (group, load, data) {
  const { id } = group
  const panelId = `group-${id}`
  const number = el('strong', { class: 'number' })
  const trend = createTrend()
  const last = el('span', { class: 'last' })
  const button = el('button', { type: 'button', class: 'group', 'aria-expanded': 'false', 'aria-controls': panelId, click: toggle },
    el('span', { class: 'turn', 'aria-hidden': 'true' }, '›'),
    number, trend.node, el('span', { class: 'shape' }, ...shapeOf(group, data().backends > 1)), last
  )
  const panel = el('div', { id: panelId, class: 'panel', hidden: true })
  /** @type {import('./dom.mjs').Part<Group> | null} */
  let example = null
  let latest = group

  return {
    node: el('li', {}, button, panel),
    update (now) {
      latest = now
      setText(number, shortCount(now.count))
      const { countsOf, now: time } = data()
      trend.update({ counts: countsOf(id), group: now, now: time })
      setText(last, `last ${at(now.last, time)}`)
      example?.update(now)
    }
  }

  function toggle () {
    const opens = panel.hidden
    setAttribute(button, 'aria-expanded', String(opens))
    panel.hidden = !opens
    if (opens) read()
  }

  async function read () {
    if (example === null) replace(panel, el('p', { class: 'quiet' }, 'Loading'))
    // The button that asked for a newer one goes.
    if (panel.contains(document.activeElement)) button.focus()
    try {
      example = createExample(await load(id), () => { read() })
      replace(panel, example.node)
      example.update(latest)
    } catch (error) {
      replace(panel, el('p', { class: 'error', role: 'alert' }, /** @type {Error} */ (error).message))
    }
  }
}

/** @param {Group} group @param {boolean} named */
function shapeOf ({ backend, primaryStatus, mirrorStatus, headers, pointers, body }, named) {
  const status = primaryStatus === null ? 'many statuses' : primaryStatus === mirrorStatus ? String(primaryStatus) : `${primaryStatus} → ${mirrorStatus}`
  /** @type {Node[]} */
  const chips = [el('span', { class: primaryStatus === mirrorStatus ? 'chip' : 'chip bad' }, status)]
  if (named) chips.push(el('span', { class: 'chip plain' }, foreign(backend)))
  for (const name of headers) chips.push(el('code', { class: 'chip' }, foreign(name)))
  for (const pointer of pointers) chips.push(el('code', { class: 'chip' }, pointer === '' ? 'body' : foreign(pointer)))
  if (body !== null && pointers.length === 0) chips.push(el('span', { class: 'chip' }, body === 'other' ? 'other kinds' : `body (${body})`))
  return chips
}

/** @returns {import('./dom.mjs').Part<{ counts: Counts, group: Group, now: number }>} */
function createTrend () {
  const bars = Array.from({ length: BARS }, (_, i) => svg('rect', { x: i * BAR, width: BAR - 1 }))
  const text = el('span', { class: 'number' })
  return {
    node: el('span', { class: 'trend' }, svg('svg', { width: BARS * BAR, height: TALL, 'aria-hidden': 'true' }, ...bars), text),
    update ({ counts, group, now }) {
      const gains = gainsOf(counts, now)
      const most = Math.max(...gains, 1)
      for (const [i, bar] of bars.entries()) {
        const tall = gains[i] === 0 ? 1 : Math.max(2, gains[i] / most * TALL)
        setAttribute(bar, 'y', TALL - tall)
        setAttribute(bar, 'height', tall)
      }
      setText(text, wordsOf(counts, group, now))
    }
  }
}

/** What was added in each of so many parts of the window, the latest last. @param {Counts} counts @param {number} now */
function gainsOf (counts, now) {
  const gains = new Array(BARS).fill(0)
  const points = counts.after(now - WINDOW)
  // From one answer to the next, evenly: both ends may lie within bars.
  const place = (/** @type {number} */ time) => (time - now + WINDOW) / WINDOW * BARS
  for (let i = 1; i < points.length; i++) {
    const from = place(points[i - 1].time)
    const to = place(points[i].time)
    const gained = (points[i].value - points[i - 1].value) / (to - from)
    for (let bar = Math.floor(from); bar < to; bar++) gains[bar] += gained * (Math.min(to, bar + 1) - Math.max(from, bar))
  }
  return gains
}

/** Against what was usual since the kind came up. @param {Counts} counts @param {Group} group @param {number} now */
function wordsOf (counts, group, now) {
  const recent = gain(counts, WINDOW)
  if (recent === null) return ''
  const age = now - Date.parse(group.first)
  if (recent === 0) return `none for ${span(now - Date.parse(group.last))}`
  const usual = group.count / Math.max(age / 1000, 1)
  const arrow = recent > 1.5 * usual ? '↑ ' : recent < usual / 1.5 ? '↓ ' : ''
  return `${arrow}${shortCount(Math.max(1, Math.round(recent * 60)))}/min`
}
