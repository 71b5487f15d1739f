// Mismatches of one place: their requests, and what differs side by side. All of it is text of whoever sent it.

import { el, replace, setAttribute, setText } from './dom.mjs'
import { at, count, foreign } from './format.mjs'

/**
 * @typedef {import('../../../types/index').Mismatch} Mismatch
 * @typedef {import('../../../types/index').PlaceSummary} Place
 * @typedef {import('../page-data').PageExample} Example
 */

/**
 * @param {import('../page-data').PagePlaceExamples} shown
 * @param {Place} asked as it was then
 * @param {(place: string) => string | undefined} nameOf
 * @param {() => void} reload
 * @returns {import('./dom.mjs').Part<Place>}
 */
export function createExamples ({ examples }, asked, nameOf, reload) {
  const newer = el('button', { type: 'button', class: 'plain', hidden: true, click: reload }, 'Show newer ones')
  const one = el('div')
  const choices = examples.map(example => {
    return el('button', { type: 'button', click: () => { choose(example) } }, example.uses.join(', '))
  })
  const [first] = examples
  if (first === undefined) replace(one, el('p', { class: 'quiet' }, 'There was no time or no memory for an example.'))
  else choose(first)
  return {
    node: el(
      'div', {}, el('p', { class: 'buttons', hidden: examples.length < 2 }, ...choices), el('p', {}, newer), one
    ),
    update ({ last }) {
      newer.hidden = last === asked.last
    }
  }

  /** @param {Example} example */
  function choose (example) {
    for (const [index, button] of choices.entries()) {
      setAttribute(button, 'aria-pressed', String(examples[index] === example))
    }
    replace(one, createExample(example, example.rarest === asked.id ? '' : rarer(nameOf(example.rarest))))
  }
}

/** @param {string | undefined} name */
function rarer (name) {
  return ` It differs at a place that is rarer, too${name === undefined ? '' : `: ${foreign(name)}`}.`
}

/** @param {Example} example @param {string} note */
function createExample (example, note) {
  return el('div', { class: 'example' },
    el('p', {}, el(
      'code', { class: 'request' }, `${foreign(example.request.method)} ${foreign(example.request.path)}`
    )),
    el('p', { class: 'quiet' }, `The ${example.uses.join(', ')}, at ${at(example.time, Date.now())}.${note}`),
    differencesOf(example),
    requestOf(example),
    ...curlOf(example.curl)
  )
}

/** @param {Mismatch} mismatch */
function differencesOf ({ primaryStatus, shadowStatus, primaryHash, shadowHash, headers, body }) {
  /** @type {Node[]} */
  const rows = []
  if (primaryStatus !== shadowStatus) row('status', String(primaryStatus), String(shadowStatus))
  for (const { name, primary, shadow } of headers) row(`header ${name}`, valuesOf(primary), valuesOf(shadow))
  if (body?.kind === 'json') {
    for (const { pointer, primary, shadow } of body.differences) row(pointer === '' ? 'body' : pointer, primary, shadow)
    if (body.truncated) remark('There are more differences.')
    if (body.byIndex) {
      remark('An array has too many items that differ or stand elsewhere: it was compared index by index.')
    }
  } else if (body?.kind === 'hash') {
    row(`mark of the body (not looked into: ${body.reason})`, primaryHash, shadowHash)
  } else if (body !== null) {
    row(`length of the ${body.kind} body`, `${count(body.primaryLength)} bytes`, `${count(body.shadowLength)} bytes`)
    row(`mark of the body, differing from byte ${count(body.offset)} on`, primaryHash, shadowHash)
  }
  return el('table', { class: 'differences' },
    el('caption', { class: 'hidden' }, 'What differs'),
    el('thead', {}, el('tr', {}, ...['where', 'primary', 'shadow'].map(name => el('th', { scope: 'col' }, name)))),
    el('tbody', {}, ...rows)
  )

  /** @param {string} text */
  function remark (text) {
    rows.push(el('tr', {}, el('td', { colspan: 3, class: 'quiet' }, text)))
  }

  /** @param {string} where @param {string | undefined} primary @param {string | undefined} shadow */
  function row (where, primary, shadow) {
    rows.push(
      el('tr', {}, el('th', { scope: 'row' }, foreign(where)), value('primary', primary), value('shadow', shadow))
    )
  }
}

/** @param {string} side @param {string | undefined} text */
function value (side, text) {
  return el('td', { 'data-side': side }, text === undefined
    ? el('em', {}, 'absent')
    : el('code', {}, text === '' ? ' ' : foreign(text)))
}

/** @param {string[]} values */
function valuesOf (values) {
  return values.length === 0 ? undefined : values.join('\n')
}

/** @param {Mismatch} mismatch */
function requestOf ({ request: { path, sentPath, headers, body, truncated } }) {
  const lines = []
  for (let i = 0; i < headers.length; i += 2) lines.push(`${headers[i]}: ${headers[i + 1]}`)
  return el('details', {},
    el('summary', {}, 'The request'),
    ...(sentPath === path
      ? []
      : [el('p', {}, 'The shadow was asked for ', el('code', { class: 'request' }, foreign(sentPath)))]),
    el('pre', { tabindex: 0, 'aria-label': 'Headers' }, foreign(lines.join('\n'))),
    ...(body === null ? [] : [el('pre', { tabindex: 0, 'aria-label': 'Body' }, foreign(body))]),
    ...(truncated ? [el('p', { class: 'quiet' }, 'Something is left out because of its length.')] : [])
  )
}

/** @param {Example['curl']} curl */
function curlOf (curl) {
  const told = el('span', { role: 'status', class: 'quiet' })
  // Also for where the clipboard can not be written: over plain HTTP, browsers forbid it.
  const text =
    el('textarea', { readonly: true, rows: 3, spellcheck: false, hidden: true, 'aria-label': 'curl command' })
  const buttons = [copy('shadow', 'Copy curl to the shadow'), copy('primary', 'Copy curl to the primary')]
  const shells = el('p', { class: 'quiet' }, 'The lines are for sh, bash, zsh and fish, not for PowerShell or cmd.')
  return [el('p', { class: 'buttons' }, ...buttons, told), shells, text]

  /** @param {'shadow' | 'primary'} side @param {string} label */
  function copy (side, label) {
    return el('button', {
      type: 'button',
      async click () {
        text.hidden = false
        text.value = curl[side]
        try {
          await navigator.clipboard.writeText(curl[side])
          setText(told, 'Copied')
        } catch {
          text.select()
          setText(told, document.execCommand('copy') ? 'Copied' : 'Selected: copy it from below')
        }
      }
    }, label)
  }
}
