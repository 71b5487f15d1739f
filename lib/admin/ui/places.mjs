// Where answers differ: how often, whether they get more, and on opening examples. The server sorts: there may be more
// than are shown.

import { el, keyed, replace, setAttribute, setText } from './dom.mjs'
import { at, count, foreign, percent, shortCount } from './format.mjs'
import { createExamples } from './example.mjs'
import { createTrend } from './trend.mjs'

/**
 * @typedef {import('../../../types/index').PlaceSummary} Place
 * @typedef {import('../page-data').PagePlaces} Places
 * @typedef {import('../page-data').PagePlaceExamples} Examples
 * @typedef {import('../page-data').PlaceFilter} Filter
 * @typedef {import('./trend.mjs').Counts} Counts
 * @typedef {(place: string) => Promise<Examples>} Load
 * @typedef {(filter: Filter) => void} Choose asks for other places
 * @typedef {{ places: Places, endpoints: string[], filter: Filter, now: number, countsOf: (place: string) => Counts,
 * backends: number }} Data
 */

const HEADS = ['Place', 'Endpoint', 'Mismatches', 'Of its comparisons', 'Of late', 'First', 'Last']
const ORDERS = { rarest: 'rarest', frequent: 'most frequent', newest: 'newest', status: 'status change' }
const ALL = 'all endpoints'

/** @param {Load} load @param {Choose} choose @returns {import('./dom.mjs').Part<Data>} */
export function createPlaces (load, choose) {
  const title = el('h3')
  const note = el('p', { class: 'quiet' })
  const order = el(
    'select', { change: ask }, ...Object.entries(ORDERS).map(([value, name]) => el('option', { value }, name))
  )
  const endpoint = el('select', { change: ask, 'aria-label': 'Endpoint' })
  const showEndpoints = keyed(endpoint, (/** @type {string} */ name) => name, name => {
    return { node: el('option', { value: name }, name === '' ? ALL : foreign(name)), update () {} }
  })
  const tools = el('div', { class: 'tools' }, endpoint, el('label', { class: 'sorting' }, 'First ', order))
  const table = el(
    'table', { class: 'places' }, el('thead', {}, el('tr', {}, ...HEADS.map(head => el('th', { scope: 'col' }, head))))
  )
  const body = el('div', { class: 'sideways' }, table)
  const rows = keyed(
    table, (/** @type {Place} */ { id }) => id, place => createPlace(place, load, () => /** @type {Data} */ (data))
  )
  /** @type {Data | null} */
  let data = null
  /** Ids in the order shown, and what they were asked for with. @type {string[]} */
  let shown = []
  let askedFor = ''

  return {
    node: el('section', { class: 'part' }, el('div', { class: 'heading' }, title, tools), note, body),
    update (now) {
      data = now
      render()
    }
  }

  function ask () {
    choose({
      sort: /** @type {Filter['sort']} */ (order.value), endpoint: endpoint.value === '' ? undefined : endpoint.value
    })
  }

  function render () {
    if (data === null) return
    const { places: { places, total, limit, limited, withoutExample, unsorted }, endpoints, filter } = data
    const filtered = filter.endpoint !== undefined
    setText(title, total === 0 ? 'Mismatches' : `Mismatches at ${count(total)} ${total === 1 ? 'place' : 'places'}`)
    setText(note, [
      total > 0 ? '' : filtered ? 'None is stored of this endpoint.' : 'None is stored.',
      total > places.length ? `${count(places.length)} are shown.` : '',
      limited
        ? `${count(limit)} places are stored at most: what came later, or is too much at once, ` +
          'is counted as “(other places)”, by endpoint.'
        : '',
      withoutExample > 0
        ? `${count(withoutExample)} were counted without an example: ` +
          'mismatches take at most 5 % of the main thread’s time.'
        : '',
      unsorted > 0
        ? `${count(unsorted)} were not looked at, and are counted as “(other places)”, for the same reason.`
        : ''
    ].join(' ').trim())
    note.hidden = note.textContent === ''
    tools.hidden = total === 0 && !filtered
    body.hidden = total === 0
    showEndpoints(['', ...endpoints])
    // Nobody's choice is changed while it is made.
    if (!tools.contains(document.activeElement)) {
      endpoint.value = filter.endpoint ?? ''
      order.value = filter.sort
    }

    // Whoever reads or points at a row does not want it to move.
    const asked = JSON.stringify(filter)
    const still = askedFor === asked &&
      (table.matches(':hover, :focus-within') || table.querySelector('[aria-expanded=true]') !== null)
    const ordered = still ? asShown(places, shown) : places
    askedFor = asked
    shown = ordered.map(({ id }) => id)
    rows(ordered)
  }
}

/** In the order in which they stand, new ones at the end. @param {Place[]} places @param {string[]} shown */
function asShown (places, shown) {
  const order = new Map(shown.map((id, index) => [id, index]))
  return [...places].sort((a, b) => (order.get(a.id) ?? Infinity) - (order.get(b.id) ?? Infinity) || 0)
}

/** @param {Place} place @param {Load} load @param {() => Data} data @returns {import('./dom.mjs').Part<Place>} */
function createPlace (place, load, data) {
  const { id, where, kind, endpoint } = place
  const panelId = `place-${id}`
  const trend = createTrend()
  const [number, share, first, last] = Array.from({ length: 4 }, () => el('td', { class: 'number' }))
  const isStatus = where.startsWith('status ')
  const backends = el('span', { class: 'quiet' })
  const button = el(
    'button', { type: 'button', class: 'place', 'aria-expanded': 'false', 'aria-controls': panelId, click: toggle },
    el('span', { class: 'turn', 'aria-hidden': 'true' }, '›'),
    el('code', { class: isStatus ? 'chip bad' : 'chip' }, foreign(where)),
    kind === null || isStatus ? '' : el('span', { class: 'kind' }, kind), backends

  )
  const panel = el('td', { id: panelId, class: 'panel', colspan: HEADS.length })
  const opened = el('tr', { hidden: true }, panel)
  /** @type {import('./dom.mjs').Part<Place> | null} */
  let examples = null
  let latest = place

  return {
    node: el('tbody', {},
      el('tr', {}, el('th', { scope: 'row' }, button), el('td', { class: 'of' }, el(
        'code', {}, foreign(endpoint)
      )), number, share, el('td', {}, trend.node), first, last),
      opened
    ),
    update (now) {
      latest = now
      const { countsOf, now: time, backends: all } = data()
      setText(number, shortCount(now.count))
      setText(share, percent(now.share, 1))
      setText(first, at(now.first, time))
      setText(last, at(now.last, time))
      setText(backends, all > 1 && now.backends.length < all
        ? `only ${now.backends.map(({ name }) => foreign(name)).join(', ')}`
        : '')
      trend.update({ counts: countsOf(id), place: now, now: time })
      examples?.update(now)
    }
  }

  function toggle () {
    const opens = opened.hidden
    setAttribute(button, 'aria-expanded', String(opens))
    opened.hidden = !opens
    if (opens) read()
  }

  async function read () {
    if (examples === null) replace(panel, el('p', { class: 'quiet' }, 'Loading'))
    // The button that asked for a newer one goes.
    if (panel.contains(document.activeElement)) button.focus()
    try {
      const asked = latest
      examples = createExamples(await load(id), asked, nameOf, () => { read() })
      replace(panel, examples.node)
      examples.update(latest)
    } catch (error) {
      replace(panel, el('p', { class: 'error', role: 'alert' }, /** @type {Error} */ (error).message))
    }
  }

  /** @param {string} other */
  function nameOf (other) {
    return data().places.places.find(one => one.id === other)?.where
  }
}
