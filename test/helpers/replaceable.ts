// The exports of a compiled module are getters that stay as they are. A test that puts another function in the place of one imports this file
// before the module.

const { defineProperty } = Object

Object.defineProperty = function (target, key, descriptor) {
  return defineProperty(target, key, descriptor.get === undefined ? descriptor : { ...descriptor, configurable: true })
}

/** Puts a value in the place of another: of an export, or of a method. Returns what undoes it. */
export function replace (holder: object, key: string, value: unknown): () => void {
  const original = Object.getOwnPropertyDescriptor(holder, key) as PropertyDescriptor
  defineProperty(holder, key, { value, configurable: true, enumerable: original.enumerable, writable: true })
  return () => { defineProperty(holder, key, original) }
}
