import { setTimeout as delay } from 'node:timers/promises'

/** Resolves when the condition holds; rejects, naming it, when it does not within `ms`. */
export async function until (what: string, condition: () => unknown, ms = 30_000): Promise<void> {
  const end = performance.now() + ms
  while (!await condition()) {
    if (performance.now() > end) throw new Error(`waited ${ms} ms in vain until ${what}`)
    await delay(2)
  }
}
