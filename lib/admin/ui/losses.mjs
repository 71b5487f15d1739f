// Copies that were dropped, failed or could not be compared, and what that means.

import { el, keyed, setAttribute, setText } from './dom.mjs'
import { count, percent } from './format.mjs'
import { DROPPED, FAILED, NOT_COMPARED } from './reasons.mjs'

/**
 * @typedef {import('../../../types/index').BackendSnapshot} Backend
 * @typedef {{ key: string, kind: string, bad: boolean, label: string, meaning: string, count: number, of: number }}
 * Loss
 */

/** @param {Backend} backend @returns {Loss[]} the most frequent first */
function lossesOf ({ offered, dropped, total, failure, success, notCompared }) {
  return [
    ...rows('failed', true, failure, FAILED, total),
    ...rows('dropped', true, dropped, DROPPED, offered),
    ...rows('not compared', false, notCompared, NOT_COMPARED, success)
  ].filter(loss => loss.count > 0).sort((a, b) => b.count - a.count)
}

/**
 * @param {string} kind @param {boolean} bad @param {Record<string, number>} counts @param {Record<string,
 * import('../../reasons').Reason>} words @param {number} of
 */
function rows (kind, bad, counts, words, of) {
  return Object.entries(counts).map(([key, count]) => ({
    key: `${kind} ${key}`, kind, bad, of, count, label: words[key]?.label ?? key, meaning: words[key]?.meaning ?? ''
  }))
}

/** @returns {import('./dom.mjs').Part<Backend>} */
export function createLosses () {
  const none = el('p', { class: 'quiet' }, 'Nothing was dropped, and nothing failed.')
  const list = el('ul', { class: 'reasons-why' })
  const classes = el('p', { class: 'quiet' })
  const show = keyed(list, (/** @type {Loss} */ { key }) => key, createLoss)
  return {
    node: el('section', { class: 'part' }, el('h4', {}, 'Failures and drops'), none, list, classes),
    update (backend) {
      const losses = lossesOf(backend)
      none.hidden = losses.length > 0
      show(losses)
      const answers = Object.entries(backend.status).filter(([, number]) => number > 0)
      setText(classes, answers.length === 0
        ? ''
        : `The shadow answered ${answers.map(([name, number]) => `${name} ${count(number)}`).join(', ')}.`)
    }
  }
}

/** @param {Loss} loss @returns {import('./dom.mjs').Part<Loss>} */
function createLoss ({ kind, bad, label, meaning }) {
  const number = el('span', { class: 'number' })
  const share = el('span', { class: 'share' })
  const bar = el('meter', { min: 0, 'aria-hidden': 'true' })
  return {
    node: el('li', { class: bad ? 'bad' : null },
      el('p', { class: 'why' }, number, el('span', {}, el('strong', {}, label), el(
        'span', { class: 'quiet' }, ` ${kind}`
      )), share), bar, el('p', { class: 'quiet' }, meaning)),
    update (loss) {
      setText(number, count(loss.count))
      setText(share, percent(loss.count, loss.of))
      setAttribute(bar, 'max', loss.of)
      bar.value = loss.count
    }
  }
}
