import { MismatchGroups } from '../../lib/mismatches/groups'
import type { Mismatch } from '../../types/index'

/** Groups of mismatches that are masked already, which take no room. */
export class Groups extends MismatchGroups {
  put (mismatch: Mismatch): string {
    return this.add(mismatch, Date.parse(mismatch.time), { size: 0, read: () => mismatch })
  }
}
