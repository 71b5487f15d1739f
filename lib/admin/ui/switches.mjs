// The switch and the percentage of a mirror, or of one of its backends.

import { el, setAttribute, setText } from './dom.mjs'

/**
 * @typedef {{ enabled?: boolean, percentage?: number }} Change
 * @typedef {{ enabled: boolean, percentage: number, stopped?: boolean }} Setting `stopped`: with all mirrors, whatever
 * it says itself
 */

let made = 0

/**
 * @param {string} of whose they are, for those who do not see where they stand
 * @param {(change: Change) => Promise<void>} send rejects with an error that is for people
 * @returns {import('./dom.mjs').Part<Setting>}
 */
export function createSwitches (of, send) {
  const id = `switch-${++made}`
  const word = el('span', { 'aria-hidden': 'true' })
  const toggle = el(
    'button', { type: 'button', role: 'switch', class: 'switch', 'aria-label': `Mirroring of ${of}`, click: flip },
    el('span', { class: 'knob', 'aria-hidden': 'true' }), word
  )
  const input = el('input', {
    id,
    type: 'number',
    min: 0,
    max: 100,
    step: 'any',
    required: true,
    inputmode: 'decimal',
    autocomplete: 'off',
    'aria-label': `Percentage of ${of}`,
    input: edit,
    keydown: revertOnEscape
  })
  const apply = el('button', { type: 'submit' }, 'Apply')
  const error = el('p', { class: 'error', role: 'alert' })
  /** @type {Setting} */
  let setting = { enabled: false, percentage: 0 }
  let edited = false

  return {
    node: el('div', { class: 'switches' },
      toggle,
      el('form', {
        novalidate: true, submit: applyPercentage
      }, input, el('label', { for: id, 'aria-hidden': 'true' }, '%'), apply),
      error
    ),
    update (now) {
      setting = now
      setAttribute(toggle, 'aria-checked', String(now.enabled))
      setAttribute(toggle, 'aria-disabled', now.stopped ? 'true' : null)
      setText(word, now.enabled ? 'On' : now.stopped ? 'Stopped' : 'Off')
      // A value that is being edited stays.
      if (!edited) input.value = String(now.percentage)
      showApply()
    }
  }

  function edit () {
    setText(error, '')
    showApply()
  }

  function showApply () {
    edited = input.value !== String(setting.percentage)
    apply.hidden = !edited
  }

  /** @param {Event} event */
  function revertOnEscape (event) {
    if (/** @type {KeyboardEvent} */ (event).key !== 'Escape') return
    input.value = String(setting.percentage)
    setText(error, '')
    showApply()
  }

  function flip () {
    if (setting.stopped) return
    change({ enabled: !setting.enabled })
  }

  /** @param {Event} event */
  function applyPercentage (event) {
    event.preventDefault()
    if (!input.validity.valid) {
      setText(error, 'A number from 0 to 100.')
      return
    }
    change({ percentage: input.valueAsNumber })
  }

  /** @param {Change} asked */
  async function change (asked) {
    setText(error, '')
    try {
      // The button that was pressed goes.
      if (asked.percentage !== undefined) input.focus()
      await send(asked)
      if (asked.percentage !== undefined) input.value = String(setting.percentage = asked.percentage)
      showApply()
    } catch (reason) {
      setText(error, /** @type {Error} */ (reason).message)
    }
  }
}
