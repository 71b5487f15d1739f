// The endpoints of a mirror, one line for each and each backend: what was compared, what differs, how much slower.

import { el, keyed, setAttribute, setText } from './dom.mjs'
import { at, count, foreign, ms, percent, shortCount } from './format.mjs'
import { SIGNS } from './words.mjs'

/**
 * @typedef {import('../page-data').PageEndpoints} Endpoints
 * @typedef {import('../../../types/index').EndpointBackend} Backend
 * @typedef {{ name: string, share: number, backend: Backend }} Line
 * @typedef {{ endpoints: Endpoints, now: number }} Data
 */

/** Lines that are shown at once: a page must stay quick. */
const MOST = 200
/** More are worth a filter. */
const FEW = 5
/** The words of a verdict, the worst first. `(pending)` has none. */
const WORDS = ['not ready', 'not enough data', 'ready']

/** @returns {import('./dom.mjs').Part<Data>} */
export function createEndpoints () {
  const title = el('h3')
  const input = el('input', { type: 'search', 'aria-label': 'Endpoints', placeholder: 'Filter', input: render })
  const order = el('select', { change: render },
    el('option', { value: 'worst' }, 'worst'), el('option', { value: 'busiest' }, 'busiest'),
    el('option', { value: 'slowest' }, 'slowest'),
    el('option', { value: 'latest' }, 'latest mismatch'), el('option', { value: 'name' }, 'by name'))
  const tools = el('div', { class: 'tools' }, input, el('label', { class: 'sorting' }, 'First ', order))
  const note = el('p', { class: 'quiet' })
  const body = el('tbody')
  const heads = ['Endpoint', 'Requests', 'Compared', 'Differ', 'Failed', 'Lost', 'p95 ms', 'p99 ms', 'Last mismatch']
  const table = el('div', { class: 'sideways' },
    el(
      'table', { class: 'endpoints' },
      el('thead', {}, el('tr', {}, ...heads.map(head => el('th', { scope: 'col' }, head)))), body
    ))
  const node = el('section', { class: 'part' }, el('div', { class: 'heading' }, title, tools), note, table)
  let several = false
  const show = keyed(body, keyOf, line => createLine(line, several, () => /** @type {Data} */ (data).now))
  /** @type {Data | null} */
  let data = null
  return {
    node,
    update (now) {
      data = now
      render()
    }
  }

  function render () {
    if (data === null) return
    const { endpoints: { total, limit, limited, endpoints } } = data
    several = endpoints.some(({ backends }) => backends.length > 1)
    const lines = endpoints.flatMap(({ name, share, backends }) => backends.map(backend => ({ name, share, backend })))
    const wanted = input.value.trim().toLowerCase()
    const found = lines.filter(({ name, backend }) => name.toLowerCase().includes(wanted) || backend.verdict === wanted)
      .sort(ORDERS[order.value])
    node.hidden = total === 0
    tools.hidden = lines.length <= FEW
    setText(title, `${count(total)} ${total === 1 ? 'endpoint' : 'endpoints'}`)
    setText(note, [
      total > endpoints.length ? `The worst ${count(endpoints.length)} are here.` : '',
      found.length > MOST ? `${MOST} of ${count(found.length)} lines are shown.` : '',
      limited ? `There is room for ${count(limit)}: what came later is counted as “(other)”.` : ''
    ].join(' ').trim())
    note.hidden = note.textContent === ''
    show(found.slice(0, MOST))
  }
}

/** @param {Line} line */
function keyOf ({ name, backend }) {
  return `${backend.name} ${name}`
}

/** @param {Line} line */
function rateOf ({ backend: { compared, mismatched } }) {
  return compared === 0 ? 0 : mismatched / compared
}

/** @param {Line} line */
function rankOf ({ backend: { verdict } }) {
  return verdict === null ? WORDS.length : WORDS.indexOf(verdict)
}

/** @type {Record<string, (a: Line, b: Line) => number>} */
const ORDERS = {
  worst: (a, b) => rankOf(a) - rankOf(b) || rateOf(b) - rateOf(a) || b.share - a.share,
  busiest: (a, b) => b.share - a.share,
  slowest: (a, b) => (b.backend.p99 ?? -Infinity) - (a.backend.p99 ?? -Infinity) || 0,
  latest: (a, b) => (b.backend.latestMismatch ?? '').localeCompare(a.backend.latestMismatch ?? ''),
  name: (a, b) => a.name.localeCompare(b.name)
}

/** @param {Line} line @param {boolean} several @param {() => number} time @returns {import('./dom.mjs').Part<Line>} */
function createLine ({ name, backend }, several, time) {
  const sign = el('span', { class: 'sign', 'aria-hidden': 'true' })
  const state = el('span', { class: 'hidden' })
  const cells = Array.from({ length: 8 }, () => el('td'))
  const node = el('tr', {},
    el('th', { scope: 'row' }, sign, state, el('code', {}, foreign(name)), several
      ? el('span', { class: 'quiet' }, ` ${foreign(backend.name)}`)
      : ''), ...cells)
  return {
    node,
    update ({ share, backend: { verdict, compared, mismatched, failed, lost, p95, p99, latestMismatch } }) {
      setAttribute(node, 'data-state', verdict)
      setText(sign, verdict === null ? '' : SIGNS[verdict])
      setText(state, verdict === null ? '' : ` ${verdict}: `)
      const texts = [
        percent(share, 1), shortCount(compared),
        mismatched === 0 ? '0' : `${shortCount(mismatched)} · ${percent(mismatched, compared)}`, shortCount(failed),
        shortCount(lost), ms(p95), ms(p99), latestMismatch === null ? '–' : at(latestMismatch, time())
      ]
      for (const [i, cell] of cells.entries()) setText(cell, texts[i])
    }
  }
}
