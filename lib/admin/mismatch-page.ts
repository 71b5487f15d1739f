import { setImmediate as nextTurn } from 'node:timers/promises'
import type { MismatchIndex } from '../mismatches/groups'
import { joined } from './joined'
import { MAX_BYTES } from './numbers'
import type { Page } from './numbers'

/**
 * So many of the groups behind the one called `after`, and not too many for an answer: each is masked, and made JSON, in a turn
 * of the event loop.
 */
export async function mismatchPage (index: MismatchIndex, most: number, after: string | undefined): Promise<Page> {
  const { limit, limited, spared, groups, others } = index
  const all = [...groups, ...others]
  // One that is not there any more began the list anew.
  const from = all.findIndex(({ id }) => id === after) + 1
  const shown: Buffer[] = []
  let bytes = 0
  let to = from
  for (; to < all.length && to - from < most; to++) {
    await nextTurn()
    const group = Buffer.from(JSON.stringify(all[to].show()))
    bytes += group.length + 1
    if (bytes > MAX_BYTES && to > from) break
    shown.push(group)
  }
  const ofGroups = Math.max(0, Math.min(to, groups.length) - from)
  const head = `{"limit":${limit},"limited":${limited},"spared":${spared},"groups":[`
  const body = joined(head, shown.slice(0, ofGroups), '],"others":[', shown.slice(ofGroups), ']}')
  return { body, last: to < all.length ? all[to - 1].id : null }
}
