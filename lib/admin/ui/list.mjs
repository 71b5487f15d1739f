// All mirrors, one line each, as links.

import { byId, el, keyed, setAttribute, setText } from './dom.mjs'
import { count, foreign, percent, rate } from './format.mjs'
import { capital } from './verdict.mjs'
import { SIGNS } from './words.mjs'

/**
 * @typedef {import('../page-data').PageRow} Row
 * @typedef {object} Data
 * @property {Row[]} rows
 * @property {number} more mirrors that are not among them
 * @property {string | null} selected
 * @property {(id: string) => number | null} rateOf
 */

/** More are worth a filter. */
const FEW = 5

export function createList () {
  const filter = byId('filter')
  const input = /** @type {HTMLInputElement} */ (filter.querySelector('input'))
  const summary = byId('summary')
  /** @type {Data} */
  let data = { rows: [], more: 0, selected: null, rateOf: () => null }
  const list = byId('rows')
  const show = keyed(list, (/** @type {Row} */ { id }) => id, row => createRow(row, () => data))
  input.addEventListener('input', render)
  return {
    /** @param {Data} now */
    update (now) {
      data = now
      render()
    },
    /** @param {string} id */
    focus (id) {
      for (const link of list.querySelectorAll('a')) if (link.hash === addressOf(id)) link.focus()
    }
  }

  function render () {
    const { rows, more } = data
    filter.hidden = rows.length <= FEW
    const wanted = input.value.trim().toLowerCase()
    const shown = wanted === ''
      ? rows
      : rows.filter(row => row.id.toLowerCase().includes(wanted) || wordOf(row).startsWith(wanted))
    setText(summary, summaryOf(rows, shown) + leftOut(more))
    show(shown)
  }
}

/** @param {string} id */
function addressOf (id) {
  return `#/${encodeURIComponent(id)}`
}

/** @param {Row} row */
function wordOf ({ enabled, verdict }) {
  return enabled ? verdict : 'off'
}

/** @param {Row[]} rows @param {Row[]} shown */
function summaryOf (rows, shown) {
  if (rows.length === 0) return 'No route has a mirror.'
  if (shown.length < rows.length) return `${shown.length} of ${rows.length} mirrors`
  const words = rows.map(wordOf)
  const counts = ['not ready', 'not enough data', 'ready', 'off'].map(
    word => ({ word, number: words.filter(one => one === word).length })
  )
  return counts.filter(({ number }) => number > 0).map(({ word, number }) => `${number} ${word}`).join(' · ')
}

/** @param {number} more */
function leftOut (more) {
  return more === 0 ? '' : ` · ${count(more)} more are not shown: the list of numbers (GET, in pages) has all`
}

/** @param {Row} row @param {() => Data} data @returns {import('./dom.mjs').Part<Row>} */
function createRow ({ id }, data) {
  const sign = el('span', { class: 'sign', 'aria-hidden': 'true' })
  const traffic = el('span', { class: 'number' })
  const word = el('span', { class: 'state' })
  const facts = el('span')
  const link = el('a', { href: addressOf(id) },
    sign,
    el('span', { class: 'first' }, el('span', { class: 'name' }, foreign(id)), traffic),
    el('span', { class: 'second' }, word, facts)
  )
  return {
    node: el('li', {}, link),
    update (row) {
      const { selected, rateOf } = data()
      const state = wordOf(row)
      setAttribute(link, 'aria-current', selected === id ? 'page' : null)
      setAttribute(link, 'data-state', state)
      setText(sign, SIGNS[state])
      setText(word, capital(state))
      setText(facts, factsOf(row))
      setText(traffic, rate(rateOf(id)))
    }
  }
}

/** @param {Row} row */
function factsOf ({ percentage, backends }) {
  let compared = 0
  let mismatched = 0
  let failed = 0
  let broken = false
  for (const backend of backends) {
    compared += backend.compared
    mismatched += backend.mismatched
    failed += backend.failed
    broken ||= backend.breaker !== 'closed'
  }
  const facts = [`${percentage} %`]
  if (mismatched > 0) facts.push(`${percent(mismatched, compared)} differ`)
  if (failed > 0) facts.push(`${count(failed)} failed`)
  if (broken) facts.push('breaker open')
  return facts.map(fact => ` · ${fact}`).join('')
}
