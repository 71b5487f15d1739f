// The only place that makes elements. Data becomes text nodes and attributes, and nothing here reads HTML.

const SVG = 'http://www.w3.org/2000/svg'

/**
 * @typedef {Record<string, string | number | boolean | null | EventListener>} Attributes
 *   `false` and `null`: left out; a function is a listener, by the name of its event
 * @typedef {Node | string} Child
 */

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes} [attributes]
 * @param {Child[]} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function el (tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children)
}

/**
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes} [attributes]
 * @param {Child[]} children
 * @returns {SVGElementTagNameMap[Tag]}
 */
export function svg (tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children)
}

/**
 * @template {Element} E
 * @param {E} element
 * @param {Attributes} attributes
 * @param {Child[]} children
 */
function fill (element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name, value)
    else setAttribute(element, name, value)
  }
  element.append(...children)
  return element
}

/** The element with that id, which the page has. @param {string} id */
export function byId (id) {
  return /** @type {HTMLElement} */ (document.getElementById(id))
}

/**
 * Touches nothing that is as it should be, so that what somebody has selected stays so. @param {Node} node @param
 * {string} text
 */
export function setText (node, text) {
  if (node.textContent !== text) node.textContent = text
}

/** @param {Element} element @param {string} name @param {string | number | boolean | null} value */
export function setAttribute (element, name, value) {
  const text = value === false || value === null ? null : value === true ? '' : String(value)
  if (element.getAttribute(name) === text) return
  if (text === null) element.removeAttribute(name)
  else element.setAttribute(name, text)
}

/**
 * A part of the page: made once, then told what is new.
 * @template Data
 * @typedef {{ node: Element, update: (data: Data) => void }} Part
 */

/**
 * Keeps one part for each item below `parent`, in the order of the items. Nodes stay where they are if they can: one
 * that is moved loses the focus.
 * @template Data
 * @param {Element} parent
 * @param {(data: Data) => string} keyOf
 * @param {(data: Data) => Part<Data>} create
 * @returns {(items: Data[]) => void}
 */
export function keyed (parent, keyOf, create) {
  /** @type {Map<string, Part<Data>>} */
  const parts = new Map()
  return items => {
    const keys = new Set(items.map(keyOf))
    for (const [key, { node }] of parts) {
      if (keys.has(key)) continue
      node.remove()
      parts.delete(key)
    }
    let next = parent.firstElementChild
    for (const item of items) {
      const key = keyOf(item)
      const part = parts.get(key) ?? create(item)
      parts.set(key, part)
      part.update(item)
      if (part.node === next) next = next.nextElementSibling
      else parent.insertBefore(part.node, next)
    }
  }
}

/** @param {Element} node @param {Child[]} children */
export function replace (node, ...children) {
  node.replaceChildren(...children)
}
