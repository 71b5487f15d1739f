/**
 * Headers that belong to one connection alone, and are made anew on the next (RFC 9110, section 7.6.1; RFC 9113,
 * section 8.2.2).
 */
export const HOP_BY_HOP: readonly string[] = [
  'connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'
]

/** A token: what a method and a header's name are made of (RFC 9110, section 5.6.2). */
export const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
