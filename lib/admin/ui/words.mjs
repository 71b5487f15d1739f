// The meaning of the counters' names, for people.

/** Why requests go no further, at the mirror. @type {Record<string, string>} */
export const SKIPPED = {
  disabled: 'mirror switched off',
  filtered: 'conditions not met',
  looped: 'copies themselves',
  upgraded: 'upgrades',
  unsampled: 'not sampled',
  pending: 'not sent yet',
  unhandled: 'never sent: answered or gone before'
}

/** Beside the words: a shape that is not told by its colour alone. @type {Record<string, string>} */
export const SIGNS = {
  ready: '✓',
  good: '✓',
  'not ready': '✕',
  bad: '✕',
  'not enough data': '…',
  undecided: '…',
  told: '·',
  off: '–'
}
