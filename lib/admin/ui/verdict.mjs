// Whether what has been counted allows to release, and why.

import { createConfidence } from './confidence.mjs'
import { el, keyed, setAttribute, setText } from './dom.mjs'
import { at, count, foreign } from './format.mjs'
import { SIGNS } from './words.mjs'

/**
 * @typedef {import('../../../types/index').MirrorVerdict} Verdict
 * @typedef {import('../../../types/index').BackendVerdict} BackendVerdict
 * @typedef {import('../../../types/index').VerdictReason} Reason
 * @typedef {import('./confidence.mjs').Intervals} Intervals
 * @typedef {{ verdict: Verdict, now: number, intervalsOf: (backend: string) => Intervals }} Data
 */

/** @param {() => void} askReset @returns {import('./dom.mjs').Part<Data>} */
export function createVerdict (askReset) {
  const sign = el('span', { class: 'sign', 'aria-hidden': 'true' })
  const word = el('strong')
  const since = el('span', { class: 'quiet' })
  const missing = el('p', { class: 'quiet' })
  const backends = el('div')
  let several = false
  /** @type {Data['intervalsOf']} */
  let intervals = () => []
  const show = keyed(backends, (/** @type {BackendVerdict} */ { name }) => name, createBackend)
  const node = el('section', { class: 'verdict' },
    el('h3', { class: 'hidden' }, 'Verdict'),
    el('p', { class: 'word' }, sign, word, since, el(
      'button', { type: 'button', class: 'plain', click: askReset }, 'Count anew…'
    )),
    missing, backends
  )
  return {
    node,
    update ({ verdict, now, intervalsOf }) {
      intervals = intervalsOf
      several = verdict.backends.length > 1
      setAttribute(node, 'data-state', verdict.verdict)
      setText(sign, SIGNS[verdict.verdict])
      setText(word, capital(verdict.verdict))
      setText(since, `counted since ${at(verdict.since, now)}`)
      setText(missing, missingFor(verdict.backends))
      missing.hidden = missing.textContent === ''
      show(verdict.backends)
    }
  }

  /** @param {BackendVerdict} backend @returns {import('./dom.mjs').Part<BackendVerdict>} */
  function createBackend ({ name }) {
    const title = el('h4', {}, foreign(name))
    const list = el('ul', { class: 'reasons' })
    const confidence = createConfidence()
    const showReasons = keyed(list, (/** @type {Reason} */ { about }) => about, createReason)
    return {
      node: el('div', {}, title, list, confidence.node),
      update ({ reasons }) {
        title.hidden = !several
        showReasons(reasons)
        confidence.update({ reasons, intervals: intervals(name) })
      }
    }
  }
}

/** Tells what stands between the backends and `ready`. @param {BackendVerdict[]} backends */
function missingFor (backends) {
  const reasons = backends.flatMap(({ reasons }) => reasons)
  const bad = new Set(reasons.filter(({ state }) => state === 'bad').map(({ about }) => about))
  if (bad.size > 0) return `What keeps it from being ready: ${[...bad].join(', ')}.`
  const open = reasons.filter(({ state }) => state === 'undecided')
  /**
   * Of each kind what the backend needs that is furthest from it; `null`: no number is known. @type {Map<string, number
   * | null>}
   */
  const needs = new Map()
  for (const { about, needed = null } of open) {
    const known = needs.get(about)
    needs.set(about, known === null || needed === null ? null : Math.max(known ?? 0, needed))
  }
  if (needs.size === 0) return ''
  const words = [...needs].map(([about, needed]) => needed === null ? about : `${about} (${count(needed)} more)`)
  return `What is still to be settled: ${words.join(', ')}.`
}

/** @returns {import('./dom.mjs').Part<Reason>} */
function createReason () {
  const sign = el('span', { class: 'sign', 'aria-hidden': 'true' })
  const state = el('span', { class: 'hidden' })
  const text = el('span')
  const node = el('li', {}, sign, state, text)
  return {
    node,
    update (reason) {
      setAttribute(node, 'data-state', reason.state)
      setText(sign, SIGNS[reason.state])
      setText(state, `${capital(reason.state)}: `)
      setText(text, capital(reason.text))
    }
  }
}

/** @param {string} text */
export function capital (text) {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
