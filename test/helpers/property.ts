import fc from 'fast-check'
import type { IAsyncPropertyWithHooks, IPropertyWithHooks } from 'fast-check'
import type { Test } from 'tap'

/** The same in every run. What fails is told with it, with the path to the case, and with the case at its smallest. */
const SEED = 20_260

type Property<T> = IPropertyWithHooks<T> | IAsyncPropertyWithHooks<T>

/** A test that something holds for whatever is made up. */
export async function holds<T> (t: Test, what: string, property: Property<T>, numRuns: number): Promise<void> {
  await t.test(what, async t => {
    await fc.assert(property as IAsyncPropertyWithHooks<T>, { seed: SEED, numRuns })
    t.pass(`${numRuns} cases`)
  })
}

/** Throws unless both are alike. */
export function same (found: unknown, wanted: unknown, what = ''): void {
  const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)]
  if (a !== b) throw new Error(`${what}: found ${a}, wanted ${b}`)
}
