// lib/admin/ui.ts makes this module of the page out of lib/reasons.ts.
export { DROPPED, FAILED, NOT_COMPARED } from '../../lib/reasons.js'
