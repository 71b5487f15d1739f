import { setImmediate as nextTurn } from 'node:timers/promises'
import type { MismatchList } from '../../types/index'
import { MAX_BYTES } from './numbers'
import type { Page } from './numbers'

/** So many of the groups behind the one called `after`, and not too many for an answer: each is made text in a turn of the event loop. */
export async function mismatchPage ({ limit, limited, spared, groups, others }: MismatchList, most: number, after: string | undefined): Promise<Page> {
  const all = [...groups, ...others]
  // One that is not there any more began the list anew.
  const from = all.findIndex(({ id }) => id === after) + 1
  const texts: string[] = []
  let bytes = 0
  let to = from
  for (; to < all.length && to - from < most; to++) {
    const text = JSON.stringify(all[to])
    bytes += Buffer.byteLength(text) + 1
    if (bytes > MAX_BYTES && to > from) break
    texts.push(text)
    await nextTurn()
  }
  const ofGroups = Math.max(0, Math.min(to, groups.length) - from)
  const text = `{"limit":${limit},"limited":${limited},"spared":${spared},"groups":[${texts.slice(0, ofGroups).join()}],"others":[${texts.slice(ofGroups).join()}]}`
  return { text, last: to < all.length ? all[to - 1].id : null }
}
